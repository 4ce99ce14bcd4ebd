"""One request in the engine, the batch it goes with, and the gate that both pass before the answer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from lading.engine.answers import Answer
from lading.errors import LadingError
from lading.schema.table import Row

logger = logging.getLogger(__name__)

Outcome = Answer | LadingError
Done = Callable[[Outcome], None]


class Job(msgspec.Struct, eq=False):
    """One request in the engine.

    Attributes:
        rows: checked rows.
        done: called once, with the answer or the error; see `answer`.
        proba: whether probabilities were asked for.
        deadline: on the clock of the event loop; None waits for ever.
        context: anything of the caller's, carried through to commit.
        is_done: it was answered, or its caller left.
    """

    rows: Sequence[Row]
    done: Done
    proba: bool = False
    deadline: float | None = None
    context: Any = None
    is_done: bool = False

    def cancel(self) -> None:
        """The caller left: nothing more is done for it, and a late answer is discarded."""
        self.is_done = True

    def answer(self, outcome: Outcome) -> None:
        """Give the caller its outcome, once; later ones are discarded."""
        if self.is_done:
            return
        self.is_done = True
        try:
            self.done(outcome)
        except Exception:
            logger.exception("a caller failed while it took its answer")


class Batch(msgspec.Struct, frozen=True, eq=False, gc=False):
    """Requests that went through the model together, and what each is to get once they are committed.

    A job that is done before that, because its caller left or was told that it is too late, gets nothing.
    """

    jobs: Sequence[Job]
    outcomes: Sequence[Outcome]


CommitDone = Callable[[Exception | None], None]


class Commit(Protocol):
    """The gate between the model and the answers.

    `done` is to be called exactly once, in the event loop's thread, with an error or None; only then are the
    requests of the batch answered: with their outcomes, or with 'the journal is unavailable'.
    """

    def __call__(self, batch: Batch, done: CommitDone) -> None:
        """Record the batch."""


def commit_at_once(batch: Batch, done: CommitDone) -> None:
    """The gate where nothing is recorded."""
    done(None)
