"""Bodies: bounded in bytes before they are kept, and in time; a caller who still sends gets to read the refusal."""

import asyncio
from typing import Any

import pytest
from starlette.requests import ClientDisconnect

from lading.http import body as body_module
from lading.http.body import BodyTooLarge, linger, read_body
from lading.http.problems import HttpError

pytestmark = pytest.mark.anyio


def scope(*length: bytes) -> dict[str, Any]:
    return {"type": "http", "headers": [(b"content-length", value) for value in length]}


class Sender:
    """What a caller sends, part by part; after the last it says nothing more, or leaves."""

    def __init__(self, *parts: bytes, leaves: bool = False, ends: bool = True) -> None:
        self._left = [*parts]
        self._leaves = leaves
        self._ends = ends
        self.taken = 0

    async def __call__(self) -> dict[str, Any]:
        if self._left:
            self.taken += 1
            part = self._left.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(self._left) or not self._ends}
        if self._leaves:
            return {"type": "http.disconnect"}
        await asyncio.Event().wait()
        raise AssertionError


async def read(sender: Sender, *length: bytes, max_bytes: int = 10, max_s: float = 60.0) -> bytes:
    reading = read_body(scope(*length), sender, max_bytes=max_bytes, max_s=max_s, max_expansion=100.0)
    return await asyncio.wait_for(reading, 20)


@pytest.mark.parametrize("parts", [(b"",), (b"abc",), (b"ab", b"", b"c"), (b"12345", b"67890"), (b"1234567890",)])
async def test_a_body_within_the_bound_is_read_whole(parts: tuple[bytes, ...]):
    assert await read(Sender(*parts)) == b"".join(parts)
    assert await read(Sender(*parts), b"%d" % len(b"".join(parts))) == b"".join(parts)


@pytest.mark.parametrize("length", [b"11", b"104857600", b"9" * 30])
async def test_a_body_that_says_it_is_too_large_is_not_begun(length: bytes):
    sender = Sender(b"1")
    with pytest.raises(BodyTooLarge, match="more than 10 bytes"):
        await read(sender, length)
    assert sender.taken == 0


async def test_a_body_that_does_not_say_is_refused_at_the_part_that_is_too_much():
    sender = Sender(b"12345", b"67890", b"1", b"more", b"and more")
    with pytest.raises(BodyTooLarge):
        await read(sender)
    assert sender.taken == 3


async def test_a_body_that_lies_about_its_length_is_bounded_too():
    with pytest.raises(BodyTooLarge):
        await read(Sender(b"12345678901"), b"5")


@pytest.mark.parametrize("length", [(), (b"9",)])
async def test_a_body_that_takes_too_long_is_refused(length: tuple[bytes, ...]):
    with pytest.raises(HttpError) as raised:
        await read(Sender(b"123", ends=False), *length, max_s=0.02)
    assert (raised.value.status, raised.value.code) == (408, "input.too_slow")
    assert raised.value.headers == {"Connection": "close"}


@pytest.mark.parametrize(
    ("length", "max_bytes", "max_s", "allowed"),
    [
        ((b"0",), 8 << 20, 60.0, 10.0),
        ((b"262144",), 8 << 20, 60.0, 11.0),
        ((b"8388608",), 8 << 20, 60.0, 42.0),
        ((), 8 << 20, 60.0, 42.0),
        ((), 1 << 30, 60.0, 60.0),
        ((b"0",), 8 << 20, 3.0, 3.0),
    ],
)
async def test_a_body_may_take_ten_seconds_and_one_for_each_256_kib(
    monkeypatch: pytest.MonkeyPatch, length: tuple[bytes, ...], max_bytes: int, max_s: float, allowed: float
):
    asked: list[float] = []

    def timeout(seconds: float) -> Any:
        asked.append(seconds)
        return asyncio.timeout(20)

    monkeypatch.setattr(body_module, "asyncio", type("Clock", (), {"timeout": staticmethod(timeout)}))
    await read(Sender(b""), *length, max_bytes=max_bytes, max_s=max_s)
    assert asked == [allowed]


async def test_a_caller_who_leaves_in_the_midst_is_gone():
    with pytest.raises(ClientDisconnect):
        await read(Sender(b"123", ends=False, leaves=True))


# --- what a refusal leaves unread


async def test_what_is_still_sent_is_read_and_thrown_away():
    sender = Sender(*[b"x" * 1000] * 50)
    await asyncio.wait_for(linger(sender), 20)
    assert sender.taken == 50


async def test_a_caller_who_leaves_ends_the_reading():
    await asyncio.wait_for(linger(Sender(b"x", ends=False, leaves=True)), 20)


async def test_a_caller_who_never_ends_is_not_waited_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(body_module, "_LINGER_S", 0.02)
    await asyncio.wait_for(linger(Sender(b"x", ends=False)), 20)


# --- through the application


JSON = (b"content-type", b"application/json")


async def test_the_refusal_is_complete_before_the_rest_is_read(app: Any, raw: Any, make_http_app: Any, double: Any):
    app = make_http_app(double, max_body_bytes=4)
    request = raw(b"12345", b"6", b"7", b"8")
    answer = await request.run(app.asgi)
    assert (answer.status, answer.headers["connection"]) == (413, "close")
    assert b"the body has more than 4 bytes" in answer.body
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert request.received == 4
    assert answer.is_complete


async def test_a_declared_length_beyond_the_limit_is_refused_unread(raw: Any, make_http_app: Any, double: Any):
    app = make_http_app(double, max_body_bytes=4)
    request = raw(b"12", headers=[JSON, (b"content-length", b"5")])
    assert (await request.run(app.asgi)).status == 413


async def test_a_body_of_just_the_limit_is_taken(raw: Any, make_http_app: Any, double: Any):
    app = make_http_app(double, max_body_bytes=8)
    assert (await raw(b'{"x"', b": 1}").run(app.asgi)).status == 200
    assert (await raw(b'{"x": 1} ').run(app.asgi)).status == 413


async def test_a_body_that_never_ends_is_refused_in_time(raw: Any, make_http_app: Any, double: Any):
    app = make_http_app(double, body_timeout_s=0.02)
    request = raw()
    request.messages = [{"type": "http.request", "body": b"{", "more_body": True}]
    answer = await request.run(app.asgi)
    assert (answer.status, answer.headers["connection"]) == (408, "close")


async def test_nothing_is_read_where_nothing_can_be_answered(raw: Any, make_http_app: Any):
    request = raw(b"123", b"456")
    assert (await request.run(make_http_app(None).asgi)).status == 503
    assert request.received == 0
