"""Who is let in: whole servers that ask for keys, tokens and passwords, with real requests from several addresses."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from tests.conftest import SCALE
from tests.serve.conftest import Server
from tests.serve.family import private_bytes, until, workers

from lading.access.access import Access
from lading.access.keys.file import create_key, revoke_key
from lading.access.rates import Rates
from lading.access.tokens.grant import Token
from lading.http.accounts import Accounts
from lading.http.app import make_app
from lading.monitor.counters import SharedCounters
from lading.monitor.slots import Slots
from lading.service import Service
from lading.settings import Settings

from .house import (
    EVERYTHING,
    GOOD,
    JSON,
    PASSWORD,
    TOKEN_SECRET,
    Answer,
    House,
    asked,
    basic,
    bearer,
    new_source,
    opened,
)
from .oracle import MAX_GROWTH_BYTES, NORMAL_S, listeners

Many = Callable[[int, int], int]
MIB = 1 << 20
REVOKED_S = 3.0
"""Documented are two."""
CLOSED_S = 4.0
"""In which a connection ends whose body nobody wants; for 2 s of them it is read and thrown away."""
HOUSES = {
    "production, lane, workers": ("production", "--lane", "--workers", "4" if SCALE == "full" else "2"),
    "TLS, ASGI, one process": ("tls", "--no-lane", "--workers", "1"),
}
WORKERS = {name: int(options[-1]) for name, options in HOUSES.items()}


@pytest.fixture(scope="module", params=HOUSES)
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    yield from opened(tmp_path_factory.mktemp("house"), *HOUSES[request.param])


# --- T023: every route, every method, nobody

METHODS = (
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "PROPFIND",
    "SEARCH",
    "PURGE",
    "M-SEARCH",
)
ELSEWHERE = (
    *(
        "/nowhere",
        "/docs",
        "/redoc",
        "/admin",
        "/v2",
        "/v2/models/double/infer",
        "/v2/models/none/infer",
        "/v2/health/live",
    ),
    *(
        "/reload",
        "/models",
        "/keys",
        "/favicon.ico",
        "/health/",
        "/health/x",
        "/ready/",
        "/HEALTH",
        "//health",
        "/health;x",
    ),
    *("/health/../metadata", "/health%2f..%2fmetadata", "/%68ealth/metadata", "/metadata/", "/predict/", "/metrics%00"),
    *("/metadata?x=/health", "/metadata#/health", "/predict/health", "*"),
)


def live_routes() -> tuple[str, ...]:
    """The paths of the application that a server has."""
    slots = Slots.create(1)
    counters = SharedCounters(slots, 0)
    access = Access((), Rates([], 0, slots.secret))
    app = make_app(
        Service(Settings(), counters),
        Accounts(counters),
        lambda: b"",
        access,
        grant=lambda credentials, form: Token("", 0, ""),
    )
    return tuple("/predict" if route.path == "unknown" else route.path for route in app.routes)


HEALTH = ("/health", "/ready", "/v2/health/live", "/v2/health/ready")


def wanted(method: str, path: str) -> int:
    """The status for nobody."""
    if path in HEALTH:
        return 200 if method in ("GET", "HEAD") else 405
    if path == "/oauth/token":
        return 401 if method == "POST" else 405
    return 400 if "%00" in path else 401  # no server is asked by such a path, whoever asks


def test_t023_nobody_is_told_anything_but_health(house: House):
    paths = live_routes()
    assert set(paths) >= {"/predict", "/metrics", "/oauth/token", "/"}
    for path in (*paths, *ELSEWHERE):
        for method in METHODS:
            answer = house.ask(f"{method} {path}")
            if path in ("*", "/metadata#/health") and answer.status == 400:  # is no target of this method
                continue
            assert answer.status == wanted(method, path), (method, path)
            if answer.status == 401:
                assert re.match(r'(Bearer|Basic) realm="lading"', answer.fields["www-authenticate"])


@pytest.mark.parametrize("line", ["BREW /health", "get /metadata", "CONNECT /metadata", "CONNECT x:80", "GET metadata"])
def test_t023_what_is_no_request_is_none(house: House, line: str):
    assert house.ask(line).status == 400


@pytest.mark.parametrize("field", ["X-HTTP-Method-Override: GET", "X-Original-URL: /health", "X-Rewrite-URL: /health"])
def test_t023_no_field_changes_what_is_asked(house: House, field: str):
    assert house.ask("POST /predict", JSON, field, body=GOOD).status == 401
    assert house.ask("GET /metadata", field, "X-Forwarded-For: 127.0.0.1", "X-Forwarded-User: admin").status == 401


def test_t023_nobody_cannot_tell_what_there_is(house: House):
    native = ("/metadata", "/metrics", "/nowhere", "/predict", "/")
    double = "/v2/models/double"
    protocol = ("/v2", double, "/v2/models/none", f"{double}/ready", f"{double}/versions/1.0.0", "/v2/nowhere")
    for paths in (native, protocol):  # each refuses in its own form
        assert len({told(house.ask(f"GET {path}")) for path in paths}) == 1


def told(answer: Answer) -> tuple[int, tuple[tuple[str, str], ...], bytes]:
    """An answer without what differs each time."""
    changing = ("date", "x-request-id", "x-correlation-id", "retry-after")
    fields = tuple(sorted(each for each in answer.fields.items() if each[0] not in changing))
    return answer.status, fields, re.sub(rb"[0-9a-f]{32}", b"", answer.body)


def test_t023_nothing_else_listens(house: House):
    assert len(listeners(house.watched.pids)) == 1


# --- T023: before it is ready, and when it is no more

GATED = """\
import os

