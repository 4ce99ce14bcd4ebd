"""The processes of a supervised server, as the system shows them: `/proc` of Linux."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

WAIT_S = 60.0


def children(pid: int) -> list[int]:
    """The processes that a process has begun and that still run."""
    return [int(path.name) for path in Path("/proc").glob("[0-9]*") if _parent(path) == pid]


def _parent(process: Path) -> int | None:
    try:
        fields = (process / "stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return None
    return int(fields[1]) if fields[0] != "Z" else None


def masters(supervisor: int) -> list[int]:
    """The masters of its generations."""
    return children(supervisor)


def workers(supervisor: int) -> list[int]:
    """The workers of all its generations."""
    return [worker for master in masters(supervisor) for worker in children(master)]


def family(supervisor: int) -> list[int]:
    """The supervisor and everybody below it."""
    return [supervisor, *masters(supervisor), *workers(supervisor)]


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    return _parent(Path("/proc") / str(pid)) is not None


def zombies(pid: int) -> int:
    """How many processes have ended for which this one should have waited."""
    found = 0
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (path / "stat").read_text().rpartition(") ")[2].split()
            found += fields[:2] == ["Z", str(pid)]
    return found


def kill(pid: int) -> None:
    """Kill a process that may have ended already."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def until(is_so: Callable[[], object], what: str, *, limit_s: float = WAIT_S) -> float:
    """Wait until something is so.

    Returns:
        How many seconds that took.
    """
    start = time.monotonic()
    while not is_so():
        assert time.monotonic() - start < limit_s, f"{what}: not within {limit_s} s"
        time.sleep(0.01)
    return time.monotonic() - start


def pss_bytes(pid: int) -> int:
    """Memory of a process, what it shares divided by who shares it."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))


def private_bytes(pid: int) -> int:
    """Memory of a process that nobody shares."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Private_"))
