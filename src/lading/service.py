"""The data plane: one model, ready or not, that takes checked rows and answers them. It translates nothing.

What stands around it is handed in and keeps the protocols below: the gate before the answers (`Commit`), and the
counters that everybody reads (`Counters`).
"""

from __future__ import annotations

import asyncio
import enum
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from lading.bundle.manifest import Manifest
from lading.engine.batcher import Batch, Batcher, Commit, CommitDone, Done, Job, commit_at_once
from lading.engine.golden import replay
from lading.engine.model import Model
from lading.engine.pace import Pace, measure
from lading.errors import LadingError, NotReady, UsageError
from lading.schema.decode import Decoder, Limits
from lading.schema.synthetic import draw_rows
from lading.schema.table import Row
from lading.settings import Settings

__all__ = ["Batch", "Commit", "Counters", "Service", "State", "commit_at_once"]

logger = logging.getLogger(__name__)


class Counters(Protocol):
    """Numbers that only grow, each by name and label."""

    def add(self, name: str, label: str = "", amount: float = 1) -> None:
        """Count; never fails, never waits."""


class State(enum.Enum):
    """Where a service is in its life."""

    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"
    DRAINING = "draining"


class Service:
    """One model in service.

    Attributes:
        state: ready only once the golden rows came back.
        failure: why it failed, if it did.
    """

    def __init__(self, settings: Settings, counters: Counters, *, commit: Commit = commit_at_once) -> None:
        self.settings = settings
        self.counters = counters
        self.state = State.LOADING
        self.failure: LadingError | None = None
        self._commit = commit
        self._model: Model | None = None
        self._decoder: Decoder | None = None
        self._batcher: Batcher | None = None

    def start(self, load: Callable[[], Model]) -> Model:
        """Load the model, warm it up, replay its golden rows, and only then be ready. May run in any thread.

        Raises:
            LadingError: it could not be loaded, or another answer came back; the service stays not ready.
        """
        try:
            model = load()
            self._check(model)
        except LadingError as error:
            self.failure = error
            self.state = State.FAILED
            raise
        limits = Limits(self.settings.max_rows, self.settings.max_cells)
        self._decoder = Decoder(model.schema, limits)
        self._batcher = self._make_batcher(model, self._pace(model))
        self._model = model
        self.state = State.READY
        return model

    def stop(self) -> None:
        """Be ready for nothing more; requests in flight are answered."""
        self.state = State.DRAINING

    def close(self) -> None:
        """Refuse what still waits."""
        self.stop()
        if self._batcher is not None:
            self._batcher.close()

    @property
    def is_ready(self) -> bool:
        """Whether predictions are answered as they should be."""
        return self.state is State.READY

    @property
    def model(self) -> Model:
        """The model.

        Raises:
            NotReady: it is not loaded, or failed to.
        """
        if self._model is None:
            raise NotReady("the model failed to load" if self.failure else "the model is loading")
        return self._model

    @property
    def manifest(self) -> Manifest:
        """What is known about the model."""
        return self.model.manifest

    @property
    def decoder(self) -> Decoder:
        """Reads requests by the model's schema."""
        if self._decoder is None or not self.is_ready:
            raise NotReady(self._why_not())
        return self._decoder

    def metadata(self) -> dict[str, Any]:
        """What this model is, for `/metadata`: the manifest without its list of files."""
        model = self.model
        told: dict[str, Any] = msgspec.to_builtins(model.manifest)
        for name in ("files", "schema"):
            told.pop(name)
        schema: dict[str, Any] = msgspec.to_builtins(model.schema)
        return told | {"digest": f"sha256:{model.digest}"} | schema

    def predict(self, rows: Sequence[Row], done: Done, *, proba: bool, deadline: float | None, context: Any) -> Job:
        """Queue checked rows; `done` is called once, from the event loop, with the answer or the error.

        Raises:
            NotReady: the model is not ready.
            QueueFull: too much waits.
            UsageError: probabilities were asked of a model that gives none.
        """
        if self._batcher is None or not self.is_ready:
            raise NotReady(self._why_not())
        if proba and not self.model.schema.has_probabilities:
            raise UsageError("this model gives no probabilities", code="proba.unsupported")
        return self._batcher.submit(rows, done, proba=proba, deadline=deadline, context=context)

    async def predict_async(self, rows: Sequence[Row], *, proba: bool = False, context: Any = None) -> Any:
        """The answer for checked rows, or its error raised; a caller that is cancelled is skipped."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        deadline = loop.time() + self.settings.request_timeout_s
        job = self.predict(rows, future.set_result, proba=proba, deadline=deadline, context=context)
        try:
            outcome = await future
        except asyncio.CancelledError:
            job.cancel()
            raise
        if isinstance(outcome, LadingError):
            raise outcome
        return outcome

    def _why_not(self) -> str:
        words = {
            State.LOADING: "the model is loading",
            State.FAILED: "the model failed to load",
            State.DRAINING: "the service is stopping",
        }
        return words[self.state]

    def _check(self, model: Model) -> None:
        """Warm up with rows whose answers are known, or, for a bare file, with rows of its own schema."""
        if model.golden is None:
            model.answer_rows(draw_rows(model.schema.inputs, model.reference, 1))
            return
        is_with_proba = model.golden.probabilities is not None
        replay(model.golden, model.schema, lambda rows: _both(model, rows, is_with_proba))

    def _pace(self, model: Model) -> Pace:
        rows = draw_rows(model.schema.inputs, model.reference, min(64, self.settings.max_batch_rows))
        return measure(lambda some: model.run(some, proba=False), rows, clock=time.perf_counter)

    def _make_batcher(self, model: Model, pace: Pace) -> Batcher:
        settings = self.settings
        return Batcher(
            model.run,
            commit=self._counted_commit,
            max_batch_rows=settings.max_batch_rows,
            max_queue_rows=settings.max_queue_rows,
            is_slow=lambda rows: pace.seconds(rows) > settings.inline_s,
        )

    def _counted_commit(self, batch: Batch, done: CommitDone) -> None:
        counters = self.counters
        counters.add("batches")
        counters.add("rows", amount=sum(len(job.rows) for job in batch.jobs))
        for outcome in batch.outcomes:
            if isinstance(outcome, LadingError):
                counters.add("failures", outcome.code)
                continue
            for warning in outcome.warnings:
                counters.add("warnings", warning.column, warning.rows)
        self._commit(batch, done)


def _both(model: Model, rows: Sequence[Row], proba: bool) -> tuple[Sequence[Any], Sequence[Any] | None]:
    answer = model.answer_rows(rows, proba=proba)
    return answer.predictions, answer.probabilities
