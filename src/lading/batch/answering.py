"""Who answers checked rows: a model in this process, or a service elsewhere."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from lading.batch.chunk import CHUNK_ROWS
from lading.bundle.manifest import encode_manifest
from lading.engine.answers import Answer
from lading.engine.model import Model
from lading.schema.fields import Schema
from lading.schema.table import Row

_T = TypeVar("_T")
_Result = TypeVar("_Result")


class Answering(Protocol):
    """Answers checked rows.

    Attributes:
        schema: what it takes and gives.
        most_rows: that it takes at once.
    """

    schema: Schema
    most_rows: int

    def answer(self, rows: Sequence[Row], *, proba: bool) -> Answer:
        """The answer for these rows.

        Raises:
            InputError, BrokenInput, TooLarge, PredictionFailed: for these rows there is none; perhaps for others.
            LadingError: there will be none for others either.
        """

    def map(self, fn: Callable[[_T], _Result], values: Iterable[_T]) -> Iterator[_Result]:
        """What `fn`, which asks for answers, gives for each of the values, in their order."""


def identity_of(model: Model) -> str:
    """What a model is, as a digest: of its file and of all that is known about it."""
    return hashlib.sha256(model.digest.encode() + encode_manifest(model.manifest)).hexdigest()


class ModelAnswering:
    """A model in this process."""

    most_rows = CHUNK_ROWS

    def __init__(self, model: Model) -> None:
        self._model = model
        self.schema = model.schema

    def answer(self, rows: Sequence[Row], *, proba: bool) -> Answer:
        """The model's answer."""
        return self._model.answer_rows(rows, proba=proba)

    def map(self, fn: Callable[[Any], Any], values: Iterable[Any]) -> Iterator[Any]:
        """One value after the other."""
        return map(fn, values)
