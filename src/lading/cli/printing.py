"""What is printed where: data on stdout, words on stderr."""

from __future__ import annotations

import contextlib
import sys


def rows_in_words(count: int) -> str:
    """`1 row`, `1,234 rows`."""
    return f"{count:,} row{'s' * (count != 1)}"


def data_apart() -> contextlib.AbstractContextManager[object]:
    """A context in which a model may be run: what it prints goes to stderr, as stdout is for data alone."""
    return contextlib.redirect_stdout(sys.stderr)
