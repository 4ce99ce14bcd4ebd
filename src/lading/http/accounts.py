"""What is counted and logged of every request, on whichever road it is answered."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from lading.errors import Denied, LadingError, PredictionFailed, Refused
from lading.http.access_log import NO_MODEL, AccessLog, Entry
from lading.http.ids import Ids

if TYPE_CHECKING:
    # The engine stays out of a process that only stands by.
    from lading.service import Counters

logger = logging.getLogger(__name__)

CLOSED_BY_CALLER = 499
"""nginx's status for a caller that left before its answer; only logged, never sent."""
UNFORESEEN = "internal"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})


class Exchange(msgspec.Struct, gc=False):
    """One request and what is known about its answer; routes of the application find it in `scope["lading"]`."""

    ids: Ids
    start: float
    route: str = "unknown"
    rows: int = 0
    status: int = 0
    code: str = ""
    caller: str = ""
    is_closed: bool = False


class Accounts:
    """Counts requests in flight and answered, and logs each.

    Args:
        counters: where they are counted.
        about: what the log says of the model, as JSON.
    """

    def __init__(self, counters: Counters, about: Callable[[], msgspec.Raw] = lambda: NO_MODEL) -> None:
        self._counters = counters
        self._about = about
        self._log = AccessLog()
        self._in_flight = 0
        self._second = 0
        self._clock = ""

    def open(self, ids: Ids, *, route: str = "unknown") -> Exchange:
        """A request that has arrived."""
        self._in_flight += 1
        self._counters.set("in_flight", self._in_flight)
        return Exchange(ids, time.perf_counter(), route)

    def fail(self, exchange: Exchange, told: LadingError, error: Exception) -> None:
        """Note the error that the caller is told, and in the log the one that was behind it."""
        exchange.code = told.code
        if isinstance(told, Denied | Refused):
            self._counters.add("refusals", told.code)
        cause = told.__cause__ if isinstance(told, PredictionFailed) else error if told.code == UNFORESEEN else None
        if cause is not None:
            logger.error("request %s failed: %s", exchange.ids.request, frames_of(cause))

    def close(self, exchange: Exchange, method: str) -> None:
        """Note, once, a request whose answer is about to be written, or that its caller left.

        Before it is written: else a process that is killed in between has answered what nobody counted.
        """
        if not exchange.is_closed:
            self.close_all([exchange], exchange.route, method if method in _METHODS else "OTHER")

    def close_all(self, exchanges: Sequence[Exchange], route: str, method: str) -> None:
        """The same for requests of one route that are answered together, none of which was closed before."""
        now, clock, about = time.perf_counter(), self._now(), self._about()
        counts: dict[int, int] = {}
        durations_s: list[float] = []
        for exchange in exchanges:
            exchange.is_closed = True
            status, ids = exchange.status, exchange.ids
            counts[status] = counts.get(status, 0) + 1
            duration_s = now - exchange.start
            durations_s.append(duration_s)
            duration_ms = int(duration_s * 1e6) / 1000
            self._log.add(
                Entry(
                    clock,
                    method,
                    route,
                    status,
                    exchange.rows,
                    duration_ms,
                    ids.request,
                    ids.correlation,
                    exchange.code,
                    exchange.caller,
                    about,
                )
            )
        self._in_flight -= len(exchanges)
        self._counters.set("in_flight", self._in_flight)
        for status, count in counts.items():
            self._counters.add("requests", f"{route} {status}", count)
        self._counters.observe_all("request_seconds", durations_s, route)

    def _now(self) -> str:
        """The time of the log; what does not change within a second is written out once."""
        milliseconds = time.time_ns() // 1_000_000
        second, millisecond = divmod(milliseconds, 1000)
        if second != self._second:
            self._second = second
            self._clock = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{self._clock}.{millisecond:03}+00:00"


def told(error: Exception) -> LadingError:
    """The error that the caller is told: its own, or for anything unforeseen only that there was one."""
    if isinstance(error, LadingError):
        return error
    return LadingError("an internal error; the log has it under this id", code=UNFORESEEN)


def frames_of(error: BaseException) -> str:
    """The traceback without the messages of its exceptions, which may repeat values: kinds, files, lines."""
    seen: BaseException | None = error
    parts, told = [], set()
    while seen is not None and id(seen) not in told:
        told.add(id(seen))
        frames = "".join(traceback.format_tb(seen.__traceback__))
        parts.append(f"{type(seen).__name__}\n{frames}".rstrip())
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return "\ncaused by ".join(parts)
