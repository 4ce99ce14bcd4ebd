"""The data plane: one model, ready or not, that takes checked rows and answers them. It translates nothing.

What stands around it is handed in and keeps the protocols below: the gate before the answers (`Commit`), the
counters that everybody reads (`Counters`), and what completes rows that come without some columns (`Features`).
"""

from __future__ import annotations

import asyncio
import enum
import logging
import math
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from lading.bundle.about import about
from lading.bundle.manifest import Manifest
from lading.engine.answers import AnswerFormat, Checked
from lading.engine.batcher import Batcher, Run
from lading.engine.checking import check_golden
from lading.engine.job import Batch, Commit, CommitDone, Done, Job, Outcome, commit_at_once
from lading.engine.model import Model
from lading.engine.pace import Pace, measure
from lading.errors import LadingError, ModelError, NotReady, PredictionFailed, UsageError
from lading.schema.decode import Decoder, Limits
from lading.schema.fields import Schema
from lading.schema.synthetic import draw_rows
from lading.schema.table import Row
from lading.schema.unusual import Unusual
from lading.settings import Settings

__all__ = ["Batch", "Commit", "Counters", "Features", "Service", "State", "commit_at_once"]

logger = logging.getLogger(__name__)

_BROKEN = "the file is broken, or was saved with other versions: lading doctor FILE"


class Counters(Protocol):
    """Numbers by name and label, which other processes read. Nothing here fails or waits.

    The values of several labels stand in one text, with spaces between. A number is written by one thread.
    """

    def add(self, name: str, label: str = "", amount: float = 1) -> None:
        """Count: a number that only grows."""

    def observe(self, name: str, value: float, label: str = "") -> None:
        """Count a value in the bucket of its size."""

    def observe_all(self, name: str, values: Sequence[float], label: str = "") -> None:
        """Count values, each in its bucket."""

    def set(self, name: str, value: float, label: str = "") -> None:
        """Say how something stands now in this process."""


class Features(Protocol):
    """Completes the rows of requests, which have keys where the model has columns. Used from one event loop."""

    async def complete(self, rows: Sequence[Row], timeout_s: float) -> Sequence[Row]:
        """The rows as the model takes them.

        Raises:
            InputError: the store does not know all of the keys.
            Refused: it does not answer, or not in time.
            FeaturesInvalid: what it gave is not what the columns take.
        """

    def close(self) -> None:
        """Leave the store."""


MakeFeatures = Callable[[Manifest], Features]
"""Makes what completes the rows for a model that has lookups; may refuse to, which keeps the service from starting."""


def no_features(manifest: Manifest) -> Features:
    """Nothing, where nothing was handed in.

    Raises:
        UsageError: always.
    """
    raise UsageError(f"{manifest.name} looks features up, and nothing here does that")


class State(enum.Enum):
    """Where a service is in its life."""

    LOADING = "the model is loading"
    READY = "the service is ready"
    FAILED = "the model failed to load"
    DRAINING = "the service is stopping"
    CLOSED = "the service has stopped"


