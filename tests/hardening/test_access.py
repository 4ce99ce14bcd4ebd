"""Who is let in: whole servers that ask for keys, tokens and passwords, with real requests from several addresses."""

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
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from tests.conftest import SCALE
from tests.serve.conftest import Server
from tests.serve.family import private_bytes, until, workers

from lading.access.access import Access
from lading.access.key_file import create_key, revoke_key
from lading.access.rates import Rates
from lading.access.token_grant import Token
from lading.http.accounts import Accounts
from lading.http.app import make_app
from lading.monitor.counters import SharedCounters
from lading.monitor.slots import Slots
from lading.service import Service
from lading.settings import Settings

from .house import EVERYTHING, GOOD, JSON, PASSWORD, TOKEN_SECRET, Answer, House, asked, basic, bearer, new_source, opened
from .oracle import NORMAL_S, listeners

Many = Callable[[int, int], int]
MIB = 1 << 20
REVOKED_S = 3.0
"""Documented are two."""
HOUSES = {
    "production, lane, workers": ("production", "--lane", "--workers", "4" if SCALE == "full" else "2"),
    "TLS, ASGI, one process": ("tls", "--no-lane", "--workers", "1"),
}
WORKERS = {name: int(options[-1]) for name, options in HOUSES.items()}


@pytest.fixture(scope="module", params=HOUSES)
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    yield from opened(tmp_path_factory.mktemp("house"), *HOUSES[request.param])


# --- T023: every route, every method, nobody

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "SEARCH", "PURGE", "M-SEARCH")
ELSEWHERE = (
    *("/nowhere", "/docs", "/redoc", "/admin", "/v2", "/v2/models/double/infer", "/v2/models/none/infer", "/v2/health/live"),
    *("/reload", "/models", "/keys", "/favicon.ico", "/health/", "/health/x", "/ready/", "/HEALTH", "//health", "/health;x"),
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


def wanted(method: str, path: str) -> int:
    """The status for nobody."""
    if path in ("/health", "/ready"):
        return 200 if method in ("GET", "HEAD") else 405
    if path == "/oauth/token" and method != "POST":
        return 405
    return 401


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
    paths = ("/metadata", "/metrics", "/nowhere", "/predict", "/v2/models/double", "/")
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
        "LADING_DRAIN_S": "2",
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
    gate.unlink()  # what is started from now on is not held, and who waits is let go
    gate.with_name("let go").touch()
    _release(server, gate)
    server.banner()
    assert set(_statuses(url).values()) == {200, 401}
    server.signal(signal.SIGTERM)
    until(lambda: _statuses(url)["GET /ready"] == 503, "it drains")
    assert _statuses(url) == {line: 401 for line in loading} | {"GET /health": 200, "GET /ready": 503, "GET /metrics": 401}
    assert server.wait() == 0


def _release(server: Server, gate: Path) -> None:
    """Let go whoever waits in opening the gate, which has no name any more."""
    raise NotImplementedError
