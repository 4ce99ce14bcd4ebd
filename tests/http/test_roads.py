"""Whichever road a request takes, its answer is the same, to the byte."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.conftest import SCALE
from tests.http.roads import Road, Told, Wire

from .conftest import make

GOOD = b'{"x": 1.5}'
HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


@pytest.fixture(scope="module")
def roads(double: Any) -> Iterator[tuple[asyncio.Runner, Road, Road]]:
    """The lane and the ordinary road, each before a service of its own."""
    with asyncio.Runner() as runner:
        pair = []
        for lane in (True, False):
            app = make(double)
            pair.append(Road(app, lane=lane))
        yield runner, *pair


def request(body: bytes = GOOD, head: bytes = HEAD) -> bytes:
    return (head % len(body) if b"%d" in head else head) + body


def both(roads: Any, portions: Sequence[bytes], **options: Any) -> tuple[Told, Told]:
    runner, lane, ordinary = roads
    return tuple(runner.run(road.tell(portions, **options)) for road in (lane, ordinary))


# --- any request

BODIES = st.sampled_from(
    [
        GOOD,
        b'{"x": 11}',
        b'[{"x": 1}, {"x": 2}]',
        b'{"X": [[1], [2]]}',
        b'{"x": "a"}',
        b"{}",
        b"",
        b"[]",
        b"nul",
        b"[" * 99,
        b'{"x": 1e400}',
        b'{"x": NaN}',
        b'{"x": 1, "x": 2}',
        b'{"y": 1}',
        b'{"x": null}',
        b"\xff\xfe",
        b' {"x":1} ',
    ]
) | st.binary(max_size=30)
METHODS = st.sampled_from([b"POST"] * 8 + [b"GET", b"PUT", b"HEAD", b"post", b"BREW"])
TARGETS = st.sampled_from(
    [b"/predict"] * 8
    + [b"/predict?proba=1", b"/predict?x=1", b"/predict/", b"/", b"/health", b"*", b"//predict", b"/%70redict"]
    + [b"http://x/predict", b"/predict#a"]
)
VERSIONS = st.sampled_from([b"HTTP/1.1"] * 9 + [b"HTTP/1.0", b"HTTP/2.0", b"HTTP/1.2"])
FIELDS = st.sampled_from(
    [
        (b"Accept", b"*/*"),
        (b"Accept", b"application/json"),
        (b"Accept", b"text/html, text/csv;q=0.5, */*;q=0.4"),
        (b"Accept", b"application/json, text/plain, */*"),
        (b"Accept", b"text/csv"),
        (b"accept", b"text/*;q=0.9, application/json;q=0"),
        (b"Accept", b"text/css;q=, ,"),
        (b"Connection", b"close"),
        (b"Connection", b"keep-alive"),
        (b"Connection", b"upgrade"),
        (b"Content-Encoding", b"gzip"),
        (b"Content-Encoding", b"identity"),
        (b"Content-Length", b"3"),
        (b"Content-Length", b"+3"),
        (b"Content_Length", b"3"),
        (b"Content-Type", b"text/csv"),
        (b"Content-Type", b"application/json; charset=utf-8"),
        (b"Expect", b"100-continue"),
        (b"Host", b"y"),
        (b"Transfer-Encoding", b"chunked"),
        (b"Upgrade", b"h2c"),
        (b"X-Correlation-ID", b"group"),
        (b"X-Request-ID", b"mine"),
        (b"X-Request-ID", b"a\tb"),
        (b"X-Request-Timeout-Ms", b"1000"),
        (b"X-Request-Timeout-Ms", b"0"),
        (b"X-Request-Timeout-Ms", b"soon"),
        (b"X-Strange", b"\xff"),
        (b"X Y", b"z"),
    ]
)


@st.composite
def messages(draw: Any) -> bytes:
    """One request, plain or strange."""
    body = draw(BODIES)
    fields = [(b"Host", b"x"), (b"Content-Type", b"application/json"), (b"Content-Length", b"%d" % len(body))]
    left_out = draw(st.sampled_from([None] * 8 + [0, 1, 2]))
    fields = [each for position, each in enumerate(fields) if position != left_out]
    fields += draw(st.lists(FIELDS, max_size=2))
    fields = draw(st.permutations(fields))
    line = b"%b %b %b" % (draw(METHODS), draw(TARGETS), draw(VERSIONS))
    return b"\r\n".join([line, *(b"%b: %b" % each for each in fields), b"", body])


@st.composite
def portions(draw: Any) -> list[bytes]:
    """The bytes of up to three requests, as they may arrive."""
    data = b"".join(draw(st.lists(messages(), min_size=1, max_size=3)))
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=3)))
    return [data[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(data)], strict=True) if stop > start]


@settings(max_examples=100_000 if SCALE == "full" else settings.default.max_examples)
@given(portions())
@example([request() + request(), request()])
@example([request(b'{"x": 1}')[:-3], b": 1}"])
def test_any_requests_get_the_same_answers(roads: Any, portions: list[bytes]):
    lane, ordinary = both(roads, portions)
    assert lane == ordinary


# --- plain ones


def test_a_plain_request_takes_the_lane(roads: Any, monkeypatch: pytest.MonkeyPatch):
    runner, lane, _ = roads
    monkeypatch.setattr(lane.config, "loaded_app", None)  # whoever took the ordinary road would fail
    told = runner.run(lane.tell([request()]))
    assert told.data.startswith(b"HTTP/1.1 200 OK\r\ndate: now\r\n")
    assert told.data.endswith(b'{"prediction":3.0,"id":"ID"}\n')


@pytest.mark.parametrize(("accept", "lane"), [(b"*/*", 1), (b"application/json, */*", 1), (b"text/csv", 0)])
def test_who_accepts_json_takes_the_lane(roads: Any, accept: bytes, lane: int):
    asked = request(head=HEAD.replace(b"Host: x", b"Host: x\r\nAccept: " + accept))
    first, second = both(roads, [asked])
    assert first == second
    assert (b'"prediction"' in first.data, b"content-type: text/csv" in first.data) == (bool(lane), not lane)


@pytest.mark.parametrize("place", range(1, len(request())))
def test_a_request_may_come_in_two_parts_anywhere(roads: Any, place: int):
    lane, ordinary = both(roads, [request()[:place], request()[place:]])
    assert lane == ordinary
    assert lane.data.count(b"HTTP/1.1 200 OK") == 1


def test_a_request_may_come_byte_by_byte(roads: Any):
    lane, ordinary = both(roads, [bytes([byte]) for byte in request()])
    assert lane == ordinary
    assert lane.data.count(b"HTTP/1.1 200 OK") == 1


def test_answers_keep_the_order_of_pipelined_requests(roads: Any):
    requests = [request(b'{"x": %d}' % number) for number in range(9)]
    for packets in ([b"".join(requests)], requests, [b"".join(requests[:3]), *requests[3:]]):
        lane, ordinary = both(roads, packets)
        assert lane == ordinary
        answers = [line for line in lane.data.split(b"\n") if line.startswith(b'{"prediction"')]
        assert answers == [b'{"prediction":%d.0,"id":"ID"}' % (2 * number) for number in range(9)]


def test_the_roads_take_turns_on_one_connection(roads: Any):
    health = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    lane, ordinary = both(roads, [request(), health, request(), health + request(), request()])
    assert lane == ordinary
    assert lane.data.count(b"HTTP/1.1 200 OK") == 6


def test_a_caller_that_leaves_gets_nothing_and_leaves_nothing(roads: Any):
    runner, lane, _ = roads

    async def leave() -> None:
        protocol, wire = lane.protocol(), Wire()
        protocol.connection_made(wire)
        protocol.data_received(request())
        assert protocol.is_answering
        protocol.connection_lost(None)
        assert not protocol.is_answering
        for _ in range(10):
            await asyncio.sleep(0)
        assert wire.written == b""

    runner.run(leave())
    assert runner.run(lane.tell([request()])).data.count(b"200 OK") == 1


def test_one_that_cannot_be_written_keeps_nobody_else_from_an_answer(roads: Any):
    runner, lane, _ = roads

    class Broken(Wire):
        was_aborted = False

        def write(self, data: Any) -> None:
            raise OSError

        def abort(self) -> None:
            self.was_aborted = True

    async def ask_all() -> list[Wire]:
        wires = [Wire(), Broken(), Wire()]
        for wire in wires:
            protocol = lane.protocol()
            protocol.connection_made(wire)
            protocol.data_received(request())
        for _ in range(10):
            await asyncio.sleep(0)
        return wires

    first, broken, last = runner.run(ask_all())
    assert broken.was_aborted
    assert [wire.written.count(b"200 OK") for wire in (first, broken, last)] == [1, 0, 1]


def test_close_is_said_and_done(roads: Any):
    closing = HEAD.replace(b"Host: x", b"Host: x\r\nConnection: close")
    lane, ordinary = both(roads, [request(head=closing)])
    assert lane == ordinary
    assert lane.is_closed
    assert b"\r\nconnection: close\r\n\r\n" in lane.data


@pytest.mark.parametrize("garbage", [b"\x00", b"\x00\r\n\r\n", b"GET", b"GET / HTTP/1.1\r\n\r\n", b"\r\n\x01"])
def test_nothing_is_answered_after_a_refusal(roads: Any, garbage: bytes):
    lane, ordinary = both(roads, [garbage + b"\n \x00\r\n\r\n", request(), request()])
    assert lane == ordinary
    assert lane.data.count(b"HTTP/1.1 ") == 1
    assert b"HTTP/1.1 400 " in lane.data


def test_of_a_head_only_its_own_bytes_count(roads: Any):
    body = b'{"x": 1}' + b" " * 20_000
    health = b"GET /health HTTP/1.1\r\nHost: x\r\nX-Long: %b\r\n\r\n" % (b"a" * 400)
    for before in (request(body), health * 60):
        lane, ordinary = both(roads, [before + health[:20], health[20:]])
        assert lane == ordinary
        assert lane.data.count(b"HTTP/1.1 200 OK") == before.count(b"HTTP/1.1") + 1


@pytest.mark.parametrize("portion", [b"\0", b"\0" + request(), b"\n\0"])
def test_nothing_that_is_no_request_is_a_prediction(roads: Any, portion: bytes):
    lane, ordinary = both(roads, [portion])
    assert lane == ordinary
    assert b"request.malformed" in lane.data
    assert lane.is_closed


def test_a_caller_that_does_not_read_is_not_read_either(roads: Any):
    runner, *both_roads = roads

    async def flood(road: Road) -> tuple[bool, int]:
        protocol, wire = road.protocol(), Wire()
        protocol.connection_made(wire)
        protocol.data_received(request(b'[{"x": 1}]' + b" " * 70_000) * 3)
        protocol.pause_writing()
        for _ in range(50):
            await asyncio.sleep(0)
        paused = wire.is_paused, len(protocol.pipeline)
        protocol.connection_lost(None)
        for _ in range(50):
            await asyncio.sleep(0)
        return paused

    for road in both_roads:
        is_paused, waiting = runner.run(flood(road))
        assert is_paused
        assert waiting >= 1


def test_a_caller_that_never_reads_is_left_in_the_end(roads: Any):
    runner, *both_roads = roads

    async def wait(road: Road) -> list[bool]:
        class Closing(Wire):
            def abort(self) -> None:
                self.is_closed = True

        protocol, wire, now = road.protocol(), Closing(), asyncio.get_running_loop().time()
        protocol.connection_made(wire)
        protocol.data_received(request())
        protocol.pause_writing()
        told = []
        for later_s in (0, 59, 61):
            protocol._waits_since = None
            protocol.sweep(now + later_s)
            told.append(wire.is_closed)
        protocol.connection_lost(None)
        return told

    for road in both_roads:
        assert runner.run(wait(road)) == [False, False, True]