class Service:
    """One model in service.

    Attributes:
        settings: of the server, with the limits of the model once there is one.
        failure: why it failed, if it did.
        is_draining: it is stopping, and callers are to go elsewhere.
        name: of the model; empty while there is none.
        label: name and version of the model, `iris/1.0.0`; empty while there is none.
        route: where predictions are asked for; empty while there is no model.
        about: what the log says of the model, as JSON: its name, its version, and the short ones of its metadata.
        answered: called when the requests of a batch have their answers, for what can be done for all at once.
    """

    def __init__(
        self,
        settings: Settings,
        counters: Counters,
        *,
        commit: Commit = commit_at_once,
        features: MakeFeatures = no_features,
    ) -> None:
        self.settings = settings
        self.counters = counters
        self.failure: LadingError | None = None
        self.is_draining = False
        self.name = self.label = self.route = ""
        self.about = msgspec.Raw(b"null")
        self.answered: Callable[[], None] = lambda: None
        self._is_closed = False
        self._commit = commit
        self._make_features = features
        self._features: Features | None = None
        self._schema: Schema | None = None
        self._model: Model | None = None
        self._decoder: Decoder | None = None
        self._batcher: Batcher | None = None
        self._format: AnswerFormat | None = None
        self._model_s = 0.0

    def start(self, load: Callable[[], Model]) -> Model:
        """Load the model, warm it up, replay its golden rows, and only then be ready. May run in any thread.

        Raises:
            LadingError: it could not be loaded, or another answer came back; the service stays not ready.
        """
        try:
            model = load()
            manifest, schema = model.manifest, model.manifest.request_schema
            self.settings = self.settings.for_model(manifest.name).for_route(manifest.route)
            if self.settings.models and manifest.name not in self.settings.models:
                logger.warning("there are limits of models, and none of %s", manifest.name)
            features = self._make_features(manifest) if manifest.features else None
            golden_rows = check_golden(model)
            batcher = self._make_batcher(model, self._pace(model))
            decoder = Decoder(schema, self._limits)
        except LadingError as error:
            self.failure = error
            raise
        # Loading runs the model's own code, which may raise anything, and may even call `sys.exit`.
        except (Exception, SystemExit) as error:
            self.failure = ModelError(f"the model cannot be loaded: {type(error).__name__}", hint=_BROKEN)
            raise self.failure from error
        self._tell(model, golden_rows)
        self.name, self.label = manifest.name, f"{manifest.name}/{manifest.version}"
        self.route, self.about = manifest.route, about(manifest)
        self._format = AnswerFormat(model.schema)
        self._schema, self._features = schema, features
        self._decoder, self._batcher, self._model = decoder, batcher, model
        return model

    def stop(self) -> None:
        """Be ready no more; predictions are still answered, so that no caller fails who does not know it yet."""
        self.is_draining = True

    def close(self) -> None:
        """Answer nothing more, and refuse what still waits."""
        self.is_draining = self._is_closed = True
        if self._batcher is not None:
            self._batcher.close()
        if self._features is not None:
            self._features.close()

    @property
    def state(self) -> State:
        """Where it is in its life; ready only once the golden rows came back."""
        if self._is_closed:
            return State.CLOSED
        if self.is_draining:
            return State.DRAINING
        if self.failure is not None:
            return State.FAILED
        return State.LOADING if self._model is None else State.READY

    @property
    def is_ready(self) -> bool:
        """Whether requests should be sent here."""
        return self.state is State.READY

    @property
    def is_quick(self) -> bool:
        """Whether a small request may be decoded in the event loop, and is asked of the model as it comes."""
        decoder = self._decoder
        return decoder is not None and not decoder.takes_images and self._features is None and not self._is_closed

    @property
    def busy_s(self) -> float:
        """For how long the model has had its current batch; 0 while it has none."""
        return self._batcher.busy_s if self._batcher is not None else 0.0

    @property
    def model(self) -> Model:
        """The model.

        Raises:
            NotReady: it is not loaded, or failed to.
        """
        if self._model is None:
            raise NotReady(self.state.value)
        return self._model

    @property
    def manifest(self) -> Manifest:
        """What is known about the model."""
        return self.model.manifest

    @property
    def schema(self) -> Schema:
        """What requests bring and what they are answered: the model's own schema, unless some of it is looked up.

        Raises:
            NotReady: there is no model.
        """
        if self._schema is None:
            raise NotReady(self.state.value)
        return self._schema

    @property
    def decoder(self) -> Decoder:
        """Reads requests by their schema.

        Raises:
            NotReady: nothing is predicted, not yet or no more.
        """
        if self._decoder is None or self._is_closed:
            raise NotReady(self.state.value)
        return self._decoder

    @property
    def format(self) -> AnswerFormat:
        """How answers are written.

        Raises:
            NotReady: there is no model.
        """
        if self._format is None:
            raise NotReady(self.state.value)
        return self._format

    def metadata(self) -> dict[str, Any]:
        """What this model is, for `/metadata`: the manifest without its list of files."""
        model = self.model
        told: dict[str, Any] = msgspec.to_builtins(model.manifest)
        for name in ("files", "schema"):
            told.pop(name)
        # How and where they are looked up is no matter of the caller's.
        told["features"] = {
            name: {"key": lookup.key, "columns": lookup.columns} for name, lookup in model.manifest.features.items()
        }
        schema: dict[str, Any] = msgspec.to_builtins(self.schema)
        verified = msgspec.to_builtins(model.verified)
        return told | {"digest": f"sha256:{model.digest}", "signature": verified} | schema

    async def answer(self, rows: Sequence[Row], timeout_s: float, *, proba: bool, context: Any) -> Any:
        """The answer for the rows of a request, which are completed first where some columns are looked up.

        Raises:
            LadingError: as `Features.complete` and `predict_async`.
        """
        if self._features is not None:
            deadline = time.monotonic() + timeout_s
            rows = await self._features.complete(rows, timeout_s)
            timeout_s = deadline - time.monotonic()
        return await self.predict_async(rows, timeout_s, proba=proba, context=context)

    def predict(self, rows: Sequence[Row], done: Done, *, proba: bool, deadline: float | None, context: Any) -> Job:
        """Queue checked rows; `done` is called once, from the event loop, with the answer or the error.

        Raises:
            NotReady: nothing is predicted, not yet or no more.
            QueueFull: too much waits.
            UsageError: probabilities were asked of a model that gives none.
        """
        if self._batcher is None or self._is_closed:
            raise NotReady(self.state.value)
        if proba and not self.model.schema.has_probabilities:
            raise UsageError("this model gives no probabilities", code="proba.unsupported")
        return self._batcher.submit(rows, done, proba=proba, deadline=deadline, context=context)

    async def predict_async(
        self, rows: Sequence[Row], timeout_s: float | None = None, *, proba: bool = False, context: Any = None
    ) -> Any:
        """The answer for checked rows, or its error raised; a caller that is cancelled is skipped."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        deadline = loop.time() + (self.settings.request_timeout_s if timeout_s is None else timeout_s)

        def settle(outcome: Outcome) -> None:
            if not future.done():  # its caller left in this very turn of the loop
                future.set_result(outcome)

        job = self.predict(rows, settle, proba=proba, deadline=deadline, context=context)
        try:
            outcome = await future
        except asyncio.CancelledError:
            job.cancel()
            raise
        if isinstance(outcome, LadingError):
            raise outcome
        return outcome

    @property
    def _limits(self) -> Limits:
        settings = self.settings
        return Limits(settings.max_rows, settings.max_cells, settings.max_image_pixels)

    def _pace(self, model: Model) -> Pace:
        rows = draw_rows(model.schema.inputs, model.reference, min(64, self.settings.max_batch_rows))
        try:
            return measure(lambda some: model.run(some, proba=False), rows, clock=time.perf_counter)
        except PredictionFailed:
            # It fails on some rows of its schema, and will fail requests that send such; nothing is known of its pace.
            return Pace(math.inf, 0.0)

    def _make_batcher(self, model: Model, pace: Pace) -> Batcher:
        settings = self.settings
        return Batcher(
            self._timed(model.run, pace),
            commit=self._counted_commit,
            max_batch_rows=settings.max_batch_rows,
            max_queue_rows=settings.max_queue_rows,
            pace=pace,
            is_slow=lambda rows: pace.seconds(rows) > settings.inline_s,
            answered=lambda: self.answered(),
            tell_queued=lambda rows: self.counters.set("queue_rows", rows),
        )

    def _timed(self, run: Run, pace: Pace) -> Run:
        """The model, whose pace every batch corrects: one that turns slow is run in a thread from then on."""

        def timed(rows: Sequence[Row], *, proba: bool) -> tuple[Checked, Sequence[Unusual]]:
            start = time.perf_counter()
            try:
                return run(rows, proba=proba)
            finally:
                model_s = time.perf_counter() - start
                pace.note(len(rows), model_s)
                self._model_s += model_s

        return timed

    def _tell(self, model: Model, golden_rows: int) -> None:
        """Say once what is served."""
        manifest, counters = model.manifest, self.counters
        counters.set("queue_rows", 0)
        engine = manifest.engine.name if manifest.engine is not None else "native"
        counters.set("model_info", 1, f"{manifest.name} {manifest.version} {engine}")
        counters.set("golden_rows", golden_rows)
        if model.verified is not None:
            counters.set("signature_info", 1, f"{model.verified.key_id} {model.verified.digest}")
        if manifest.engine is not None and (parity := manifest.engine.parity) is not None:
            counters.set("parity_rows", parity.rows - parity.forgiven)
            counters.set("parity_largest_difference", parity.largest_difference)

    def _counted_commit(self, batch: Batch, done: CommitDone) -> None:
        counters = self.counters
        rows = sum(len(job.rows) for job in batch.jobs)
        counters.add("batches")
        counters.add("rows", amount=rows)
        counters.observe("batch_rows", rows)
        # A batch that fails is run in parts; the next one begins after this.
        counters.observe("model_seconds", self._model_s)
        self._model_s = 0.0
        for outcome in batch.outcomes:
            if isinstance(outcome, LadingError):
                counters.add("failures", outcome.code)
            elif outcome.warnings:
                for warning in outcome.warnings:
                    counters.add("warnings", warning.column, warning.rows)
        self._commit(batch, done)
