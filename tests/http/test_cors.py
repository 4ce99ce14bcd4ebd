"""Pages of other origins, on both roads: those that are named may read the answers, and no others."""

import asyncio
from collections.abc import Callable, Iterator
from email.message import Message
from email.parser import BytesParser
from typing import Any, NamedTuple

import pytest
from tests.http.roads import Road

from .conftest import make

OURS, THEIRS = "https://app.example.com", "https://evil.example"
ALLOWED = f"{OURS}, http://localhost:3000"
STRANGE = (
    THEIRS,
    "null",
    f"{OURS}.evil.example",
    f"{OURS}:8443",
    OURS.upper(),
    OURS.replace("s:", ":"),
    f"{OURS}/",
    "*",
)


class Told(NamedTuple):
    """Status, fields and body of an answer."""

    status: int
    fields: Message
    body: bytes


Ask = Callable[..., Told]


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(params=[True, False], ids=["lane", "ordinary"])
def ask(request: pytest.FixtureRequest, double: Any, runner: asyncio.Runner) -> Ask:
    """Asks a service that lets two origins read."""
    app = make(double, cors_origins=ALLOWED)

    def ask(*fields: str, line: str = "POST /predict", body: bytes = b'{"x": 1.5}', app: Any = app) -> Told:
        lines = [f"{line} HTTP/1.1", "host: x", "content-type: application/json", f"content-length: {len(body)}"]
        data = "\r\n".join([*lines, *fields, "", ""]).encode() + body
        head, _, answer = runner.run(Road(app, lane=request.param).tell([data])).raw.partition(b"\r\n\r\n")
        first, _, rest = head.partition(b"\r\n")
        return Told(int(first.split(b" ")[1]), BytesParser().parsebytes(rest + b"\r\n\r\n"), answer)

    return ask


def preflight(ask: Ask, origin: str, method: str = "POST", *fields: str, path: str = "/predict") -> Told:
    asked = f"access-control-request-method: {method}"
    return ask(f"origin: {origin}", asked, *fields, line=f"OPTIONS {path}", body=b"")


@pytest.mark.parametrize("origin", [OURS, "http://localhost:3000"])
def test_a_page_that_is_named_may_read_the_answer(ask: Ask, origin: str):
    answer = ask(f"origin: {origin}")
    assert answer.status == 200
    assert answer.body.startswith(b'{"prediction":3.0,')
    assert answer.fields.get_all("access-control-allow-origin") == [origin]
    assert "Origin" in answer.fields["vary"]
    assert "x-request-id" in answer.fields["access-control-expose-headers"]


@pytest.mark.parametrize("origin", STRANGE)
def test_no_other_page_may(ask: Ask, origin: str):
    for answer in (ask(f"origin: {origin}"), preflight(ask, origin)):
        assert "access-control-allow-origin" not in answer.fields
    assert preflight(ask, origin).status == 400


def test_nothing_is_ever_sent_along_by_the_browser_itself(ask: Ask, double: Any):
    anybody = make(double, cors_origins="*")
    answers = [ask(f"origin: {OURS}"), preflight(ask, OURS), ask(f"origin: {THEIRS}", app=anybody)]
    assert [answer.fields["access-control-allow-origin"] for answer in answers] == [OURS, OURS, "*"]
    assert all("access-control-allow-credentials" not in answer.fields for answer in answers)


def test_a_preflight_says_what_may_be_sent(ask: Ask):
    answer = preflight(ask, OURS, "POST", "access-control-request-headers: authorization,content-type,x-api-key")
    assert answer.status == 200
    assert answer.fields["access-control-allow-methods"] == "GET, HEAD, POST"
    allowed = answer.fields["access-control-allow-headers"].lower().split(", ")
    assert {"authorization", "content-type", "x-api-key", "x-request-id"} <= set(allowed)


@pytest.mark.parametrize(
    ("method", "field"), [("DELETE", ""), ("PUT", ""), ("POST", "access-control-request-headers: cookie")]
)
def test_a_preflight_for_more_is_refused(ask: Ask, method: str, field: str):
    assert preflight(ask, OURS, method, *filter(None, [field])).status == 400


def test_a_preflight_needs_no_credentials_and_tells_nothing(ask: Ask, double: Any):
    secret = make(double, cors_origins=ALLOWED, authenticators=[_Nobody()])
    told = [
        ask(f"origin: {OURS}", "access-control-request-method: GET", line=f"OPTIONS {path}", body=b"", app=secret)
        for path in ("/predict", "/metrics", "/nowhere")
    ]
    assert {(answer.status, answer.body) for answer in told} == {(200, b"OK")}
    assert ask(f"origin: {OURS}", line="OPTIONS /predict", body=b"", app=secret).status == 401
    assert ask(f"origin: {OURS}", app=secret).status == 401


class _Nobody:
    """Lets nobody in."""

    challenge = 'Bearer realm="test"'

    def takes(self, credentials: object) -> bool:
        return False

    def refresh(self) -> bool:
        return False


def test_without_the_setting_origins_mean_nothing(ask: Ask, double: Any):
    plain = make(double)
    answer = ask(f"origin: {OURS}", app=plain)
    assert answer.status == 200
    assert not any(name.lower().startswith("access-control") for name in answer.fields)
    refused = ask(
        f"origin: {OURS}", "access-control-request-method: POST", line="OPTIONS /predict", body=b"", app=plain
    )
    assert refused.status == 405


@pytest.mark.parametrize(
    ("line", "body"), [("POST /predict", b'{"x": "a"}'), ("POST /predict", b"{"), ("GET /nowhere", b"")]
)
def test_a_page_that_is_named_may_read_a_refusal_too(ask: Ask, line: str, body: bytes):
    answer = ask(f"origin: {OURS}", line=line, body=body)
    assert answer.status in (400, 404, 422)
    assert answer.fields["access-control-allow-origin"] == OURS


def test_both_roads_say_the_same_to_who_has_no_origin(double: Any, runner: asyncio.Runner):
    request = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n"
    app = make(double, cors_origins=ALLOWED)
    one, other = (runner.run(Road(app, lane=lane).tell([request + b'{"x": 1.5}'])).data for lane in (True, False))
    assert one == other
