"""How far a run is, and in the end what came of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from lading.batch.chunk import Chunk, Part
from lading.batch.sources import Source

SHOWN_REASONS = 10


@dataclass
class Tally:
    """Counts what came of the chunks, which are added in their order.

    Attributes:
        resumed: parts that were done before it began.
        size: bytes of the inputs; 0 where they are not known.
        size_done: bytes of those that are done.
        rows: that are done.
        fresh_rows: those of them that this run scored.
        set_aside: how many rows have no answer.
        reasons: of the first of them, with the file and the row.
        unusual: rows by column, and what is unusual in it.
        began_s: when it began, by the monotonic clock.
    """

    resumed: int = 0
    size: int = 0
    size_done: int = 0
    rows: int = 0
    fresh_rows: int = 0
    set_aside: int = 0
    reasons: list[str] = field(default_factory=list)
    unusual: dict[tuple[str, str], int] = field(default_factory=dict)
    began_s: float = field(default_factory=time.monotonic)
    _file: int = -1
    _file_rows: int = 0

    def add(self, source: Source, chunk: Chunk, part: Part, *, is_fresh: bool) -> int:
        """Count what came of a chunk; the row of its file with which it begins."""
        if chunk.file != self._file:
            self._file, self._file_rows = chunk.file, 0
        first_row, self._file_rows = self._file_rows, self._file_rows + part.rows
        for reject in part.rejects[: max(0, SHOWN_REASONS - len(self.reasons))]:
            self.reasons.append(f"{source.name}, row {first_row + reject.row}: {reject.why}")
        self.size_done += chunk.size
        self.rows += part.rows
        self.fresh_rows += part.rows if is_fresh else 0
        self.set_aside += len(part.rejects)
        for seen in part.unusual:
            key = (seen.column, seen.detail)
            self.unusual[key] = self.unusual.get(key, 0) + seen.rows
        return first_row

    @property
    def answered(self) -> int:
        """Rows that have an answer."""
        return self.rows - self.set_aside

    @property
    def rows_per_s(self) -> float:
        """Rows that this run scores in a second."""
        return self.fresh_rows / max(time.monotonic() - self.began_s, 1e-9)
