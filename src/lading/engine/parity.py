"""Whether a compiled model gives the native one's answers: the same labels, and numbers within a tolerance."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lading.engine.trials import Trial
from lading.flavors.flavor import Predictions, Predictor
from lading.flavors.frames import frame
from lading.schema.estimator import walk
from lading.schema.table import Array, Table

TOLERANCE = 1e-5
"""Of a probability; of a number, in units of itself or of the usual one, whichever is larger."""
MARGIN = 1e-6
"""How near the two best labels are to one another where the native model may as well give either."""
SINGLE_ROWS = 32
_BATCH_ROWS = 4_096


@dataclass
class Comparison:
    """What came of the trials so far.

    Attributes:
        rows: how many were tried.
        forgiven: how many got another label, where the native model wavers between the two.
        largest_difference: of a probability or a number.
        reason: why the compiled model may not answer; empty where it may.
    """

    rows: int = 0
    forgiven: int = 0
    largest_difference: float = 0.0
    reason: str = ""


class _Differs(Exception):
    """The answers differ, for the reason that this says."""


def compare(native: Predictor, compiled: Predictor, trials: Iterable[Trial]) -> Comparison:
    """The comparison of two models on these trials, which ends with the first that the compiled one fails."""
    found = Comparison()
    judge = _Judge(native, compiled, found)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for number, trial in enumerate(trials):
                judge.try_rows(trial)
                if not number:
                    judge.try_singles(trial.table.take(slice(0, SINGLE_ROWS)))
        except _Differs as reason:
            found.reason = str(reason)
    return found


class _Judge:
    def __init__(self, native: Predictor, compiled: Predictor, found: Comparison) -> None:
        self._native = native
        self._compiled = compiled
        self._found = found
        self._usual: Array | None = None

    def try_rows(self, trial: Trial) -> None:
        table, other = trial.table, 0
        for start in range(0, table.rows, _BATCH_ROWS):
            part = table.take(slice(start, start + _BATCH_ROWS))
            was, now = self._asked(self._native, part, "itself"), self._asked(self._compiled, part, "once compiled")
            _refuse_shapes(was, now)
            other += self._differing(was, now, part)
            if not other:
                self._compare_numbers(was, now)
        self._found.rows += table.rows
        if other:
            raise _Differs(f"{other:,} of {table.rows:,} {trial.words} got another label")

    def try_singles(self, table: Table) -> None:
        """One row at a time, as most requests come, against all of them at once."""
        together = self._asked(self._compiled, table, "once compiled")
        for row in range(table.rows):
            alone = self._asked(self._compiled, table.take(slice(row, row + 1)), "once compiled")
            here = Predictions(
                together.prediction[row : row + 1], tuple(part[row : row + 1] for part in together.probabilities)
            )
            if not _are_numbers(here.prediction) and not _is_same(here.prediction, alone.prediction).all():
                raise _Differs("once compiled, a row gets another label alone than among others")
            self._compare_numbers(here, alone)

    def _asked(self, model: Predictor, table: Table, when: str) -> Predictions:
        try:
            return model.predict(table, proba=model.has_probabilities)
        # A model is anybody's code, and the errors of onnxruntime share no class but Exception.
        except Exception as error:
            raise _Differs(f"the model, {when}, fails on rows that it is tried on: {type(error).__name__}") from error

    def _differing(self, was: Predictions, now: Predictions, table: Table) -> int:
        """How many rows get another label that is not to be forgiven."""
        if _are_numbers(was.prediction):
            return 0
        rows = np.flatnonzero(~_is_same(was.prediction, now.prediction))
        if not len(rows):
            return 0
        margins = _margins(self._native, table.take(rows), tuple(part[rows] for part in was.probabilities))
        forgiven = int((margins < MARGIN).sum())
        self._found.forgiven += forgiven
        return len(rows) - forgiven

    def _compare_numbers(self, was: Predictions, now: Predictions) -> None:
        for first, second in zip(was.probabilities, now.probabilities, strict=True):
            self._note(_distance(first, second, 1.0), "probabilities")
        if _are_numbers(was.prediction):
            if self._usual is None:
                self._usual = np.median(np.abs(was.prediction), axis=0)
            unit = np.maximum(np.abs(was.prediction), self._usual)
            self._note(_distance(was.prediction, now.prediction, unit), "numbers")

    def _note(self, difference: float, what: str) -> None:
        self._found.largest_difference = max(self._found.largest_difference, difference)
        if not difference <= TOLERANCE:
            raise _Differs(f"{what} differ by up to {difference:.1e}, more than {TOLERANCE:g}")


def _refuse_shapes(was: Predictions, now: Predictions) -> None:
    shapes = [[answer.prediction.shape, *(part.shape for part in answer.probabilities)] for answer in (was, now)]
    if shapes[0] != shapes[1]:
        raise _Differs("the compiled model gives answers of another shape")
    if _type_of(was.prediction) is not _type_of(now.prediction):
        raise _Differs("the compiled model gives answers of another type")


def _type_of(array: Array) -> type:
    value = array.ravel()[:1].tolist()[0]
    return type(value.item() if isinstance(value, np.generic) else value)  # an array of objects may hold NumPy's


def _are_numbers(array: Array) -> bool:
    return array.dtype.kind == "f"


def _is_same(first: Array, second: Array) -> Array:
    same: Array = np.equal(first, second, dtype=object).astype(bool).reshape(len(first), -1)
    whole: Array = np.logical_and.reduce(same, axis=1)
    return whole


def _distance(first: Array, second: Array, unit: Any) -> float:
    """The largest difference, in units; values that are not finite have to be the same."""
    with np.errstate(all="ignore"):
        differences = np.where(first == second, 0.0, np.abs(first - second) / unit)
    differences[np.isnan(first) & np.isnan(second)] = 0.0
    return float(np.nan_to_num(differences, nan=np.inf).max(initial=0.0))


def _margins(native: Predictor, table: Table, probabilities: tuple[Array, ...]) -> Array:
    """How far the best label is from the next in the native model: scores where it has some, as they never saturate."""
    model: Any = next(walk(native), None)
    decide = getattr(model, "decision_function", None)
    if decide is not None:
        scores = np.asarray(decide(frame(table) if native.learn().wants == "frame" else table.matrix))
    elif len(probabilities) == 1:
        scores = probabilities[0]
    else:
        return np.full(table.rows, np.inf)
    if scores.ndim == 1:
        scores = np.stack([scores, -scores], axis=1) / 2  # their difference is the distance from the border
    best = np.sort(scores, axis=1)[:, -2:]
    margins: Array = best[:, 1] - best[:, 0]
    return margins
