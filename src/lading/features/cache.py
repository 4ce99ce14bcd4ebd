"""What a store said, for as long as it is taken as it was."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping

from lading.bundle.lookups import Key
from lading.schema.table import Row


class Cache:
    """Rows by their keys, and keys that have none: the most recently used ones, each for a limited time.

    Args:
        max_rows: how many it holds.
        keep_s: for how long; 0 holds nothing.
        clock: monotonic seconds.
    """

    def __init__(self, max_rows: int, keep_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_rows = max_rows
        self._keep_s = keep_s
        self._clock = clock
        self._rows: OrderedDict[Key, tuple[float, Row | None]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._rows)

    def take(self, keys: Iterable[Key]) -> dict[Key, Row | None]:
        """What is known of these keys: the row of each, or None where the store had none."""
        rows, now = self._rows, self._clock()
        found: dict[Key, Row | None] = {}
        for key in keys:
            if (known := rows.get(key)) is None:
                continue
            end, row = known
            if now < end:
                found[key] = row
                rows.move_to_end(key)
            else:
                del rows[key]
        return found

    def put(self, found: Mapping[Key, Row | None]) -> None:
        """Remember what the store said now."""
        if not self._keep_s:
            return
        rows, end = self._rows, self._clock() + self._keep_s
        for key, row in found.items():
            rows[key] = (end, row)
            rows.move_to_end(key)
        while len(rows) > self._max_rows:
            rows.popitem(last=False)
