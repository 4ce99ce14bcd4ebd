"""How far a run over files is: one line on a terminal, which is written over; nothing elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from lading.batch.tally import Tally

_AFTER_S = 1.0
_EVERY_S = 0.2
_CLEAR = "\r\x1b[K"


class Progress:
    """Shows a tally on a terminal, from the first second on."""

    def __init__(self) -> None:
        self._is_shown = sys.stderr.isatty()
        self._last_s = time.monotonic() + _AFTER_S - _EVERY_S

    def show(self, tally: Tally) -> None:
        """Show how far it is, if that was not done just now."""
        now_s = time.monotonic()
        if self._is_shown and now_s - self._last_s >= _EVERY_S:
            self._last_s = now_s
            click.echo(_CLEAR + in_words(tally, now_s), err=True, nl=False)

    def clear(self) -> None:
        """Leave an empty line."""
        if self._is_shown:
            click.echo(_CLEAR, err=True, nl=False)


def in_words(tally: Tally, now_s: float) -> str:
    """How far it is: `41%   1,234,567 rows   512,000 rows/s   0:00:12 left`."""
    words = [f"{tally.rows:,} rows", f"{tally.rows_per_s:,.0f} rows/s"]
    if not tally.size:
        return "   ".join(words)
    share = min(tally.size_done / tally.size, 1.0)
    left = [_clock((now_s - tally.began_s) * (1 - share) / share) + " left"] if share else []
    return "   ".join([f"{share:4.0%}", *words, *left])


def _clock(seconds: float) -> str:
    minutes, second = divmod(int(seconds), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02}:{second:02}"
