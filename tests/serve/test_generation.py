"""What stays when a generation cannot be started, and what happens in its processes before anything is served."""

import asyncio
import os
import signal
import tempfile
import time
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.arbiter import Arbiter

from lading.errors import LadingError, UsageError
from lading.serve.generation import Generation
from lading.serve.master import Master
from lading.serve.worker import LadingWorker


@pytest.mark.parametrize(
    ("error", "raised"), [(UsageError("no room"), UsageError), (OSError(24, "Too many open files"), LadingError)]
)
def test_a_generation_that_cannot_be_started_leaves_no_pipe(error: Exception, raised: type[LadingError]):
    def refuse(reports: int, gate: int) -> Any:
        raise error

    async def run() -> tuple[int, int]:
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(raised):
            await Generation.start(refuse, lambda: None)
        return before, len(os.listdir("/proc/self/fd"))

    before, after = asyncio.run(run())
    assert before == after


def test_signals_for_a_worker_are_held_back_until_it_can_take_them(monkeypatch: pytest.MonkeyPatch):
    """A copy of the master would take them for the master's own, and forget them."""
    held: list[set[signal.Signals]] = []

    def fork(master: Any) -> int:
        held.append(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
        return 7

    monkeypatch.setattr(Arbiter, "spawn_worker", fork)
    master: Any = object.__new__(Master)
    master.WORKERS = {7: SimpleNamespace(slot=0)}
    master._prepared = SimpleNamespace(slot=0, order=SimpleNamespace(slots=(0, 1)))
    master.spawn_worker()
    assert {signal.SIGTERM, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2} <= held[0]
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()


def test_a_worker_tells_since_when_its_model_has_not_returned():
    worker: Any = object.__new__(LadingWorker)
    with tempfile.TemporaryFile() as worker.tmp:
        with pytest.raises(TimeoutError):
            asyncio.run(asyncio.wait_for(worker._notify(SimpleNamespace(busy_s=1000.0)), 0.01))
        told_s = time.monotonic() - os.fstat(worker.tmp.fileno()).st_mtime
    assert 1000 <= told_s < 1060
