"""Compressed bodies: expanded to the same bytes however they arrive, and never beyond a bound."""

import asyncio
import contextlib
import gzip
import itertools
import json
import random
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.errors import BrokenInput, TooLarge
from lading.http.coding import CODINGS, FLOOR_BYTES, Expansion, expansion_of
from lading.http.problems import HttpError

MIB = 1 << 20
JSON = (b"content-type", b"application/json")
ROW = b'{"x": 1}'
COMPRESS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress}
if sys.version_info >= (3, 14):
    from compression import zstd

    COMPRESS["zstd"] = zstd.compress

every_coding = pytest.mark.parametrize("coding", COMPRESS)


def expanded(coding: str, *parts: bytes, max_bytes: int = MIB, max_expansion: float = 100.0) -> bytes:
    expansion = Expansion(coding, max_bytes=max_bytes, max_expansion=max_expansion)
    portions = [portion for part in parts for portion in expansion.feed(part)]
    expansion.finish()
    assert all(len(portion) <= 64 << 10 for portion in portions)
    return b"".join(portions)


def noise(size: int) -> bytes:
    return random.Random(0).randbytes(size)


def test_what_is_taken_is_what_the_library_has():
    assert tuple(COMPRESS) == CODINGS


# --- what is expanded


@every_coding
@pytest.mark.parametrize("body", [b"", ROW, bytes(FLOOR_BYTES), noise(MIB), noise(1000) * 80])
def test_a_body_is_what_it_was(coding: str, body: bytes):
    assert expanded(coding, COMPRESS[coding](body)) == body


