"""Words of others on a terminal: a file may say what it likes of itself, but not move the cursor or forge a line."""

from __future__ import annotations

import contextlib
import sys


def data_apart() -> contextlib.AbstractContextManager[object]:
    """A context in which a model may be run: what it prints goes to stderr, as stdout is for data alone."""
    return contextlib.redirect_stdout(sys.stderr)


def printable(text: str) -> str:
    """The text with whatever a terminal would act upon written as an escape."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