if os.path.exists({path!r}):
    open({path!r}).read()


def double(x: float) -> float:
    return 2 * x
"""


@pytest.fixture(params=["1", "2"])
def young(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Server, str, str, Path]]:
    """A server that asks for keys and is still loading; its URL, a key, and the gate that holds it."""
    import lading

    gate, config = tmp_path / "gate", tmp_path / "config" / "lading" / "keys.json"
    (tmp_path / "double.py").write_text(GATED.format(path=str(gate)))
    path = lading.pack(tmp_path / "double.py", path=tmp_path / "double-1.0.0.lading").path
    os.mkfifo(gate)
    key = create_key(config, "all", datetime.now(UTC), scopes=EVERYTHING)[1]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    environment = {
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_RUNTIME_DIR": str(tmp_path),
        "LADING_DRAIN_S": "1",
    }
    command = (str(path), "--port", str(port), "--auth", "keys", "--workers", request.param)
    server = Server(*command, log=tmp_path / "log", environment=environment)
    server.url = f"http://127.0.0.1:{port}"
    try:
        yield server, server.url, key, gate
    finally:
        server.end()


def _statuses(url: str, *fields: str) -> dict[str, int]:
    host, port = url.removeprefix("http://").split(":")
    lines = ("GET /health", "GET /ready", "GET /metrics", "GET /metadata", "POST /predict", "GET /nowhere")
    return {line: asked((host, int(port)), None, line, *fields).status for line in lines}


def _is_up(url: str) -> bool:
    try:
        return _statuses(url)["GET /health"] == 200
    except OSError:
        return False


def test_t023_nobody_is_told_more_while_it_loads_or_drains(young: tuple[Server, str, str, Path]):
    server, url, key, gate = young
    until(lambda: _is_up(url), "it listens")
    loading = _statuses(url)
    assert (loading.pop("GET /health"), loading.pop("GET /ready"), loading.pop("GET /metrics")) == (200, 503, 401)
    assert set(loading.values()) <= {401, 503}
    assert _statuses(url, bearer(key))["GET /metrics"] == 200
    assert len(listeners([server.process.pid])) == 1
    _let_go(gate)
    server.banner()
    assert set(_statuses(url).values()) == {200, 401}
    server.signal(signal.SIGTERM)
    until(lambda: _statuses(url)["GET /ready"] == 503, "it drains")
    assert _statuses(url) == dict.fromkeys(loading, 401) | {
        "GET /health": 200,
        "GET /ready": 503,
        "GET /metrics": 401,
    }
    assert server.wait() == 0


def _let_go(gate: Path) -> None:
    """Hold nobody any more."""
    writer = os.open(gate, os.O_RDWR)
    gate.unlink()
    os.close(writer)


# --- T024: somebody, but not for this


def test_t024_a_key_for_another_model_is_good_for_nothing_and_noted(house: House):
    start = house.watched.server.log_path.stat().st_size
    answers = [house.ask(f"{method} {path}", key="only-a") for method, path in _what_there_is()]
    assert {(answer.status, json.loads(answer.body).get("code")) for answer in answers} == {
        (403, "access.forbidden"),
        (403, None),
    }
    assert len({told(answer) for answer in answers}) == 2  # of problems, and of the protocol
    assert not any(word in answer.body for word in (b"double", b"only-a", b"predict:") for answer in answers)
    caller = f"key:{house.keys['only-a'][3:11]}"
    ids = {answer.fields["x-request-id"] for answer in answers}
    until(lambda: ids <= set(noted(house, start)), "all are noted")
    lines = noted(house, start)
    assert {(lines[each]["caller"], lines[each]["code"]) for each in ids} == {(caller, "access.forbidden")}


def _what_there_is() -> list[tuple[str, str]]:
    paths = [path for path in live_routes() if path not in (*HEALTH, "/oauth/token")]
    return [("GET", path) for path in paths] + [("POST", "/predict")]


def noted(house: House, start: int) -> dict[str, Any]:
    """What was logged of requests from a place on, by their ids."""
    lines = house.watched.server.log_path.read_bytes()[start:].split(b"\n")[:-1]
    entries = [json.loads(line) for line in lines if line.startswith(b"{")]
    return {entry["request_id"]: entry for entry in entries if "request_id" in entry}


def test_t024_what_it_may_it_may(house: House):
    assert {house.ask(f"GET {path}", key="all").status for path in ("/", "/metadata", "/metrics", "/schema")} == {200}
    assert house.predicts(key="all") == 200
    assert house.predicts(f"X-API-Key: {house.keys['all']}") == 200
    assert house.predicts(basic("alice", PASSWORD)) == 200


def test_t024_what_there_is_not_is_the_same_by_every_name(house: House):
    paths = ("/v2/models/%s", "/v2/models/%s/ready", "/v2/models/%s/versions/1.0.0", "/v2/models/%s/infer")
    answers = {told(house.ask(f"GET {path % name}", key="only-a")) for path in paths for name in ("double", "none")}
    assert len(answers) == 1
    assert answers.pop()[0] == 403
    answers = {told(house.ask(f"GET {path}", key="only-a")) for path in ("/nowhere", "/models/double", "/v2x")}
    assert len(answers) == 1
    assert answers.pop()[0] == 404


# --- T036: nothing but time could tell, which is looked at elsewhere


def test_t036_whatever_is_wrong_looks_the_same(house: House):
    source, key = new_source(), house.keys["all"]
    other = "a" if key[-10] != "a" else "b"
    wrong = [
        *(bearer(key[:-10] + other + key[-9:]), bearer(f"lk_00000000{key[11:]}"), bearer(key[:-1]), bearer(key + "a")),
        *(
            bearer(house.keys["ended"]),
            bearer("lt_e30.e30"),
            bearer("x"),
            bearer(key.upper()),
            f"X-API-Key: {key[:12]}",
        ),
        *(basic("alice", "wrong" * 4), basic("nobody", PASSWORD), basic("", PASSWORD), basic("alice", "a" * 300)),
        *(
            basic("ALICE", PASSWORD),
            basic("alice", f"{PASSWORD} "),
            basic("alice", "\0" * 12),
            "Authorization: Basic =",
        ),
        *(
            "Authorization: Bearer",
            "Authorization: Digest x",
            f"Authorization: Negotiate {key}",
            f"Authorization: {key}",
        ),
        *(f"Authorization: Bearer  {key} {key}", f"Authorization: Bearer {key}\r\nX-API-Key: {key}", "X-API-Key: \xe9"),
    ]
    answers = {told(house.ask("POST /predict", JSON, field, body=GOOD, source=source)) for field in wrong}
    assert len(answers) == 1
    assert answers.pop()[0] == 401


# --- T037: no secret is anywhere


def token_of(house: House, *, key: str = "all", source: str = "127.0.0.1") -> str:
    """A token that the endpoint gives for a key."""
    answer = grant(house, basic(house.keys[key][3:11], house.keys[key]), source=source)
    assert answer.status == 200, answer.body
    return str(json.loads(answer.body)["access_token"])


def grant(house: House, *lines: str, form: str = "grant_type=client_credentials", source: str = "127.0.0.1") -> Answer:
    """What the token endpoint says."""
    kind = "Content-Type: application/x-www-form-urlencoded"
    return house.ask("POST /oauth/token", kind, *lines, body=form.encode(), source=source)


def secrets_of(house: House) -> list[str]:
    """All of them, each used, and the forms in which they were sent."""
    token, login = token_of(house), basic("alice", PASSWORD)
    assert house.predicts(bearer(token)) == house.predicts(login) == 200
    private = [
        line for path in house.secret_files if path.suffix == ".key" for line in path.read_text().split("\n")[1:3]
    ]
    keys = [part for text in house.keys.values() for part in (text, text[12:34])]
    wrong = bearer(f"lk_{'wr0ng5ecre7' * 4}"), basic("alice", "wr0ng pa55word")
    assert {house.predicts(each, source=new_source()) for each in wrong} == {401}
    sent = [field.rpartition(" ")[2] for field in (login, *wrong)]
    for line in (f"GET /{token}", f"GET /predict?api_key={token}", f"GET /predict?{token}=1", f"POST /predict/{token}"):
        assert house.ask(line, key="all").status in (400, 404, 405, 422)
    return [token, token[3:], PASSWORD, TOKEN_SECRET, "wr0ng pa55word", *private, *keys, *sent]


def test_t037_no_secret_is_anywhere_but_in_its_file(house: House):
    secrets = [secret.encode() for secret in secrets_of(house)]
    places = {str(path): path.read_bytes() for path in house.watched.folder.rglob("*") if path.is_file()}
    for path in house.secret_files:
        kept = places.pop(str(path))
        assert any(secret in kept for secret in secrets)
    for pid in house.watched.pids:
        for name in ("environ", "cmdline"):
            places[f"{pid}/{name}"] = Path(f"/proc/{pid}/{name}").read_bytes()
    for path in ("/metrics", "/metadata", "/openapi.json", "/"):
        places[path] = house.ask(f"GET {path}", key="all").body
    places["log"] = house.watched.server.log_path.read_bytes()
    assert b"everything is logged" in places["log"]
    assert [(name, secret) for name, data in places.items() for secret in secrets if secret in data] == []


def test_t037_nor_in_what_a_crash_leaves(house: House):
    secrets = [secret.encode() for secret in secrets_of(house)]
    pids = workers(house.watched.server.process.pid)
    if not pids:
        pytest.skip("one process does all: nobody takes its place")
    os.kill(pids[0], signal.SIGSEGV)
    until(lambda: pids[0] not in workers(house.watched.server.process.pid), "it has crashed")
    until(lambda: len(workers(house.watched.server.process.pid)) == len(pids), "another one is there")
    log = house.watched.server.log_path.read_bytes()
    assert b"Fatal Python error: Segmentation fault" in log
    assert [secret for secret in secrets if secret in log] == []
    until(lambda: house.predicts(key="all") == 200, "it serves")


# --- T038: those who try


def test_t038_who_tries_keys_is_told_to_wait_and_nobody_else(house: House, many: Many):
    bad, good = new_source(), new_source()
    tries = [house.ask("GET /metadata", bearer(f"lk_{n:08x}_x"), source=bad) for n in range(many(100, 10_000))]
    count = Counter(answer.status for answer in tries)
    assert set(count) == {401, 429}
    assert 54 <= count[401] <= 70
    refusal = tries[-1]
    assert refusal.status == 429
    assert 1 <= int(refusal.fields["retry-after"]) <= 60
    assert house.predicts(bearer("lk_x"), source=good) == 401
    assert [house.predicts(key="all", source=each) for each in (bad, good)] == [200, 200]
    assert grant(house, basic("x", "y"), source=bad).status == 429
    assert house.predicts(basic("alice", "wrong" * 4), source=bad) == 429


@contextlib.contextmanager
def measured(house: House) -> Iterator[dict[str, float]]:
    """Asks for predictions while the block runs; then the slowest tenth, and by how much memory grew at most."""
    found, is_over = {"grown": 0.0}, threading.Event()
    pids, times = house.watched.pids, []
    before = sum(map(private_bytes, pids))

    def measure() -> None:
        while not is_over.is_set():
            start = time.monotonic()
            assert house.predicts(key="all") == 200
            times.append(time.monotonic() - start)
            found["grown"] = max(found["grown"], sum(map(private_bytes, pids)) - before)

    with ThreadPoolExecutor(1) as threads:
        measuring = threads.submit(measure)
        try:
            yield found
        finally:
            is_over.set()
            measuring.result()
    found["slow"] = sorted(times)[len(times) * 9 // 10]


def test_t038_passwords_at_once_take_no_more_memory_than_two_in_each_process(
    house: House, many: Many, request: pytest.FixtureRequest
):
    count = many(60, 1000)
    sources = [new_source() for _ in range(1 + count // 30)]

    def attempt(number: int) -> Answer:
        field = basic("alice", f"wrong password {number}")
        return house.ask("POST /predict", JSON, field, body=GOOD, source=sources[number // 30])

    with measured(house) as found, ThreadPoolExecutor(count) as threads:
        answers = list(threads.map(attempt, range(count)))
    assert {answer.status for answer in answers} <= {401, 503, 429}
    assert all(int(answer.fields["retry-after"]) >= 1 for answer in answers if answer.status != 401)
    processes = WORKERS[request.node.callspec.params["house"]]
    assert found["grown"] < (2 * 64 * processes + 32) * MIB
    assert found["slow"] < NORMAL_S


def test_t038_the_right_password_is_hashed_once_whoever_waits(house: House):
    with ThreadPoolExecutor(50) as threads:
        answers = threads.map(lambda _: house.predicts(basic("alice", PASSWORD)), range(50))
        assert set(answers) == {200}


def test_t038_strange_passwords(house: House):
    source = new_source()
    statuses = {
        password: house.predicts(basic("alice", password), source=source)
        for password in (
            "a" * MIB,
            "a" * 20_000,
            "a" * 5000,
            f"{PASSWORD}\0",
            "\0",
            "ü" * 200,
            "correct ho\u0308rse battery",
        )
    }
    assert list(statuses.values()) == [431, 431, 401, 401, 401, 401, 200]
    assert house.watched.pids


# --- T040: tokens over the wire


def test_t040_a_token_is_given_and_good_and_kept_by_nobody(house: House):
    answer = grant(
        house,
        basic(house.keys["all"][3:11], quote(house.keys["all"])),
        form="grant_type=client_credentials&scope=metrics",
    )
    body = json.loads(answer.body)
    assert (answer.status, body["scope"], body["token_type"]) == (200, "metrics", "Bearer")
    assert (answer.fields["cache-control"], answer.fields["pragma"]) == ("no-store", "no-cache")
    assert house.ask("GET /metrics", bearer(body["access_token"])).status == 200
    assert house.predicts(bearer(body["access_token"])) == 403  # never more than was asked for
    assert house.predicts(bearer(token_of(house))) == 200


def test_t040_what_is_refused_is_refused_in_the_words_of_the_standard(house: House):
    source, good = new_source(), basic(house.keys["only-a"][3:11], house.keys["only-a"])
    bad = grant(house, basic("x", "y"), source=source)
    assert (bad.status, json.loads(bad.body)["error"]) == (401, "invalid_client")
    assert bad.fields["www-authenticate"].startswith("Basic ")
    assert bad.fields["cache-control"] == "no-store"
    wide = grant(house, good, form="grant_type=client_credentials&scope=metrics")
    assert (wide.status, json.loads(wide.body)["error"]) == (400, "invalid_scope")
    assert house.ask("GET /oauth/token", good).status == 405


# --- T042: what is taken away, and what is given


class Load:
    """Callers who ask again and again, each on a connection that it keeps; the answers with their times."""

    def __init__(self, house: House, key: str, clients: int) -> None:
        self.house, self.key, self.answers = house, key, list[tuple[float, int]]()
        self.is_over = threading.Event()
        self.threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(clients)]

    def _ask(self) -> None:
        fields = {"Authorization": f"Bearer {self.house.keys[self.key]}", "Content-Type": "application/json"}
        connection = http.client.HTTPConnection(*self.house.watched.address)
        connection.sock = self.house.watched.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # head and body are sent one by one
        while not self.is_over.is_set():
            connection.request("POST", "/predict", GOOD, fields)
            response = connection.getresponse()
            response.read()
            self.answers.append((time.monotonic(), response.status))
        connection.close()

    def __enter__(self) -> "Load":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.is_over.set()
        for thread in self.threads:
            thread.join(60)

    def statuses(self, start: float = 0, end: float = float("inf")) -> Counter[int]:
        """How often each was answered in this time."""
        return Counter(status for at, status in self.answers if start <= at < end)


def test_t042_a_key_that_is_revoked_is_refused_everywhere_within_seconds(house: House):
    path, token = house.folder / "keys.json", token_of(house, key="leaving")
    with Load(house, "leaving", 4) as leaving, Load(house, "all", 2) as staying:
        until(lambda: len(leaving.answers) > 50, "they are served")
        began = time.monotonic()
        revoke_key(path, "leaving", datetime.now(UTC))
        until(lambda: leaving.answers[-1][1] == 401, "it is refused")
        until(lambda: time.monotonic() > began + REVOKED_S + 0.5, "a while")
    assert set(leaving.statuses(end=began)) == {200}
    assert set(leaving.statuses(start=began + REVOKED_S)) <= {401, 429}  # in the end it has brought too many bad ones
    assert set(staying.statuses()) == {200}
    assert house.predicts(bearer(token), source=new_source()) == 401  # it dies with its key


def test_t042_a_new_key_is_taken_within_seconds(house: House):
    key = create_key(house.folder / "keys.json", "new", datetime.now(UTC), scopes=EVERYTHING)[1]
    house.keys["new"] = key
    with Load(house, "new", 4) as load:
        until(lambda: {status for _, status in load.answers[-500:]} == {200}, "it is taken", limit_s=REVOKED_S)


# --- T050: nobody's body, inside TLS too


def test_t050_a_body_without_end_of_nobody_is_refused_before_it_is_read(house: House):
    pids = house.watched.pids
    for framing in ("Transfer-Encoding: chunked", f"Content-Length: {1 << 30}"):
        head = f"POST /predict HTTP/1.1\r\nHost: x\r\n{JSON}\r\n{framing}\r\n\r\n".encode()
        before = sum(map(private_bytes, pids))
        with house.watched.connect() as connection:
            start = time.monotonic()
            connection.sendall(head)
            assert connection.recv(1 << 16).startswith(b"HTTP/1.1 401 ")
            assert time.monotonic() - start < NORMAL_S
            _push(connection)
            assert time.monotonic() - start < CLOSED_S
        assert sum(map(private_bytes, pids)) - before < MAX_GROWTH_BYTES


def _push(connection: socket.socket) -> None:
    """Send a body until the connection is closed."""
    chunk, end = b"10000\r\n" + b" " * 65_536 + b"\r\n", time.monotonic() + CLOSED_S + 0.5
    with contextlib.suppress(OSError):
        while time.monotonic() < end:
            connection.send(chunk)


# --- T081: a quota is one, however many processes there are


def test_t081_a_quota_is_shared_and_another_caller_does_not_notice(house: House):
    with Load(house, "modest", 16) as modest, Load(house, "other", 1) as other:
        until(lambda: modest.statuses()[429] > 200, "it is spent")
        time_s = modest.answers[-1][0] - modest.answers[0][0]
    refilled = 5 * (time_s + 1)
    assert set(modest.statuses()) == {200, 429}
    assert 270 <= modest.statuses()[200] <= 330 + refilled
    assert set(other.statuses()) == {200}
    answer = house.ask("POST /predict", JSON, key="modest", body=GOOD)
    assert answer.status == 429
    assert int(answer.fields["retry-after"]) >= 1
