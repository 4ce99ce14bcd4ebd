"""One log line a request, formatted and written once a turn of the event loop: ids, route, rows, never values."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Sequence

import msgspec

logger = logging.getLogger("lading.access")


NO_MODEL = msgspec.Raw(b"null")


class Entry(msgspec.Struct, frozen=True, gc=False, tag_field="level", tag="info"):
    """What is logged of one request; as JSON it begins with the level.

    Attributes:
        time: when it was answered, RFC 3339 in UTC, to the millisecond.
        caller: who asked, as access knows them; empty where nobody was asked.
        model: what answered it, as JSON.
    """

    time: str
    method: str
    route: str
    status: int
    rows: int
    duration_ms: float
    request_id: str
    correlation_id: str
    code: str = ""
    caller: str = ""
    model: msgspec.Raw = NO_MODEL


class AccessLog:
    """Collects entries; whoever formats log records finds them in `record.entries`."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []

    def add(self, entry: Entry) -> None:
        """Log a request at the end of this turn of the event loop."""
        if not self._entries:
            asyncio.get_running_loop().call_soon(self._flush)
        self._entries.append(entry)

    def _flush(self) -> None:
        entries, self._entries = self._entries, []
        if logger.isEnabledFor(logging.INFO):
            logger.handle(_Record(entries))


class _Record(logging.LogRecord):
    """Requests as one record; their text is made only if a handler asks for it."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        # Who logs and where is always the same, and takes longer to find out than the requests took to answer.
        self.__dict__ = _FIELDS.copy()
        self.process = os.getpid()
        self.created = time.time()
        self.msecs = self.created % 1 * 1000
        self.relativeCreated = self.created * 1000 - _BEGAN_MS
        self.entries = entries

    def getMessage(self) -> str:
        """A line a request."""
        return "\n".join(text_line(entry) for entry in self.entries)


_FIELDS = logging.LogRecord(logger.name, logging.INFO, __file__, 0, "requests", (), None).__dict__
_BEGAN_MS = _FIELDS["created"] * 1000 - _FIELDS["relativeCreated"]


def text_line(entry: Entry) -> str:
    """The entry as people read it."""
    rows = f"{entry.rows} row{'s' * (entry.rows != 1)}  " if entry.rows else ""
    code = f"  {entry.code}" if entry.code else ""
    caller = f"  {entry.caller}" if entry.caller else ""
    correlation = f" for {entry.correlation_id}" if entry.correlation_id != entry.request_id else ""
    return (
        f"{entry.status} {entry.method} {entry.route}  {rows}{entry.duration_ms:.1f} ms  "
        f"{entry.request_id}{correlation}{caller}{code}"
    )
