"""What leaves a model: checked, named as the author names it, and split into what each request asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lading.errors import PredictionFailed
from lading.flavors.flavor import Predictions
from lading.schema.fields import Interval, Output, Schema
from lading.schema.table import Array
from lading.schema.unusual import Warning

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request gets: a prediction for each of its rows, as JSON values.

    Attributes:
        predictions: one for each row.
        probabilities: by class, one for each row; None where not asked for.
        warnings: columns that hold what training did not.
    """

    predictions: Sequence[Any]
    probabilities: Sequence[Any] | None = None
    warnings: Sequence[Warning] = ()


@dataclass(frozen=True, slots=True)
class Checked:
    """A batch's predictions as JSON values, and which rows may not leave, with the reason."""

    predictions: Sequence[Any]
    probabilities: Sequence[Any] | None
    bad: Mask | None
    reason: PredictionFailed | None

    def refuse(self, rows: slice) -> PredictionFailed | None:
        """The reason not to answer these rows, if one of them may not leave."""
        return self.reason if self.bad is not None and self.bad[rows].any() else None


class OutputCheck:
    """Turns predictions into values that may leave; made once from the schema."""

    def __init__(self, schema: Schema) -> None:
        self._output = schema.outputs[0]
        self._range = self._output.range
        self._labels = _labels(self._output)
        self._names = next((o.columns for o in schema.outputs if o.name == "probabilities"), ())
        self._classes = self._output.classes

    def check(self, predictions: Predictions, rows: int) -> Checked:
        """The predictions of a batch of `rows` rows.

        Raises:
            PredictionFailed: the model gave another number of answers than rows, or no plain values.
        """
        prediction = predictions.prediction
        if prediction.ndim not in (1, 2) or len(prediction) != rows:
            raise PredictionFailed("the model gave another number of answers than rows", code="output.shape")
        bad, reason = self._bad(predictions)
        values = self._named(_plain(prediction))
        probabilities = self._probabilities(predictions.probabilities) if predictions.probabilities else None
        return Checked(values, probabilities, bad, reason)

    def _bad(self, predictions: Predictions) -> tuple[Mask | None, PredictionFailed | None]:
        for array in (predictions.prediction, *predictions.probabilities):
            bad = ~_is_answerable(array)
            if bad.any():
                return bad, PredictionFailed("the model's answer is not a finite value", code="output.not_finite")
        if self._range is not None:
            bad = ~_is_within(predictions.prediction, self._range)
            if bad.any():
                detail = f"the model's answer is outside the declared range, {self._range}"
                return bad, PredictionFailed(detail, code="output.out_of_range")
        return None, None

    def _named(self, values: Sequence[Any]) -> Sequence[Any]:
        """Labels in place of classes, where the author gave some."""
        if not self._labels:
            return values
        return [self._labels.get(value, value) for value in values]

    def _probabilities(self, targets: Sequence[Array]) -> Sequence[Any]:
        tables = [target.tolist() for target in targets]
        if len(tables) == 1:
            names = self._names or tuple(str(position) for position in range(targets[0].shape[1]))
            return [dict(zip(names, row, strict=True)) for row in tables[0]]
        return [list(row) for row in zip(*tables, strict=True)]


def _labels(output: Output) -> Mapping[Any, str]:
    return dict(zip(output.classes, output.labels, strict=True)) if output.labels else {}


def _plain(array: Array) -> list[Any]:
    if array.dtype.kind == "S":
        return [value.decode("utf-8", "replace") for value in array.tolist()]
    if array.dtype.kind == "M":
        return [str(moment) for moment in array.ravel()]
    values: list[Any] = array.tolist()
    return values


def _is_answerable(array: Array) -> Mask:
    """Which rows hold only finite numbers, strings and booleans."""
    if array.dtype.kind in "biuUSM":
        return np.ones(len(array), dtype=bool)
    finite = np.isfinite(array) if array.dtype.kind == "f" else np.vectorize(_is_plain, otypes=[bool])(array)
    return _by_row(finite)


def _is_plain(value: Any) -> bool:
    if isinstance(value, float):
        return bool(np.isfinite(value))
    return isinstance(value, str | int | bool)


def _is_within(array: Array, interval: Interval) -> Mask:
    low = -np.inf if interval.minimum is None else interval.minimum
    high = np.inf if interval.maximum is None else interval.maximum
    return _by_row((array >= low) & (array <= high))


def _by_row(cells: Mask) -> Mask:
    return cells if cells.ndim == 1 else np.logical_and.reduce(cells, axis=1)


def body_of(answer: Answer, *, is_single: bool, request_id: str | None = None) -> Mapping[str, Any]:
    """The answer as the JSON object that a caller gets: `prediction` for one row sent as an object, else lists."""
    first = 0 if is_single else slice(None)
    body: dict[str, Any] = {"prediction" if is_single else "predictions": answer.predictions[first]}
    if answer.probabilities is not None:
        body["probabilities"] = answer.probabilities[first]
    if answer.warnings:
        body["warnings"] = answer.warnings
    if request_id is not None:
        body["id"] = request_id
    return body
