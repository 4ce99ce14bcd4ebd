"""One log line a request, formatted and written once a turn of the event loop: ids, route, rows, never values."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import msgspec

logger = logging.getLogger("lading.access")


class Entry(msgspec.Struct, frozen=True, gc=False, tag_field="level", tag="info"):
    """What is logged of one request; as JSON it begins with the level.

    Attributes:
        time: when it was answered, RFC 3339 in UTC, to the millisecond.
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
            # Not `logger.info`, which looks through the stack for who called it.
            record = logging.LogRecord(logger.name, logging.INFO, __file__, 0, "%s", (_Lines(entries),), None)
            record.entries = entries
            logger.handle(record)


class _Lines:
    """The entries as text, made only if a handler asks for it."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries

    def __str__(self) -> str:
        return "\n".join(text_line(entry) for entry in self._entries)


def text_line(entry: Entry) -> str:
    """The entry as people read it."""
    rows = f"{entry.rows} row{'s' * (entry.rows != 1)}  " if entry.rows else ""
    code = f"  {entry.code}" if entry.code else ""
    correlation = f" for {entry.correlation_id}" if entry.correlation_id != entry.request_id else ""
    return (
        f"{entry.status} {entry.method} {entry.route}  {rows}{entry.duration_ms:.1f} ms  "
        f"{entry.request_id}{correlation}{code}"
    )
