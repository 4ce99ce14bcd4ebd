"""What is printed where: data on stdout, words on stderr."""

from __future__ import annotations

import contextlib
import sys


def data_apart() -> contextlib.AbstractContextManager[object]:
    """A context in which a model may be run: what it prints goes to stderr, as stdout is for data alone."""
    return contextlib.redirect_stdout(sys.stderr)
