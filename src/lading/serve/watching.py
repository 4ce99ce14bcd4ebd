"""For development: notices when a model, its declarations, or Python code beside it were written."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

from lading.settings import CONFIG_NAME

_LOOK_S = 0.5
MAX_FILES = 10_000
"""Of any kind, that are looked through for Python code; a folder with more of them is none of one's own code."""
_NOT_OWN = {"site-packages", "node_modules", "__pycache__", "venv"}

Stamps = dict[str, tuple[int, int]]


async def changes(files: Sequence[Path]) -> AsyncIterator[str]:
    """The name of a file that changed, each time when nothing changes any more.

    Args:
        files: the model's own, and others that were named.
    """
    folders = (files[0].parent.resolve(), Path.cwd())
    changed = Changed(await asyncio.to_thread(stamps, files, folders))
    while True:
        await asyncio.sleep(_LOOK_S)
        name = changed.look(await asyncio.to_thread(stamps, files, folders))
        if name is not None:
            yield Path(name).name


class Changed:
    """Compares what is there with what was there; a file that is still being written is waited for."""

    def __init__(self, stamps: Stamps) -> None:
        self._known = self._last = stamps

    def look(self, now: Stamps) -> str | None:
        """The path of a file that is another one than was known, once two looks saw the same."""
        is_settled, self._last = now == self._last, now
        if not is_settled or now == self._known:
            return None
        known, self._known = self._known, now
        return next(path for path in known | now if known.get(path) != now.get(path))


def stamps(files: Sequence[Path], folders: Sequence[Path]) -> Stamps:
    """When each file was written, and its size: the model's, its declarations and the Python code in these folders."""
    found = {}
    for path in _watched(files, folders):
        try:
            status = os.stat(path)
        except OSError:
            continue
        found[str(path)] = (status.st_mtime_ns, status.st_size)
    return found


def _watched(files: Sequence[Path], folders: Sequence[Path]) -> Iterator[str | Path]:
    yield from (*files, files[0].parent / CONFIG_NAME)
    count = 0
    for folder in dict.fromkeys(folders):
        for root, inner, names in os.walk(folder):
            inner[:] = sorted(name for name in inner if name not in _NOT_OWN and not name.startswith("."))
            yield from (os.path.join(root, name) for name in names if name.endswith(".py"))
            count += len(inner) + len(names)
            if count > MAX_FILES:
                return
