"""Everything exits when its parent does, however that ended: a pipe that only the parent could keep open has closed."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from types import TracebackType
from typing import Self

_PR_SET_PDEATHSIG = 1  # linux/prctl.h; see prctl(2)
ORPHANED = 1
"""The exit code of a process whose parent has gone."""


class Lifeline:
    """Ends this process as soon as the pipe closes, whatever else it does.

    A thread waits, because the event loop may be busy, or may not run yet. Used as a context manager it has ended
    when the block has: a process that forks must have no other thread.

    Args:
        fd: the end of the pipe that is read. Nothing is ever written to it.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._until, self._end = os.pipe()
        self._thread = threading.Thread(target=self._wait, name="lading-lifeline", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._end)
        self._thread.join()
        os.close(self._until)

    def _wait(self) -> None:
        readable, _, _ = select.select([self._fd, self._until], [], [])
        if self._fd in readable:
            os._exit(ORPHANED)


def is_cut(fd: int) -> bool:
    """Whether the pipe has closed."""
    return bool(select.select([fd], [], [], 0)[0])


def end_with_parent() -> None:
    """Have the system end this process with its parent, where it can: on Linux.

    A thread does not run while native code keeps the interpreter to itself.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
