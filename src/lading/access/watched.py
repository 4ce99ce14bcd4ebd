"""A file that is read anew whenever it has changed."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from lading.errors import LadingError

logger = logging.getLogger(__name__)

Content = TypeVar("Content")
Stamp = tuple[int, ...]


class Watched(Generic[Content]):
    """What a file holds now; where it cannot be read any more, what it held last.

    Args:
        path: of the file.
        read: what reads it; its error is the caller's at the start, and only logged later.

    Attributes:
        content: what it holds.
    """

    def __init__(self, path: Path, read: Callable[[Path], Content]) -> None:
        self._path = path
        self._read = read
        self._stamp = stamp_of(path)
        self.content = read(path)
        self._failure = ""

    def refresh(self) -> bool:
        """Look whether it has changed; true where it has, and could be read."""
        # Looked at before it is read: what changes in between is seen the next time.
        stamp = stamp_of(self._path)
        if stamp == self._stamp:
            return False
        try:
            self.content = self._read(self._path)
        except LadingError as error:
            # It is tried again until it can be read: somebody may have lost a right.
            if error.message != self._failure:
                logger.error("%s; what was read before holds", error.message)
            self._failure = error.message
            return False
        self._stamp, self._failure = stamp, ""
        return True


def stamp_of(path: Path) -> Stamp:
    """What changes whenever a file does, or who may read it; nothing of one that is not there."""
    try:
        found = os.stat(path)
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
