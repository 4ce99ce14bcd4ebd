"""Bytes on a connection: both roads answer the same, each request once at most, and never with a failure of ours.

The first byte says into how many portions the rest is cut, and the next ones where.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Callable
from concurrent.futures import Executor
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.http.conftest import make
from tests.http.roads import Road

from lading.bundle.bundle import SUFFIX
from lading.engine.loading import load_bundle
from lading.engine.model import Model
from lading.engine.packing import pack
from lading.flavors.linear import LinearFile

_HALF = LinearFile("lading.linear/1", ("x",), coef=((0.5,),), intercept=(0.0,), low=(0.0,), high=(10.0,))
"""No finite number that it takes becomes too large for an answer."""
_MAX_CUTS = 4
_GOOD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n" + b'{"x":3}'
_STATUS = re.compile(rb"HTTP/1\.1 ([1-5]\d\d) [A-Za-z -]+\r\n")
_FIELD = re.compile(rb"[a-z-]+: [\t -~]*")
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n")
_EMPTY_LINE = re.compile(rb"\n\r?\n")
_TOO_LATE = 504
_COUNTS = b"# HELP lading_"


def fuzz_one(data: bytes) -> None:
    """Send the bytes by both roads."""
    portions = cut(bytes(data))
    lane, ordinary = _told(portions)
    statuses = answers(lane.raw)
    answers(ordinary.raw)
    # Who asks for a millisecond may get it on one road alone, and who asks for what is counted gets counts of its own.
    if _TOO_LATE not in statuses and _COUNTS not in lane.raw:
        assert lane.data == ordinary.data, f"the roads differ: {lane.data!r} and {ordinary.data!r}"
        assert lane.is_closed == ordinary.is_closed, "one road closes"
    assert [status for status in statuses if status >= 500 and status != _TOO_LATE] == []
    # Each request ends its head with an empty line; the last answer may be to what is no request.
    assert len(statuses) <= len(_EMPTY_LINE.findall(b"".join(portions))) + 1, "more answers than requests"


def seeds() -> list[bytes]:
    """Plain requests and unusual ones, whole and in parts."""
    chunked = _GOOD.partition(b"Content-Length")[0] + b"Transfer-Encoding: chunked\r\n\r\n"
    whole = [
        _GOOD,
        _GOOD + _GOOD.replace(b"3", b"a") + _GOOD,
        b"GET /predict?x=1 HTTP/1.1\r\nHost: x\r\nAccept: text/csv\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nX-Request-ID: mine\r\nConnection: close\r\n\r\n",
        b"HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        chunked + b'7;a=b\r\n{"x":3}\r\n0\r\nX: y\r\n\r\n' + _GOOD,
        _GOOD.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\nX-Correlation-ID: ours\r\n\r\n"),
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\nContent-Length: 6\r\n\r\nx\n1\n2\n",
        b"OPTIONS * HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    ]
    return [b"\0" + data for data in whole] + [b"\2\x10\x50" + whole[1], b"\1\x62" + whole[5]]


def cut(data: bytes) -> list[bytes]:
    """The portions in which the bytes come."""
    count = data[0] % (_MAX_CUTS + 1) if data else 0
    rest = data[1 + count :]
    places = sorted({place % (len(rest) + 1) for place in data[1 : 1 + count]} | {0, len(rest)})
    return [rest[start:end] for start, end in itertools.pairwise(places)]


def answers(data: bytes) -> list[int]:
    """The statuses of the final answers, which are HTTP/1.1 to the byte."""
    statuses = []
    while data:
        match = _STATUS.match(data)
        assert match is not None, "no answer begins here"
        head, found, rest = data.partition(b"\r\n\r\n")
        assert found, "a head does not end"
        assert all(_FIELD.fullmatch(line) for line in head.split(b"\r\n")[1:]), "a field is none"
        status = int(match[1])
        if status >= 200:
            statuses.append(status)
        length = _LENGTH.search(head + b"\r\n")
        assert length is not None or status < 200, "an answer has no length"
        data = _behind(rest, int(length[1]) if length is not None else 0)
    return statuses


def _behind(rest: bytes, length: int) -> bytes:
    """What comes behind a body; an answer to HEAD has none, whatever its length."""
    if not rest or _STATUS.match(rest):
        return rest
    assert len(rest) >= length, "a body is too short"
    return rest[length:]


class _Loop(asyncio.SelectorEventLoop):
    """An event loop in which what would run in a thread runs at once, so that nobody has to wait for it."""

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future


class _Roads:
    """Both roads, each before a service of its own."""

    def __init__(self, model: Model) -> None:
        self.failures: list[dict[str, Any]] = []
        self._runner = asyncio.Runner(loop_factory=_Loop)
        self._runner.get_loop().set_exception_handler(lambda loop, context: self.failures.append(context))
        # A model that is slow for once would answer out of a thread, for which nobody waits here.
        self._roads = [Road(make(model, inline_s=60.0), lane=lane) for lane in (True, False)]

    def tell(self, portions: list[bytes]) -> list[Any]:
        """What comes back by each road."""
        told = [self._runner.run(road.tell(portions)) for road in self._roads]
        assert self.failures == [], "an exception was left to the event loop"
        return told


@cache
def _roads() -> _Roads:
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"half-1.0.0{SUFFIX}"
        pack(_HALF, path=path, compile="never")
        return _Roads(load_bundle(path))


def _told(portions: list[bytes]) -> list[Any]:
    return _roads().tell(portions)