@given(st.binary(max_size=300), st.integers(0, 300), st.lists(st.integers(0, 400), max_size=5))
def test_a_body_is_what_it_was_in_whatever_parts(body: bytes, repeats: int, cuts: list[int]):
    body = body * min(repeats, FLOOR_BYTES // max(1, len(body)))
    for coding, compress in COMPRESS.items():
        sent = compress(body)
        ends = [0, *sorted(min(cut, len(sent)) for cut in cuts), len(sent)]
        assert expanded(coding, *(sent[start:end] for start, end in itertools.pairwise(ends))) == body


@every_coding
def test_a_body_may_arrive_byte_by_byte(coding: str):
    sent = COMPRESS[coding](ROW * 100)
    assert expanded(coding, *(sent[at : at + 1] for at in range(len(sent)))) == ROW * 100


@pytest.mark.parametrize("coding", sorted({"gzip", "zstd"} & COMPRESS.keys()))
def test_several_members_follow_one_another(coding: str):
    members = [COMPRESS[coding](part) for part in (b'{"x"', b"", b": 1", b"}")]
    assert expanded(coding, b"".join(members)) == expanded(coding, *members) == ROW


# --- what is too large


@every_coding
def test_no_more_than_the_limit_comes_out(coding: str):
    body = noise(1000) * 200
    sent = COMPRESS[coding](body)
    assert expanded(coding, sent, max_bytes=len(body), max_expansion=1e9) == body
    with pytest.raises(TooLarge, match="more than 199999 bytes when it is expanded"):
        expanded(coding, sent, max_bytes=len(body) - 1, max_expansion=1e9)


@every_coding
def test_no_body_becomes_so_many_times_as_large(coding: str):
    sent = COMPRESS[coding](bytes(MIB))
    with pytest.raises(TooLarge, match="more than 100 times as large when it is expanded"):
        expanded(coding, sent)
    assert len(expanded(coding, sent, max_expansion=1e6)) == MIB


@every_coding
def test_a_small_body_may_become_as_large_as_it_likes(coding: str):
    assert expanded(coding, COMPRESS[coding](bytes(FLOOR_BYTES)), max_expansion=1) == bytes(FLOOR_BYTES)
    with pytest.raises(TooLarge):
        expanded(coding, COMPRESS[coding](bytes(FLOOR_BYTES + 1)), max_expansion=1)


def bomb(coding: str, size: int) -> Iterator[bytes]:
    """Zeros, compressed, in parts, so many bytes of them."""
    if coding == "zstd":
        yield COMPRESS[coding](bytes(min(size, 64 * MIB)))
        return
    packer = zlib.compressobj(9, wbits=31 if coding == "gzip" else 15)
    for _ in range(size // MIB):
        yield packer.compress(bytes(MIB))
    yield packer.flush()


@every_coding
@pytest.mark.parametrize("max_expansion", [100.0, 1e6])
def test_of_a_bomb_no_more_is_produced_than_there_is_room_for(coding: str, max_expansion: float):
    expansion = Expansion(coding, max_bytes=MIB, max_expansion=max_expansion)
    produced: list[int] = []
    with pytest.raises(TooLarge):
        produced.extend(len(each) for part in bomb(coding, 10_000 * MIB) for each in expansion.feed(part))
    assert sum(produced) <= MIB


def test_members_that_hold_nothing_are_bounded():
    assert expanded("gzip", gzip.compress(b"") * 256) == b""
    with pytest.raises(BrokenInput):
        expanded("gzip", gzip.compress(b"") * 257)


# --- what is broken


@every_coding
def test_a_body_that_is_cut_off_is_broken(coding: str):
    sent = COMPRESS[coding](ROW)
    for size in range(len(sent)):
        with pytest.raises(BrokenInput):
            expanded(coding, sent[:size])


@every_coding
@pytest.mark.parametrize("garbage", [b"\0", b"\x1f", b"\x1f\x8b", b"{}", bytes(1000)])
def test_what_follows_the_end_is_broken(coding: str, garbage: bytes):
    for parts in ((COMPRESS[coding](ROW) + garbage,), (COMPRESS[coding](ROW), garbage)):
        with pytest.raises(BrokenInput, match=f"not {coding}, as `content-encoding` says, or is broken"):
            expanded(coding, *parts)


@every_coding
@pytest.mark.parametrize("body", [ROW, b"\x1f\x8b\x08", b"\x78\x9c\0", b"PK\x03\x04", bytes(100)])
def test_what_is_something_else_is_broken(coding: str, body: bytes):
    with pytest.raises(BrokenInput) as raised:
        expanded(coding, body)
    assert raised.value.code == "input.coding"


def test_deflate_is_that_of_zlib_and_no_other():
    raw = zlib.compressobj(wbits=-15)
    for body in (raw.compress(ROW) + raw.flush(), gzip.compress(ROW), zlib.compress(ROW) * 2):
        with pytest.raises(BrokenInput):
            expanded("deflate", body)


@every_coding
@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_changed_bit_fails_in_its_own_way_or_not_at_all(coding: str, at: int, bit: int):
    sent = bytearray(COMPRESS[coding](noise(50) * 20))
    sent[at % len(sent)] ^= 1 << bit
    with contextlib.suppress(BrokenInput, TooLarge):
        assert len(expanded(coding, bytes(sent))) < 10_000


# --- which coding it is


def coding_of(*lines: bytes) -> Expansion | None:
    fields = [(b"content-encoding", line) for line in lines]
    return expansion_of({"headers": fields}, max_bytes=MIB, max_expansion=100.0)


@pytest.mark.parametrize("lines", [(), (b"",), (b"identity",), (b" Identity ",), (b"identity, ,identity",), (b"", b"")])
def test_a_body_that_is_not_compressed_needs_no_expansion(lines: tuple[bytes, ...]):
    assert coding_of(*lines) is None


@pytest.mark.parametrize("line", [b"gzip", b" GZip\t", b"x-gzip", b"deflate", b"gzip,", b"identity, gzip"])
def test_a_coding_is_found_as_it_is_written(line: bytes):
    assert coding_of(line) is not None


@pytest.mark.parametrize(
    "lines",
    [
        (b"br",),
        (b"compress",),
        (b"unheard-of",),
        (b"gzip, gzip",),
        (b"gzip", b"gzip"),
        (b"deflate, gzip",),
        (b"*",),
        (b"gzip;q=1",),
        (b'"gzip"',),
        (b"\xff",),
        (b"g zip",),
    ],
)
def test_any_other_coding_and_several_are_refused_with_those_that_are_taken(lines: tuple[bytes, ...]):
    with pytest.raises(HttpError) as raised:
        coding_of(*lines)
    assert (raised.value.status, raised.value.code) == (415, "input.content_coding")
    assert raised.value.headers == {"Accept-Encoding": ", ".join([*CODINGS, "identity"])}


# --- through the application


@every_coding
def test_a_compressed_body_is_answered_as_any_other(client: Any, coding: str):
    fields = {"content-type": "application/json", "content-encoding": coding}
    answer = client.post("/predict", content=COMPRESS[coding](ROW), headers=fields)
    assert (answer.status_code, answer.json()["prediction"]) == (200, 2.0)


@pytest.mark.anyio
async def test_a_bomb_is_refused_and_the_rest_of_it_thrown_away(raw: Any, make_http_app: Any, double: Any):
    app = make_http_app(double, max_body_bytes=MIB)
    request = raw(*bomb("gzip", 100 * MIB), b"more", b"end", headers=[JSON, (b"content-encoding", b"gzip")])
    answer = await request.run(app.asgi)
    assert (answer.status, answer.headers["connection"]) == (413, "close")
    assert json.loads(answer.body)["code"] == "input.too_large"
    assert request.received == len(request.messages)


@pytest.mark.anyio
async def test_the_compressed_bytes_are_bounded_too(raw: Any, make_http_app: Any, double: Any):
    app = make_http_app(double, max_body_bytes=64)
    answer = await raw(gzip.compress(ROW) + bytes(64), b"more", headers=[JSON, (b"content-encoding", b"gzip")]).run(
        app.asgi
    )
    assert answer.status == 413


@pytest.mark.anyio
async def test_a_broken_body_is_told_without_what_is_in_it(raw: Any, app: Any):
    answer = await raw(b"canary", headers=[JSON, (b"content-encoding", b"gzip")]).run(app.asgi)
    assert (answer.status, json.loads(answer.body)["code"]) == (400, "input.coding")
    assert b"canary" not in answer.body


@pytest.mark.anyio
async def test_a_coding_that_is_not_taken_is_refused_unread(raw: Any, app: Any):
    request = raw(b"1", b"2", headers=[JSON, (b"content-encoding", b"br")])
    answer = await request.run(app.asgi)
    assert (answer.status, request.received) == (415, 0)
    assert answer.headers["accept-encoding"].endswith("identity")


@pytest.mark.anyio
async def test_while_a_body_is_expanded_others_are_answered(raw: Any, app: Any):
    row = b'{"x": 1}' + noise(3 * MIB).hex().encode()
    slow = raw(gzip.compress(row, 1), headers=[JSON, (b"content-encoding", b"gzip")])
    expanding = asyncio.create_task(slow.run(app.asgi))
    await asyncio.sleep(0)
    assert (await raw(ROW).run(app.asgi)).status == 200
    assert not expanding.done()
    assert (await expanding).status == 400
