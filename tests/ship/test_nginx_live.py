"""The real nginx in front of real replicas, with the settings that are shipped: what both agree on, and rolling."""

import contextlib
import itertools
import json
import re
import signal
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.conftest import SCALE
from tests.hardening.test_http import AMBIGUOUS
from tests.hardening.wire import received, statuses
from tests.serve.conftest import Server, free_port

from lading.access.keys.file import create_key
from lading.bundle.signing.trust import TrustStore
from lading.ship.plan import Choices, Plan, environment, make_plan

from .fronts import HOST, Answer, answer, asked, begun, is_listening, needs_nginx, until

pytestmark = needs_nginx
HEAD_S = 1
SETTINGS = {"header_timeout_s": str(HEAD_S), "drain_s": "1"}
BODY = b'{"X":[5.1,3.5,1.4,0.2]}'
GOOD = b'{"predictions":["setosa"]'
PHASE_S = 10.0 if SCALE == "full" else 0.5
"""How long each state of a rollout lasts."""
JSON = "application/json"


class Replica:
    """One of the processes behind nginx, which is ended and started again at the same address."""

    def __init__(self, plan: Plan, trust: TrustStore, keys: Path, folder: Path) -> None:
        self.port, self._folder = free_port(), folder
        self.address = f"127.0.0.1:{self.port}"
        said = plan.serving | {"listen_when_ready": "true", "trusted_hops": "127.0.0.1", "keys_file": str(keys)}
        self._environment = environment({**said, "trust": str(trust.folder)}) | {"XDG_RUNTIME_DIR": str(folder)}
        self._bundle, self.servers = plan.bundle, list[Server]()

    def start(self) -> None:
        """Begin to be there; nobody waits until it is."""
        log = self._folder / f"{self.port}-{len(self.servers)}.log"
        command = (str(self._bundle), "--port", str(self.port))
        self.servers.append(Server(*command, log=log, environment=self._environment))

    def is_there(self) -> None:
        """Wait until it is."""
        self.servers[-1].banner()
        until(lambda: is_listening(self.port), "it listens")  # which comes a moment after it is ready

    def stop(self) -> None:
        """Be told to end, and end well."""
        self.servers[-1].signal(signal.SIGTERM)
        assert self.servers[-1].wait() == 0, self.servers[-1].log()

    def answered(self) -> list[str]:
        """The ids of the predictions that it has given, as its logs have them."""
        lines = [line for server in self.servers for line in server.log().splitlines() if line.startswith("{")]
        entries = [json.loads(line) for line in lines if line.endswith("}")]
        return [each["request_id"] for each in entries if each.get("route") == "/predict" and each["status"] == 200]

    def counted(self, key: str) -> float:
        """How many predictions it has given, as its metrics have it."""
        text = httpx.get(f"http://{self.address}/metrics", headers={"x-api-key": key}).text
        found = re.search(r'^lading_requests_total{route="/predict",status="200"} (\S+)', text, re.MULTILINE)
        return float(found[1]) if found else 0.0


class World:
    """Two replicas and nginx."""

    def __init__(self, bundle: Path, trust: TrustStore, folder: Path, **settings: str) -> None:
        self.plan = make_plan(bundle, trust, Choices(lock=False, host=HOST, settings=SETTINGS | settings))
        keys = folder / "keys.json"
        scopes = ("predict:*", "models:read", "metrics")
        self.key = create_key(keys, "tester", datetime.now(UTC), scopes=scopes)[1]
        self.replicas = [Replica(self.plan, trust, keys, folder) for _ in range(2)]
        try:
            for each in self.replicas:
                each.start()
            self.nginx = begun(self.plan, folder / "nginx", [each.address for each in self.replicas])
            for each in self.replicas:
                each.is_there()
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """Nobody is left."""
        for each in self.replicas:
            for server in each.servers:
                server.end()
        if hasattr(self, "nginx"):
            self.nginx.end()

    def ask(
        self, method: str, path: str, body: bytes | None = None, source: str = "127.0.0.1", **fields: str
    ) -> Answer:
        return self.nginx.ask(method, path, body, source, **({"X_API_Key": self.key, "Content_Type": JSON} | fields))

    def raw(self, *parts: bytes) -> bytes:
        """All that comes back for these bytes."""
        with self.nginx.raw() as connection:
            try:
                for part in parts:
                    connection.sendall(part)
            except OSError:  # it has answered and closed
                pass
            return received(connection)

    def head(self, line: str, *fields: str) -> bytes:
        return "\r\n".join([f"{line} HTTP/1.1", "Host: x", f"X-API-Key: {self.key}", *fields, "", ""]).encode("latin-1")


