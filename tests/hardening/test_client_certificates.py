"""Case T043: callers with certificates; one that is not good ends the handshake, and no field stands in for one."""

import http.client
import json
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.certificates import DAY, SERVER, Authority, Pair
from tests.serve.conftest import Server
from tests.serve.family import until

from lading.access.keys.file import create_key

from .conftest import packed
from .house import EVERYTHING, GOOD, JSON, Answer, asked, bearer
from .oracle import Watched

ROBOT = "robot.example"
WAYS = {
    "certificate, lane": ("certificate", "--lane"),
    "certificate, ASGI": ("certificate", "--no-lane"),
    "keys or certificate, lane": ("keys,certificate", "--lane"),
    "keys or certificate, ASGI": ("keys,certificate", "--no-lane"),
    "keys and certificate": ("keys", "--lane"),
}
ALONE = [name for name in WAYS if name.startswith("certificate")]
EITHER = [name for name in WAYS if name.startswith("keys or")]
SPOOFS = (
    f"X-SSL-Client-S-DN: CN={ROBOT}",
    "X-SSL-Client-Verify: SUCCESS",
    f"X-Client-Cert: CN={ROBOT}",
    f"X-Client-CN: {ROBOT}",
    f'X-Forwarded-Client-Cert: Subject="CN={ROBOT}";URI=spiffe://{ROBOT}',
    "Ssl-Client-Verify: SUCCESS",
    "X-Forwarded-Tls-Client-Cert: MIIB",
    f"Client-Cert: :{'MIIB' * 8}:",
    f"X-Remote-User: {ROBOT}",
)
"""Fields by which proxies tell who has shown a certificate."""


class Office(NamedTuple):
    """Who certifies, and files of certificates by what they are."""

    authority: Authority
    pairs: dict[str, Pair]
    revoked: Path


class Desk(NamedTuple):
    """A server, and a key that is good there."""

    watched: Watched
    office: Office
    key: str

    def ask(self, name: str, *lines: str, line: str = "POST /predict") -> Answer | None:
        """The answer to who shows this certificate, or none where the name is empty; None where nobody answers."""
        context = self.office.authority.context(self.office.pairs[name] if name else None)
        try:
            return asked(self.watched.address, context, line, JSON, *lines, body=GOOD if line[0] == "P" else b"")
        except (ssl.SSLError, ConnectionError):
            return None

    def status(self, name: str, *lines: str, line: str = "POST /predict") -> int | None:
        answer = self.ask(name, *lines, line=line)
        return None if answer is None else answer.status


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    ours = Authority(tmp_path_factory.mktemp("ours"), "authority")
    theirs = Authority(tmp_path_factory.mktemp("theirs"), "authority")
    pairs = {
        "good": ours.certify("good", ROBOT, f"spiffe://{ROBOT}"),
        "expired": ours.certify("expired", ROBOT, lasts=-DAY),
        "of another authority": theirs.certify("stranger", ROBOT),
        "of a server": ours.certify("server-only", ROBOT, usage=SERVER),
        "revoked": ours.certify("revoked", ROBOT),
        "of another name": ours.certify("other", "other.example", f"{ROBOT}.evil.example", f"*.{ROBOT}"),
        "of an address": ours.certify("address", "127.0.0.1"),
        "server": ours.certify("server", "127.0.0.1", usage=SERVER),
    }
    return Office(ours, pairs, ours.revoke(pairs["revoked"]))


BROKEN = ("expired", "of another authority", "of a server", "revoked")
NAMELESS = ("of another name", "of an address")


@pytest.fixture(scope="module")
def desks(office: Office, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Desk]]:
    """The servers by their ways, each started by the first who asks for it."""
    desks = _Desks(office, tmp_path_factory.mktemp("desks"))
    try:
        yield desks
    finally:
        for desk in desks.values():
            desk.watched.server.end()


class _Desks(dict[str, Desk]):
    def __init__(self, office: Office, folder: Path) -> None:
        super().__init__()
        self._office, self._folder, self._bundle = office, folder, packed(folder)
        keys = folder / "lading" / "keys.json"
        self._key = create_key(keys, "all", datetime.now(UTC), scopes=EVERYTHING)[1]

    def __missing__(self, way: str) -> Desk:
        pair, (auth, road) = self._office.pairs["server"], WAYS[way]
        server = Server(
            *(str(self._bundle), "--port", "0", "--auth", auth, road, "--client-names", f"{ROBOT},robot-2.example"),
            *("--tls-certificate-file", str(pair.certificate), "--tls-key-file", str(pair.key)),
            *("--client-ca-file", str(self._office.authority.path), "--client-crl-file", str(self._office.revoked)),
            log=self._folder / f"{len(self)}.log",
            environment={"XDG_CONFIG_HOME": str(self._folder)},
        )
        try:
            server.banner()
        except BaseException:
            server.end()
            raise
        self[way] = Desk(Watched(server, self._folder), self._office, self._key)
        return self[way]


