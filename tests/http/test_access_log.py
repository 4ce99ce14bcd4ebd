"""The log: one entry a request, with ids, route, rows, status and duration, and never a value."""

import asyncio
import logging
from typing import Any

import pytest

from lading.http.access_log import AccessLog, Entry, text_line
from lading.http.accounts import frames_of

Client = Any


@pytest.fixture(autouse=True)
def _info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "lading")


@pytest.fixture
def entries(caplog: pytest.LogCaptureFixture) -> Any:
    """Gives what was logged of requests so far."""
    return lambda: [entry for record in caplog.records for entry in getattr(record, "entries", ())]


def entry(**changes: Any) -> Entry:
    told = {"method": "POST", "route": "/predict", "status": 200, "rows": 3, "request_id": "a", "correlation_id": "a"}
    return Entry(**{"time": "", "duration_ms": 1.26} | told | changes)


# --- what is logged


def test_each_request_is_logged_once(client: Client, entries: Any):
    client.post("/predict", json=[{"x": 1}, {"x": 2}], headers={"X-Request-ID": "mine", "X-Correlation-ID": "ours"})
    (logged,) = entries()
    assert (logged.method, logged.route, logged.status, logged.rows) == ("POST", "/predict", 200, 2)
    assert (logged.request_id, logged.correlation_id, logged.code) == ("mine", "ours", "")
    assert 0 < logged.duration_ms < 20_000


@pytest.mark.parametrize(
    ("method", "url", "route", "status", "code"),
    [
        ("GET", "/predict?x=1", "/predict", 200, ""),
        ("GET", "/predict?y=1", "/predict", 422, "schema.invalid"),
        ("GET", "/predict?x", "/predict", 400, "input.query"),
        ("POST", "/predict", "/predict", 415, "input.content_type"),
        ("GET", "/health", "/health", 200, ""),
        ("GET", "/metadata", "/metadata", 200, ""),
        ("GET", "/", "/", 200, ""),
        ("GET", "/secret/path?token=secret", "unknown", 404, "route.unknown"),
        ("DELETE", "/health", "/health", 405, "route.method"),
        ("SECRET", "/health", "/health", 405, "route.method"),
    ],
)
def test_a_request_is_logged_by_its_route_and_code(
    client: Client, entries: Any, method: str, url: str, route: str, status: int, code: str
):
    client.request(method, url)
    (logged,) = entries()
    assert (logged.route, logged.status, logged.code) == (route, status, code)
    assert logged.method == ("OTHER" if method == "SECRET" else method)


def test_what_is_logged_holds_no_value(client: Client, caplog: pytest.LogCaptureFixture):
    canary = "Cn4rY7711"
    client.post("/predict", json={"x": canary})
    client.post(f"/predict?{canary}=1", json={"x": 1})
    client.get(f"/{canary}?x={canary}", headers={"user-agent": canary, "cookie": canary})
    client.post("/predict", content=canary, headers={"content-type": canary})
    client.get("/predict?x=7711.25")
    assert len(caplog.records) == 5
    for record in caplog.records:
        assert canary not in f"{record.getMessage()} {record.__dict__}"
        assert "7711.25" not in f"{record.getMessage()} {record.__dict__}"


def test_requests_of_one_turn_are_one_record(client: Client, caplog: pytest.LogCaptureFixture, entries: Any):
    client.post_all("/predict", [{"x": n} for n in range(20)])
    assert len(entries()) == 20
    assert len(caplog.records) < 20


def test_the_log_outlives_an_event_loop_that_ended_at_once(caplog: pytest.LogCaptureFixture, entries: Any):
    log = AccessLog()

    async def add() -> None:
        log.add(entry())

    for _ in range(3):
        asyncio.run(add())
    assert len(entries()) == 3


def test_where_nobody_listens_nothing_is_kept(caplog: pytest.LogCaptureFixture, entries: Any):
    caplog.set_level(logging.WARNING, "lading")
    log = AccessLog()

    async def add() -> None:
        log.add(entry())

    asyncio.run(add())
    assert (entries(), log._entries) == ([], [])


# --- as text


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "200 POST /predict  3 rows  1.3 ms  a"),
        ({"rows": 1}, "200 POST /predict  1 row  1.3 ms  a"),
        ({"rows": 0, "status": 404, "code": "route.unknown"}, "404 POST /predict  1.3 ms  a  route.unknown"),
        ({"correlation_id": "b"}, "200 POST /predict  3 rows  1.3 ms  a for b"),
    ],
)
def test_an_entry_as_people_read_it(changes: dict[str, Any], line: str):
    assert text_line(entry(**changes)) == line


# --- tracebacks


def caught(raise_it: Any) -> Exception:
    with pytest.raises(Exception) as raised:  # noqa: PT011
        raise_it()
    return raised.value


def test_a_traceback_has_kinds_files_and_lines_and_no_words():
    def fail() -> None:
        value = "secret"
        try:
            raise KeyError(value)
        except KeyError as error:
            raise ValueError(f"no {value}") from error

    text = frames_of(caught(fail))
    assert text.startswith("ValueError\n")
    assert "\ncaused by KeyError\n" in text
    assert f'File "{__file__}"' in text
    assert "no secret" not in text


def test_a_traceback_tells_the_context_unless_it_was_suppressed():
    def fail(*, hide: bool) -> None:
        try:
            raise KeyError
        except KeyError:
            if hide:
                raise ValueError from None
            raise ValueError  # noqa: B904

    assert "KeyError\n" in frames_of(caught(lambda: fail(hide=False)))
    assert frames_of(caught(lambda: fail(hide=True))).count("KeyError\n") == 0


def test_what_nobody_serves_leaves_no_traceback_in_the_log(client: Client, caplog: pytest.LogCaptureFixture):
    client.get("/nowhere")
    client.request("DELETE", "/health")
    client.post("/predict", json={})
    assert [record.levelname for record in caplog.records] == ["INFO"] * 3


def test_a_traceback_of_an_error_that_causes_itself_ends():
    def fail() -> None:
        error = ValueError()
        raise error from error

    assert frames_of(caught(fail)).count("ValueError\n") == 1
