"""How long a model takes for a batch, measured at warm-up: so much to begin with, and so much for each row."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from lading.schema.table import Row

_REPEATS = 3
_SLOW_S = 0.1
_VERY_SLOW_S = 3.0
_FEW = 4
_REMEMBERED = 5
_LONG_S = 0.25


@dataclass
class Pace:
    """A line through two measurements, which the batches that follow correct.

    One that took longer may have been interrupted, so the middle one of the last few counts; but what is far off, to
    either side, counts at once.
    """

    base_s: float
    row_s: float
    _errors: deque[float] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))

    def seconds(self, rows: int) -> float:
        """What a batch of so many rows takes, about."""
        return self.base_s + self.row_s * rows

    def wait_s(self, rows: int) -> float:
        """How long so many rows keep the model busy, as far as anything is known."""
        expected_s = self.seconds(rows)
        return expected_s if expected_s < math.inf else 0.0

    @property
    def batch_rows(self) -> float:
        """With how many rows a batch has what batches are for; more only make all of them wait."""
        return max(_LONG_S, self.base_s) / self.row_s if self.row_s else math.inf

    def note(self, rows: int, seconds: float) -> None:
        """Learn from a batch."""
        if self.base_s == math.inf:  # nothing was known
            self.base_s, self.row_s = seconds, 0.0
            return
        error = seconds - self.seconds(rows)
        self._errors.append(error)
        if abs(error) > _SLOW_S:
            self._correct(error)
        elif len(self._errors) == _REMEMBERED:
            self._correct(sorted(self._errors)[_REMEMBERED // 2])

    def _correct(self, error: float) -> None:
        self.base_s = max(0.0, self.base_s + error)
        self._errors.clear()


def measure(run: Callable[[Sequence[Row]], Any], rows: Sequence[Row], *, clock: Callable[[], float]) -> Pace:
    """The pace of a model on these rows: the best of a few runs of one row and of all.

    A model that is slow for one row already is not asked for all of them, which could take minutes, but once for a few;
    one that is very slow not even that: at worst each row takes as long.
    """
    one = _best(run, rows[:1], clock)
    if one > _VERY_SLOW_S:
        return Pace(0.0, one)
    few = rows[:_FEW] if one > _SLOW_S else rows
    many = _best(run, few, clock, repeats=1 if one > _SLOW_S else _REPEATS)
    row_s = max(0.0, many - one) / max(1, len(few) - 1)
    return Pace(one - row_s if one > row_s else one, row_s)


def _best(
    run: Callable[[Sequence[Row]], Any], rows: Sequence[Row], clock: Callable[[], float], repeats: int = _REPEATS
) -> float:
    times = []
    for _ in range(repeats):
        start = clock()
        run(rows)
        times.append(clock() - start)
    return min(times)