@pytest.fixture
def desk(request: pytest.FixtureRequest, desks: dict[str, Desk]) -> Desk:
    return desks[request.param]


@pytest.mark.parametrize("desk", ALONE + EITHER, indirect=True)
def test_t043_a_good_certificate_shows_who_asks_and_it_is_noted(desk: Desk):
    answer = desk.ask("good")
    assert answer is not None
    assert (answer.status, json.loads(answer.body)["prediction"]) == (200, 42.0)
    assert [desk.status("good", line=line) for line in ("GET /metadata", "GET /metrics")] == [200, 403]
    noted = f'"caller":"certificate:{ROBOT}"'
    until(lambda: desk.watched.server.log().count(noted) >= 3, "it is noted")


@pytest.mark.parametrize("desk", WAYS, indirect=True)
def test_t043_a_certificate_that_is_not_good_is_not_talked_to(desk: Desk):
    assert {name: desk.status(name) for name in BROKEN} == dict.fromkeys(BROKEN)
    assert {name: desk.status(name, bearer(desk.key), line="GET /health") for name in BROKEN} == dict.fromkeys(BROKEN)


@pytest.mark.parametrize("desk", WAYS, indirect=True)
def test_t043_one_of_another_name_is_nobodys(desk: Desk):
    assert {name: desk.status(name) for name in NAMELESS} == dict.fromkeys(NAMELESS, 401)


@pytest.mark.parametrize("desk", [*ALONE, "keys and certificate"], indirect=True)
def test_t043_without_one_there_is_no_connection(desk: Desk):
    assert [desk.status("", *lines) for lines in ((), (bearer(desk.key),), SPOOFS)] == [None] * 3


@pytest.mark.parametrize("desk", EITHER, indirect=True)
def test_t043_where_keys_are_taken_too_either_is_enough(desk: Desk):
    assert [desk.status(""), desk.status("", bearer(desk.key)), desk.status("good")] == [401, 200, 200]
    assert desk.status("of another name", bearer(desk.key)) == 200
    assert desk.status("good", bearer("lk_x")) == 401  # who brings a key is asked for a good one


@pytest.mark.parametrize("desk", ["keys and certificate"], indirect=True)
def test_t043_where_a_certificate_is_asked_for_beside_keys_both_are_needed(desk: Desk):
    assert [desk.status("good"), desk.status("good", bearer(desk.key))] == [401, 200]
    assert [desk.status("of another name", bearer(desk.key)), desk.status("good", bearer("lk_x"))] == [401, 401]
    assert desk.status("good", line="GET /health") == 200


@pytest.mark.parametrize("field", SPOOFS)
@pytest.mark.parametrize("desk", ALONE + EITHER, indirect=True)
def test_t043_no_field_stands_in_for_a_certificate(desk: Desk, field: str):
    assert desk.status("of another name", field) == 401
    assert desk.status("of another name", field, "X-Forwarded-For: 127.0.0.1", line="GET /metadata") == 401


@pytest.mark.parametrize("desk", ALONE, indirect=True)
def test_t043_one_that_ends_is_good_no_longer_on_a_connection_that_is_kept(desk: Desk):
    pair = desk.office.authority.certify("brief", ROBOT, lasts=timedelta(seconds=2))
    context = desk.office.authority.context(pair)
    connection = http.client.HTTPSConnection(*desk.watched.address, timeout=60, context=context)

    def status() -> int:
        connection.request("POST", "/predict", GOOD, {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        return response.status

    try:
        assert status() == 200
        first = connection.sock
        until(lambda: status() == 401, "it has ended", limit_s=10)
        assert connection.sock is first
    finally:
        connection.close()


@pytest.mark.parametrize("desk", ALONE[:1], indirect=True)
def test_t043_one_that_is_revoked_while_it_serves_is_refused(desk: Desk):
    authority, pairs = desk.office.authority, desk.office.pairs
    pairs["revoked later"] = authority.certify("later", ROBOT)
    assert desk.status("revoked later") == 200
    authority.revoke(pairs["revoked"], pairs["revoked later"])
    until(lambda: desk.status("revoked later") is None, "it is refused", limit_s=3)
