"""A batch leaves when the model is free: no window, nothing to tune.

Requests that arrive while the model works, or in the same turn of the event loop, go through it together. Each
carries its own callback, so an answer can reach no other request; each is called exactly once.

    submit ─ queue (bounded) ─ turn: take up to a batch, skip who left or is late ─ model ─ split ─ commit ─ answer

A model whose batch would take long runs in a thread of its own, so that everything else goes on; a fast one runs
inline, which costs no hand-over. Who fails of a batch that failed is always found in the thread.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from lading.engine.answers import Answer, Checked, with_row
from lading.engine.job import Batch, Commit, Done, Job, Outcome, commit_at_once
from lading.engine.pace import Pace
from lading.errors import (
    DeadlineExceeded,
    JournalUnavailable,
    LadingError,
    NotReady,
    PredictionFailed,
    QueueFull,
)
from lading.schema.table import Row
from lading.schema.unusual import Unusual

logger = logging.getLogger(__name__)

Run = Callable[..., tuple[Checked, Sequence[Unusual]]]
"""`run(rows, proba=…)`: a batch through the model."""

SWEEP_S = 0.05
"""How often requests that wait are looked over for deadlines that passed while the model works."""


class Batcher:
    """The queue before one model; used from one event loop."""

    def __init__(
        self,
        run: Run,
        *,
        commit: Commit = commit_at_once,
        max_batch_rows: int = 1024,
        max_queue_rows: int = 20_000,
        is_slow: Callable[[int], bool] = lambda rows: False,
        pace: Pace | None = None,
        tell_queued: Callable[[int], None] = lambda rows: None,
        answered: Callable[[], None] = lambda: None,
    ) -> None:
        self._run = run
        self._commit = commit
        self._max_batch_rows = max_batch_rows
        self._max_queue_rows = max_queue_rows
        self._is_slow = is_slow
        self._pace = pace or Pace(0.0, 0.0)
        self._tell_queued = tell_queued
        self._answered = answered
        self._told_rows = 0
        self._queue: deque[Job] = deque()
        self._queued_rows = 0
        self._running: Sequence[Job] = ()
        self._committing: set[Batch] = set()
        self._is_busy = False
        self._began: float | None = None
        self._thread: _ModelThread | None = None
        self._sweep: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def queued_rows(self) -> int:
        """Rows that wait for the model."""
        return self._queued_rows

    @property
    def busy_s(self) -> float:
        """For how long the batch that is in the model has been there; 0 when none is. On the event loop's clock."""
        began, loop = self._began, self._loop  # read once: another thread may ask
        return 0.0 if began is None or loop is None else loop.time() - began

    def submit(
        self,
        rows: Sequence[Row],
        done: Done,
        *,
        proba: bool = False,
        deadline: float | None = None,
        context: Any = None,
    ) -> Job:
        """Queue a request; `done` is called once with its answer or its error, never from within this call.

        Raises:
            QueueFull: too many rows wait already, or for so long that this one would hardly be in time.
        """
        count = len(rows)
        if self._queued_rows and self._queued_rows + count > self._max_queue_rows:
            raise QueueFull(f"more than {self._max_queue_rows} rows wait for the model")
        if not self._is_busy or self._loop is None or not self._loop.is_running():
            self._begin()
        elif self._running and self._queue and deadline is not None:
            self._refuse_late(deadline - self._loop.time())
        job = Job(rows, done, proba, deadline, context)
        self._queue.append(job)
        self._queued_rows += count
        if self._running:
            self._tell()
        return job

    def _begin(self) -> None:
        """Have a turn, soon."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._move(loop)
        self._is_busy = True
        loop.call_soon(self._turn)

    def _refuse_late(self, left_s: float) -> None:
        # Half of the time is for what the pace does not know: the batch that runs, and other work of this machine.
        if self._pace.wait_s(self._queued_rows) > left_s / 2:
            raise QueueFull("what waits for the model takes longer than this request has time")

    def _tell(self) -> None:
        """Say how many rows wait, unless it was said: those that wait for the end of this turn only do not count."""
        if self._queued_rows != self._told_rows:
            self._told_rows = self._queued_rows
            self._tell_queued(self._told_rows)

    def _move(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin anew on another event loop, as test clients have one a request; who waited on the last is gone."""
        if self._loop is not None and self._loop.is_running():
            raise RuntimeError("a batcher is used from one event loop")
        self._loop = loop
        self._queue.clear()
        self._queued_rows = 0
        self._running = ()
        self._began = None
        self._committing.clear()
        self._is_busy = False
        self._sweep = None
        self._stop_thread()

    def close(self) -> None:
        """Refuse what waits; a batch in the model's thread is left to end by itself."""
        waiting, self._queue = self._queue, deque()
        self._queued_rows = 0
        self._tell()
        for job in waiting:
            job.answer(NotReady("the service is stopping"))
        if self._sweep is not None:
            self._sweep.cancel()
        self._stop_thread()

    def _stop_thread(self) -> None:
        if self._thread is not None:
            self._thread.close()
            self._thread = None

    def _turn(self) -> None:
        assert self._loop is not None
        jobs, rows = self._take()
        self._tell()
        if not jobs:
            self._is_busy = False
            return
        self._running, self._began = jobs, self._loop.time()
        if self._is_slow(rows):
            self._go_on_in_thread(jobs, lambda: self._outcomes(jobs))
            return
        try:
            outcomes = self._outcomes_together(jobs)
        except BaseException as error:
            # A batch that is quick while it goes well may take many runs to find who fails.
            failed = error
            self._go_on_in_thread(jobs, lambda: self._outcomes_apart(jobs, failed))
            return
        self._finish(jobs, outcomes)

    def _go_on_in_thread(self, jobs: Sequence[Job], find: Callable[[], list[Outcome]]) -> None:
        assert self._loop is not None
        loop = self._loop
        self._thread = self._thread or _ModelThread()
        self._thread.call(lambda: loop.call_soon_threadsafe(self._finish, jobs, find()))
        self._watch_deadlines()

    def _take(self) -> tuple[list[Job], int]:
        """The next jobs, up to a batch; one that is larger than a batch goes by itself."""
        assert self._loop is not None
        now = self._loop.time()
        jobs: list[Job] = []
        rows = 0
        most = min(self._max_batch_rows, self._pace.batch_rows)
        while self._queue:
            job = self._queue[0]
            count = len(job.rows)
            if jobs and rows + count > most:
                break
            self._queue.popleft()
            self._queued_rows -= count
            if job.deadline is not None and job.deadline <= now:
                job.answer(DeadlineExceeded("the deadline passed in the queue"))
            if not job.is_done:
                jobs.append(job)
                rows += count
        return jobs, rows

    def _outcomes(self, jobs: Sequence[Job]) -> list[Outcome]:
        try:
            return self._outcomes_together(jobs)
        # A model is anybody's code: `sys.exit` and a panic in Rust are no `Exception`, and must not end the loop.
        except BaseException as error:
            return self._outcomes_apart(jobs, error)

    def _outcomes_apart(self, jobs: Sequence[Job], error: BaseException) -> list[Outcome]:
        """What each job of a batch that failed gets: it is halved until what fails stands alone."""
        if len(jobs) == 1:
            return [self._blame(jobs[0], error)]
        middle = len(jobs) // 2
        return self._outcomes(jobs[:middle]) + self._outcomes(jobs[middle:])

    def _outcomes_together(self, jobs: Sequence[Job]) -> list[Outcome]:
        rows = jobs[0].rows if len(jobs) == 1 else [row for job in jobs for row in job.rows]
        checked, unusual = self._run(rows, proba=any(job.proba for job in jobs))
        if not checked.faults and not unusual and checked.probabilities is None and _are_single(jobs):
            return [Answer([prediction]) for prediction in checked.predictions]
        outcomes: list[Outcome] = []
        start = 0
        for job in jobs:
            within = slice(start, start + len(job.rows))
            start = within.stop
            refusal = checked.refuse(within, proba=job.proba)
            outcomes.append(_answer(checked, unusual, within, job) if refusal is None else refusal)
        return outcomes

    def _blame(self, job: Job, error: BaseException) -> LadingError:
        """The error of a job that fails alone; of many rows, it names the first that fails."""
        if not isinstance(error, PredictionFailed):
            failure = PredictionFailed("the model's answer could not be used", code="model.failed")
            failure.__cause__ = error
            error = failure
        if len(job.rows) < 2:
            return error
        first = self._first_failing(job.rows, proba=job.proba)
        return error if first is None else with_row(error, first)

    def _first_failing(self, rows: Sequence[Row], *, proba: bool) -> int | None:
        """Where the first row stands on which the model fails, or None when each alone goes well."""
        start, stop = 0, len(rows)
        while stop - start > 1:
            middle = (start + stop) // 2
            if self._fails(rows[start:middle], proba=proba):
                stop = middle
            else:
                start = middle
        return start if self._fails(rows[start:stop], proba=proba) else None

    def _fails(self, rows: Sequence[Row], *, proba: bool) -> bool:
        try:
            self._run(rows, proba=proba)
        except BaseException:
            return True
        return False

    def _finish(self, jobs: Sequence[Job], outcomes: Sequence[Outcome]) -> None:
        """The model is free: hand its batch to the gate, and go on with what waits."""
        assert self._loop is not None
        self._running = ()
        self._began = None
        self._is_busy = bool(self._queue)
        if self._is_busy:
            self._loop.call_soon(self._turn)
        _expire(jobs, self._loop.time(), "in the model")
        batch = Batch(tuple(jobs), tuple(outcomes))
        self._committing.add(batch)
        try:
            self._commit(batch, lambda error: self._committed(batch, error))
        except Exception as error:
            self._committed(batch, error)
        if self._committing:
            self._watch_deadlines()

    def _committed(self, batch: Batch, error: Exception | None) -> None:
        if batch not in self._committing:
            logger.error("a batch was committed twice")
            return
        self._committing.discard(batch)
        if error is not None:
            logger.error("a batch could not be recorded: %s", type(error).__name__)
        for job, outcome in zip(batch.jobs, batch.outcomes, strict=True):
            job.answer(outcome if error is None else JournalUnavailable("the decision could not be recorded"))
        self._answered()

    def _watch_deadlines(self) -> None:
        if self._sweep is None and self._loop is not None:
            self._sweep = self._loop.call_later(SWEEP_S, self._sweep_deadlines)

    def _sweep_deadlines(self) -> None:
        """Answer those whose deadline passes while the model works or the gate is shut."""
        assert self._loop is not None
        self._sweep = None
        now = self._loop.time()
        _expire(self._queue, now, "in the queue")
        _expire(self._running, now, "in the model")
        for batch in tuple(self._committing):
            _expire(batch.jobs, now, "while it was recorded")
        self._forget_done()
        if self._is_busy or self._committing:
            self._watch_deadlines()

    def _forget_done(self) -> None:
        """Make room in the queue: who left, or was told that it is too late, does not wait any more."""
        if any(job.is_done for job in self._queue):
            self._queue = deque(job for job in self._queue if not job.is_done)
            self._queued_rows = sum(len(job.rows) for job in self._queue)
            self._tell()


