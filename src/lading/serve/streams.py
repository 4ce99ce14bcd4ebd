"""The three standard streams, whatever whoever started this process has made of them."""

from __future__ import annotations

import os
import sys


def open_missing_streams() -> None:
    """Open what was closed of the three, onto nothing: else a socket would get its number, and be written to."""
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(fd, True)
    os.close(fd)
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")


def announce(text: str) -> None:
    """Print a text, if somebody reads it; that nobody does is no reason not to serve."""
    try:
        print(text, flush=True)
    except OSError:
        sys.stdout = sys.stderr  # what is left in the old one would fail again at exit
