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
_Stamp = tuple[int, int, int] | None


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
        self._stamp = self._stamp_now()
        self.content = read(path)

    def refresh(self) -> bool:
        """Look whether it has changed; true where it has, and could be read."""
        # Looked at before it is read: what changes in between is seen the next time.
        stamp = self._stamp_now()
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        try:
            self.content = self._read(self._path)
        except LadingError as error:
            logger.error("%s; what was read before holds", error.message)
            return False
        return True

    def _stamp_now(self) -> _Stamp:
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size
