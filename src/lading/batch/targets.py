"""Where rows are answered: by a model, in as many processes as are wanted, or by a service."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from lading.batch.answering import Answering, ModelAnswering, identity_of
from lading.batch.chunk import Chunk, encode_part
from lading.batch.plan import Plan
from lading.batch.scorer import Scorer
from lading.batch.service import ServiceAnswering
from lading.batch.workers import Order, Worker
from lading.bundle.declared import Declared
from lading.engine.loading import load
from lading.errors import UsageError
from lading.remote.about import about_service
from lading.remote.wire import Headers

_LANES = 2
"""Chunks that are sent to a service at a time."""

Lane = Callable[[Chunk], bytes]


class Target(Protocol):
    """What answers.

    Attributes:
        name: of it, for people.
        identity: a digest of all that its answers depend on.
        answering: for rows that are asked for in this process.
    """

    name: str
    identity: str
    answering: Answering

    def lanes(self, plan: Plan, *, is_alone: bool) -> AbstractContextManager[Sequence[Lane]]:
        """A context with what scores chunks side by side; one lane in this process where a chunk `is_alone`."""

    def close(self) -> None:
        """Let go of what it holds."""


class ModelTarget:
    """A model in this process, and in others."""

    def __init__(self, path: Path, *, ignore_versions: bool, declared: Declared | None, workers: int) -> None:
        model = load(path, ignore_versions=ignore_versions, declared=declared)
        self._order = (path, ignore_versions, declared)
        self._workers = workers
        self.name = model.manifest.class_name
        self.identity = identity_of(model)
        self.answering: Answering = ModelAnswering(model)

    @contextmanager
    def lanes(self, plan: Plan, *, is_alone: bool) -> Iterator[Sequence[Lane]]:
        """A worker for each lane; none where one is enough."""
        if is_alone or self._workers == 1:
            yield [_lane(self.answering, plan)]
            return
        with ExitStack() as stack:
            workers = [Worker(Order(*self._order, self.identity, plan)) for _ in range(self._workers)]
            for worker in workers:
                stack.callback(worker.end)
            yield [worker.score for worker in workers]

    def close(self) -> None:
        """Nothing: workers end with their lanes."""


class ServiceTarget:
    """A service that is asked over several connections."""

    def __init__(self, url: str, headers: Headers, *, concurrency: int) -> None:
        about = about_service(url, headers)
        if not about.digest:
            raise UsageError("the service does not say what it serves")
        self.name = "the service"
        self.identity = about.digest
        self._answering = ServiceAnswering(url, headers, about, concurrency)
        self.answering: Answering = self._answering

    @contextmanager
    def lanes(self, plan: Plan, *, is_alone: bool) -> Iterator[Sequence[Lane]]:
        """A few lanes, so that the connections have work while a chunk is read or written."""
        yield [_lane(self.answering, plan) for _ in range(_LANES)]

    def close(self) -> None:
        """End the connections."""
        self._answering.close()


def _lane(answering: Answering, plan: Plan) -> Lane:
    scorer = Scorer(answering, plan)
    return lambda chunk: encode_part(scorer.score(chunk))
