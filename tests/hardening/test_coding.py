"""T055: bodies that are compressed, or say so, and become anything; fifty of them at once."""

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .conftest import MIB
from .oracle import CANARY, Watched, under_oracle

ROW = b'{"x":21,"note":"%b"}' % CANARY.encode()
AT_ONCE = 50


@pytest.fixture(autouse=True)
def _judged(watched: Watched) -> Iterator[None]:
    """Each case is under the oracle; none of them may end in a 5xx."""
    with under_oracle(watched):
        yield


def asked(watched: Watched, coding: str, body: bytes) -> tuple[int, str]:
    """The status of the answer, and its code or its prediction."""
    status, fields, text = watched.ask(
        "POST", "/predict", body, content_type="application/json", content_encoding=coding
    )
    assert status != 415 or "gzip" in fields["accept-encoding"]
    told = json.loads(text)
    return status, told.get("code") or str(told["prediction"])


def bomb(mebibytes: int, window_bits: int) -> bytes:
    packer = zlib.compressobj(9, wbits=window_bits)
    return b"".join(packer.compress(bytes(MIB)) for _ in range(mebibytes)) + packer.flush()


SMALL = gzip.compress(bytes(100 * MIB))
SENT: dict[str, tuple[str, bytes, int, str]] = {
    "gzip": ("gzip", gzip.compress(ROW), 200, "42.0"),
    "deflate": ("deflate", zlib.compress(ROW), 200, "42.0"),
    "two members": ("gzip", gzip.compress(ROW[:9]) + gzip.compress(ROW[9:]), 200, "42.0"),
    "not compressed": ("identity", ROW, 200, "42.0"),
    "gzip of 100 MiB": ("gzip", SMALL, 413, "input.too_large"),
    "deflate of 100 MiB": ("deflate", bomb(100, 15), 413, "input.too_large"),
    "members of nothing": ("gzip", gzip.compress(b"") * 10_000, 400, "input.coding"),
    "gzip in gzip": ("gzip", gzip.compress(SMALL), 413, "input.too_large"),
    "said twice": ("gzip, gzip", gzip.compress(SMALL), 415, "input.content_coding"),
    "cut off": ("gzip", gzip.compress(ROW)[:-1], 400, "input.coding"),
    "cut off in the midst of a bomb": ("gzip", SMALL[:500], 413, "input.too_large"),
    "garbage behind": ("gzip", gzip.compress(ROW) + b"garbage", 400, "input.coding"),
    "garbage": ("deflate", ROW, 400, "input.coding"),
    "nothing": ("gzip", b"", 400, "input.coding"),
    "br": ("br", ROW, 415, "input.content_coding"),
    "unheard-of": ("unheard-of", ROW, 415, "input.content_coding"),
}


@pytest.mark.parametrize("name", SENT)
def test_t055_a_compressed_body_is_answered_or_refused(watched: Watched, name: str):
    coding, body, status, told = SENT[name]
    assert asked(watched, coding, body) == (status, told)


def peak_bytes(pids: tuple[int, ...]) -> int:
    """The most memory that processes have had since they were last told to forget it."""
    lines = "".join(Path(f"/proc/{pid}/status").read_text() for pid in pids)
    return sum(int(number) << 10 for number in re.findall(r"VmHWM:\s+(\d+) kB", lines))


def forget_peaks(pids: tuple[int, ...]) -> None:
    for pid in pids:
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def eightyfold(size: int) -> bytes:
    """So many bytes, compressed to an eightieth of them: not so much that this alone is refused."""
    return gzip.compress(b"".join(b"%064d" % (number * 7919 % 65536) + b"0" * 400 for number in range(size // 464)))


BOMBS = {"beyond the ratio": SMALL, "beyond the limit": eightyfold(4 * MIB)}


@pytest.mark.parametrize("name", BOMBS)
def test_t055_many_bombs_at_once_take_no_more_than_their_bounds(watched: Watched, name: str):
    forget_peaks(watched.pids)
    before = peak_bytes(watched.pids)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        told = list(pool.map(lambda _: asked(watched, "gzip", BOMBS[name]), range(AT_ONCE)))
    assert set(told) == {(413, "input.too_large")}
    assert peak_bytes(watched.pids) - before < AT_ONCE * MIB