@pytest.fixture(scope="module")
def world(bundle: Path, trust: TrustStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(bundle, trust, tmp_path_factory.mktemp("world"))
    yield made
    made.end()


# --- TLS


def test_tls_is_1_2_at_least(world: World):
    def version(**bounds: ssl.TLSVersion) -> str | None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_ciphers("ALL:@SECLEVEL=0")
        for name, bound in bounds.items():
            setattr(context, name, bound)
        with (
            socket.create_connection(("127.0.0.1", world.nginx.https), timeout=10) as plain,
            context.wrap_socket(plain) as connection,
        ):
            return connection.version()

    assert version() == "TLSv1.3"
    assert version(maximum_version=ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
    with (
        pytest.warns(DeprecationWarning, match="TLSv1"),
        pytest.raises(ssl.SSLError, match=r"(?i)alert.protocol.version"),
    ):
        version(minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1)


def test_ciphers_of_tls_1_2_keep_secrets_secret(world: World):
    for ciphers in ("AES128-GCM-SHA256:AES256-SHA256", "ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(ciphers)
        with (
            socket.create_connection(("127.0.0.1", world.nginx.https), timeout=10) as plain,
            pytest.raises(ssl.SSLError, match=r"(?i)handshake.failure"),
        ):
            context.wrap_socket(plain)


def test_browsers_are_told_to_keep_to_tls_whoever_answers(world: World):
    for told in (world.ask("GET", "/health"), world.ask("GET", "/metrics"), world.ask("GET", "/nowhere")):
        assert told.fields["strict-transport-security"] == "max-age=31536000"
        assert told.fields["server"] == "nginx"


def test_without_tls_callers_are_sent_to_it(world: World):
    told = httpx.post(f"http://127.0.0.1:{world.nginx.http}/predict?proba=1", content=BODY)
    assert (told.status_code, told.headers["location"]) == (308, f"https://{HOST}/predict?proba=1")
    with socket.create_connection(("127.0.0.1", world.nginx.https), timeout=10) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"here requests are sent with TLS" in received(connection)


# --- what is passed on


def test_answers_are_those_of_a_replica(world: World):
    told = world.ask("POST", "/predict", BODY, X_Request_ID="order-17")
    assert (told.status, told.json["predictions"], told.json["id"]) == (200, ["setosa"], "order-17")
    assert told.fields["x-request-id"] == "order-17"
    assert told.fields["x-model"] == "iris/1.0.0"


@pytest.mark.parametrize("strange", ["a b", "a" * 129, "x;y", "\xfc", "'"])
def test_an_id_that_is_not_taken_as_it_is_is_replaced_everywhere(world: World, strange: str):
    told = world.ask("POST", "/predict", BODY, X_Request_ID=strange)
    assert re.fullmatch("[0-9a-f]{32}", told.json["id"])
    assert told.fields["x-request-id"] == told.json["id"]
    until(lambda: told.json["id"] in {line["request_id"] for line in world.nginx.log()}, "its line is there")


def test_replicas_get_a_fair_share_and_count_what_was_asked(world: World):
    before = [each.counted(world.key) for each in world.replicas]
    connections = [world.nginx.connection() for _ in range(4)]
    fields = {"X_API_Key": world.key, "Content_Type": JSON}
    for _ in range(50):
        for connection in connections:
            assert asked(connection, "POST", "/predict", BODY, **fields).status == 200
    for connection in connections:
        connection.close()
    shares = [each.counted(world.key) - was for each, was in zip(world.replicas, before, strict=True)]
    assert sum(shares) == 200
    assert min(shares) > 60


def test_nobody_can_forge_the_address_that_is_counted(world: World):
    forged = itertools.count()
    for _ in range(125):  # each replica takes 60 a minute of credentials that are not good
        address = f"198.51.100.{next(forged)}"
        told = world.nginx.ask(
            *("GET", "/metadata", None, "127.0.0.9"), X_API_Key="lk_bad", X_Forwarded_For=address, Forwarded=address
        )
    assert told.status == 429
    assert world.nginx.ask("GET", "/metadata", None, "127.0.0.8", X_API_Key="lk_bad").status == 401
    assert world.ask("GET", "/metadata").status == 200


@pytest.mark.parametrize(
    "path",
    ["/metrics", "/metrics/", "//metrics", "/./metrics", "/x/../metrics", "/%6detrics", "/metrics?x=1", "/metrics;x"],
)
def test_metrics_are_not_offered_outside(world: World, path: str):
    data = world.raw(world.head(f"GET {path}", "Connection: close"))
    assert statuses(data) == [404]
    assert b"lading_requests_total" not in data
    assert world.replicas[0].counted(world.key) > -1  # which a replica itself offers


# --- limits


def test_a_body_beyond_the_limit_is_refused_as_by_a_replica(world: World):
    most = world.plan.settings.max_body_bytes
    full = BODY + b" " * (most - len(BODY))
    assert world.ask("POST", "/predict", full).status == 200
    fields = ("Content-Type: application/json", f"Content-Length: {most + 1}")
    with world.nginx.raw() as far, socket.create_connection(("127.0.0.1", world.replicas[0].port), timeout=10) as near:
        told = [_answered(connection, world.head("POST /predict", *fields)) for connection in (far, near)]
    assert told[0]["status"] == 413
    assert {**told[0], "id": ""} == {**told[1], "id": ""}


def _answered(connection: socket.socket, head: bytes) -> Any:
    connection.sendall(head)
    return json.loads(answer(connection).body)


def test_chunks_beyond_the_limit_are_refused_too(world: World):
    chunked = world.head("POST /predict", "Content-Type: application/json", "Transfer-Encoding: chunked")
    with world.nginx.raw() as connection, contextlib.suppress(OSError):  # it answers before all is sent
        connection.sendall(chunked + b"900000\r\n" + b" " * 0x900000)
        assert answer(connection).status == 413


HEADS = {
    "a field of 64 KiB": ("GET /health", ["X-Long: " + "a" * 65_536], 431),
    "a target of 64 KiB": ("GET /" + "a" * 65_536, [], 414),
    "a target of 10 KiB": ("GET /" + "a" * 10_000, [], 414),
    "100 fields": ("GET /health", [f"X-{number}: a" for number in range(100)], 431),
    "fields of 40 KiB": ("GET /health", [f"X-{number}: " + "a" * 4000 for number in range(10)], 431),
}


@pytest.mark.parametrize("case", HEADS)
def test_a_head_beyond_the_limit_is_refused_in_the_same_form(world: World, case: str):
    line, fields, status = HEADS[case]
    told = world.raw(world.head(line, *fields, "Connection: close"))
    assert statuses(told) == [status]
    assert json.loads(told.partition(b"\r\n\r\n")[2])["code"] == "request.head_too_large"


def test_a_head_that_trickles_is_ended_at_its_deadline(world: World):
    start = time.monotonic()
    with world.nginx.raw() as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\n")
        connection.settimeout(10)
        assert received(connection) == b""  # nginx closes, and says 408 in its log only
    assert HEAD_S / 2 < time.monotonic() - start < HEAD_S + 3
    until(lambda: "408" in {line["status"] for line in world.nginx.log()}, "its line is there")


# --- one request is one request


LENIENT = {"bare line feeds", "new line in an extension"}
"""nginx reads them in one way, and passes on what it has read in a form that has no other."""


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_nginx_and_replicas_see_the_same_requests(world: World, name: str):
    lines, body = AMBIGUOUS[name]
    before = _passed(world), _had(world)
    behind = world.head("GET /predict?x=7", "Connection: close")
    told = world.raw(world.head("POST /predict", "Content-Type: application/json", *lines.split("|")) + body + behind)
    assert statuses(told)[0] >= 400 or name in LENIENT
    assert world.ask("POST", "/predict", BODY).json["predictions"] == ["setosa"]  # whoever uses the connection next

    def gained() -> list[Counter[tuple[str, str]]]:
        return [now - was for now, was in zip((_passed(world), _had(world)), before, strict=True)]

    until(lambda: sum(gained()[0].values()) >= 1 and gained()[0] == gained()[1], f"both see the same: {gained()}")
    assert sum(gained()[0].values()) <= len(statuses(told)) + 1


def _passed(world: World) -> Counter[tuple[str, str]]:
    """The requests that nginx has brought to replicas, as it sees them."""
    return Counter((each["request_id"], each["method"]) for each in world.nginx.log() if each["upstream"])


def _had(world: World) -> Counter[tuple[str, str]]:
    """The requests that replicas have had, as they see them."""
    text = "".join(server.log() for each in world.replicas for server in each.servers)
    entries = [json.loads(line) for line in text.splitlines() if '"request_id":' in line and line.endswith("}")]
    return Counter((each["request_id"], each["method"]) for each in entries)


# --- rolling


class Load:
    """Clients that keep their connections and ask again and again; all that they get is kept."""

    def __init__(self, world: World, count: int) -> None:
        self.good: list[str] = []
        self.bad: list[str] = []
        self._world, self._is_over = world, threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(number,), daemon=True) for number in range(count)]
        for thread in self._threads:
            thread.start()

    def _ask(self, number: int) -> None:
        connection = self._world.nginx.connection()
        fields = {"X_API_Key": self._world.key, "Content_Type": JSON}
        for turn in itertools.count():
            if self._is_over.is_set():
                break
            name = f"load-{number}-{turn}"
            try:
                told = asked(connection, "POST", "/predict", BODY, X_Request_ID=name, **fields)
            except (OSError, ValueError) as error:
                self.bad.append(f"{name}: {error!r}")
                connection.close()
                continue
            is_good = told.status == 200 and told.body == GOOD + f',"id":"{name}"}}\n'.encode()
            (self.good if is_good else self.bad).append(name if is_good else f"{name}: {told}")
        connection.close()

    def goes_on(self, seconds: float = PHASE_S, least: int = 50) -> None:
        """Wait for so long, and until so many have been answered."""
        end, enough = time.monotonic() + seconds, len(self.good) + least
        until_s = end + 30
        while time.monotonic() < end or len(self.good) < enough:
            assert time.monotonic() < until_s, "nobody is answered"
            self._is_over.wait(0.05)

    def end(self) -> None:
        """Let each client have its last answer."""
        self._is_over.set()
        for thread in self._threads:
            thread.join(30)


def test_nobody_notices_that_replicas_are_killed_and_rolled(
    bundle: Path, trust: TrustStore, tmp_path: Path, record_property: Callable[[str, object], None]
):
    world = World(bundle, trust, tmp_path)
    try:
        load, (first, second) = Load(world, 4), world.replicas
        load.goes_on()
        first.servers[-1].signal(signal.SIGKILL)
        first.servers[-1].wait()
        load.goes_on()
        first.start()
        first.is_there()
        load.goes_on()
        for each in (second, first):
            each.stop()
            each.start()
            each.is_there()
            load.goes_on()
        load.end()
        first.stop()
        second.stop()
        record_property("asked again", _holds(world, load))
        record_property("answered", len(load.good))
    finally:
        world.end()


def _holds(world: World, load: Load) -> int:
    """How many requests were brought to several replicas, when clients, nginx and replicas have counted the same."""
    first, second = world.replicas
    assert load.bad == []
    logged = [line for line in world.nginx.logged(len(load.good)) if line["path"] == "/predict"]
    assert Counter(line["request_id"] for line in logged if line["status"] == "200") == Counter(load.good)
    by = {
        each.address: {line["request_id"] for line in logged if _last(line) == each.address} for each in world.replicas
    }
    # Whoever ended in order has logged each answer that it gave, and gave no other one.
    assert Counter(second.answered()) == Counter(by[second.address])
    # Of what was in flight when the other one was killed, nobody knows whether it was answered; of all else, it is.
    answered = first.answered()
    assert len(answered) == len(set(answered))
    assert len(set(answered) ^ by[first.address]) <= 8
    again = [line for line in logged if ", " in line["upstream"]]
    assert {line["status"] for line in again} == {"200"}
    return len(again)


def _last(line: dict[str, str]) -> str:
    return line["upstream"].split(", ")[-1]