def _expire(jobs: Sequence[Job] | deque[Job], now: float, phase: str) -> None:
    # Found before any is told: a caller who is told may submit again, into the queue that is looked through.
    late = [job for job in jobs if job.deadline is not None and job.deadline <= now]
    for job in late:
        job.answer(DeadlineExceeded(f"the deadline passed {phase}"))


def _are_single(jobs: Sequence[Job]) -> bool:
    return {len(job.rows) for job in jobs} == {1}


def _answer(checked: Checked, unusual: Sequence[Unusual], within: slice, job: Job) -> Answer:
    probabilities = checked.probabilities[within] if job.proba and checked.probabilities is not None else None
    warnings = [w for column in unusual if (w := column.within(within)) is not None] if unusual else ()
    return Answer(checked.predictions[within], probabilities, warnings)


class _ModelThread:
    """One daemon thread that does one call at a time: a model that never returns cannot keep the process alive."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        threading.Thread(target=self._work, name="lading-model", daemon=True).start()

    def call(self, fn: Callable[[], Any]) -> None:
        self._calls.put(fn)

    def close(self) -> None:
        self._calls.put(None)

    def _work(self) -> None:
        while (fn := self._calls.get()) is not None:
            try:
                fn()
            except RuntimeError:
                # The event loop is closed: nobody waits any more.
                return
