"""One loaded model and everything that is known about it."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lading.bundle.manifest import Manifest
from lading.bundle.signing.verified import Verified
from lading.engine.answers import Answer, Checked, OutputCheck
from lading.engine.compiled import CompiledModel
from lading.engine.golden import Golden, differing
from lading.engine.single import NotSingle, SingleRow
from lading.errors import EnvironmentMismatch, PredictionFailed, UsageError, name_of
from lading.flavors.flavor import Predictor
from lading.schema.decode import UNLIMITED, Decoder
from lading.schema.fields import Schema
from lading.schema.reference import Reference
from lading.schema.table import Array, Row, Table, Tables
from lading.schema.unusual import Unusual, Watch
from lading.schema.values import plain_rows
from lading.schema.words import answer_in_words, inputs_in_words


@dataclass(frozen=True, repr=False)
class Model:
    """A model that answers rows. From Python: `lading.load(path).predict(frame_or_rows)`.

    Attributes:
        manifest: what is known about it.
        predictor: what the flavor loaded.
        golden: rows and the answers that they had at packing; None for a bare file.
        reference: the distributions of training; None where no sample was given.
        digest: sha256 of the bundle or the file.
        verified: by whose signature the bundle was let in; None where nobody asked for one.
    """

    manifest: Manifest
    predictor: Predictor
    golden: Golden | None = None
    reference: Reference | None = None
    digest: str = ""
    verified: Verified | None = None

    def __repr__(self) -> str:
        manifest = self.manifest
        words = f"{inputs_in_words(self.schema)} -> {answer_in_words(self.schema)}"
        return f"<lading.Model {manifest.name} {manifest.version}: {manifest.class_name}, {words}>"

    @property
    def schema(self) -> Schema:
        """What the model takes and gives."""
        return self.manifest.model_schema

    @cached_property
    def _tables(self) -> Tables:
        return Tables(self.schema.inputs)

    @cached_property
    def _check(self) -> OutputCheck:
        return OutputCheck(self.schema)

    @cached_property
    def _watch(self) -> Watch:
        return Watch(self.schema)

    @cached_property
    def _decoder(self) -> Decoder:
        return Decoder(self.schema, UNLIMITED)

    def predict(self, data: Any) -> Array:
        """The predictions for a data frame, a list of rows (objects or lists), an array, or one object.

        Returns:
            (rows,) or (rows, k), with the author's labels where there are some.

        Raises:
            InputError: the data do not fit the schema; `problems` lists why.
            PredictionFailed: the model failed, or gave an answer that may not leave.
        """
        return _array(self.answer(data).predictions)

    def predict_proba(self, data: Any) -> Array | list[Array]:
        """The class probabilities for the same kinds of data: (rows, classes), in the order of the classes.

        Of a model with several targets it is a list with one such array a target, as scikit-learn has it.

        Raises:
            UsageError: the model gives no probabilities.
        """
        if not self.schema.has_probabilities:
            raise UsageError(f"{self.manifest.class_name} gives no probabilities")
        rows = self.answer(data, proba=True).probabilities or ()
        if isinstance(rows[0], dict):
            return np.array([list(row.values()) for row in rows])
        return [np.array(target) for target in zip(*rows, strict=True)]

    def contributions(self, data: Any) -> Array:
        """What each column contributed to each answer, and last what is there without any, for the same kinds of data.

        Returns:
            (rows, columns + 1), or (rows, outputs, columns + 1) of a model with several; of XGBoost they add up to the
            margin.

        Raises:
            UsageError: the model gives no contributions.
            InputError: the data do not fit the schema; `problems` lists why.
        """
        contributions = getattr(self.predictor, "contributions", None)
        if contributions is None:
            raise UsageError(f"{self.manifest.class_name} gives no contributions")
        rows = self._decoder.value(plain_rows(data)).rows
        found: Array = contributions(rows if isinstance(rows, Table) else self._tables.of_rows(rows))
        return found

    def answer(self, data: Any, *, proba: bool = False) -> Answer:
        """The whole answer for the same kinds of data: predictions, probabilities, warnings."""
        return self.answer_rows(self._decoder.value(plain_rows(data)).rows, proba=proba)

    def answer_rows(self, rows: Sequence[Row], *, proba: bool = False) -> Answer:
        """The answer for checked rows."""
        checked, unusual = self.run(rows, proba=proba)
        everything = slice(0, len(rows))
        if (refusal := checked.refuse(everything, proba=proba)) is not None:
            raise refusal
        warnings = tuple(w for column in unusual if (w := column.within(everything)) is not None)
        return Answer(checked.predictions, checked.probabilities if proba else None, warnings)

    def run(self, rows: Sequence[Row], *, proba: bool) -> tuple[Checked, Sequence[Unusual]]:
        """A batch of checked rows through the model, whatever requests they came from.

        Raises:
            PredictionFailed: the model raised; the cause is kept, its words are not.
        """
        if len(rows) == 1 and not proba and (checked := self._run_one(rows[0])) is not None:
            return checked, ()
        return self.run_table(rows if isinstance(rows, Table) else self._tables.of_rows(rows), proba=proba)

    def _run_one(self, row: Row) -> Checked | None:
        """The answer for a row with nothing unusual, where there is a quicker way to it than a table."""
        if self._single is None:
            return None
        try:
            return self._check.check_one(self._single(row)) if self._watch.is_usual(row) else None
        except (NotSingle, TypeError, ArithmeticError):
            return None

    @cached_property
    def _single(self) -> SingleRow | None:
        """The quicker way, if golden rows have the same answers on it."""
        single = self.predictor.single if isinstance(self.predictor, CompiledModel) else None
        rows = [row for row in self.golden.rows if None not in row] if self.golden is not None else []
        if single is None or not rows:
            return None
        expected = self.predictor.predict(self._tables.of_rows(rows)).prediction.tolist()
        with contextlib.suppress(NotSingle, TypeError, ArithmeticError):
            if not differing(([single(row) for row in rows], None), (expected, None)):
                return single
        return None

    def run_table(self, table: Table, *, proba: bool) -> tuple[Checked, Sequence[Unusual]]:
        """The same for a table."""
        try:
            predictions = self.predictor.predict(table, proba=proba)
        except EnvironmentMismatch:
            raise
        # A model is anybody's code: it may raise anything, and may even call `sys.exit`.
        except (Exception, SystemExit) as error:
            kind = name_of(error)
            raise PredictionFailed(f"the model failed on this input ({kind})", code="model.failed") from error
        return self._check.check(predictions, table.rows), self._watch.look(table)


def _array(values: Sequence[Any]) -> Array:
    """The values as an array; where numbers stand beside texts, as objects, so that they stay numbers."""
    array = np.array(values)
    if array.dtype.kind != "U":
        return array
    objects = np.array(values, dtype=object)
    return array if all(isinstance(value, str) for value in objects.flat) else objects
