"""What leaves a model: checked, named as the author names it, and split into what each request asked for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from lading.errors import PredictionFailed
from lading.flavors.flavor import Predictions
from lading.schema.fields import PREDICTION, Interval, Output, Schema, Value
from lading.schema.table import Array
from lading.schema.unusual import Warning

Mask = npt.NDArray[np.bool_]


class Answer(msgspec.Struct, frozen=True, gc=False):
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
class Fault:
    """Rows of a batch that may not leave, and why.

    Attributes:
        rows: (rows,), true where one may not leave.
        is_of_probabilities: only who asked for probabilities is concerned.
    """

    rows: Mask
    code: str
    detail: str
    is_of_probabilities: bool = False

    def error(self, rows: slice) -> PredictionFailed:
        """The error for one request's rows of the batch; of several it names the first."""
        is_bad = self.rows[rows]
        error = PredictionFailed(self.detail, code=self.code)
        return error if len(is_bad) == 1 else with_row(error, int(is_bad.argmax()))


class Checked(msgspec.Struct, frozen=True, gc=False):
    """A batch's predictions as JSON values, and which rows may not leave."""

    predictions: Sequence[Any]
    probabilities: Sequence[Any] | None
    faults: Sequence[Fault] = ()

    def refuse(self, rows: slice, *, proba: bool) -> PredictionFailed | None:
        """The reason not to answer these rows, if one of them may not leave."""
        for fault in self.faults:
            if (proba or not fault.is_of_probabilities) and fault.rows[rows].any():
                return fault.error(rows)
        return None


def with_row(error: PredictionFailed, row: int) -> PredictionFailed:
    """The error of a request of many rows, saying where in it the first bad one stands."""
    named = PredictionFailed(f"{error.message}; row {row} is the first", code=error.code)
    named.__cause__ = error.__cause__
    return named


class OutputCheck:
    """Turns predictions into values that may leave; made once from the schema."""

    def __init__(self, schema: Schema) -> None:
        self._output = schema.outputs[0]
        self._range = self._output.range
        self._labels = _labels(self._output)
        self._names = next((o.columns for o in schema.outputs if o.name == "probabilities"), ())

    def check(self, predictions: Predictions, rows: int) -> Checked:
        """The predictions of a batch of `rows` rows.

        Raises:
            PredictionFailed: the model gave another number of answers than rows, or of values than at packing.
        """
        self._refuse_shapes(predictions, rows)
        values = self._named(_plain(predictions.prediction))
        probabilities = self._probabilities(predictions.probabilities) if predictions.probabilities else None
        return Checked(values, probabilities, list(self._faults(predictions)))

    def check_one(self, value: Value) -> Checked | None:
        """One prediction, of one value; None where it takes a closer look."""
        if self._range is not None or (isinstance(value, float) and not math.isfinite(value)):
            return None
        return Checked([self._labels.get(value, value)], None)

    def _refuse_shapes(self, predictions: Predictions, rows: int) -> None:
        targets = predictions.probabilities
        if not targets and predictions.prediction.shape == (rows, *self._output.shape[1:]):
            return
        if any(array.ndim not in (1, 2) or len(array) != rows for array in (predictions.prediction, *targets)):
            raise PredictionFailed("the model gave another number of answers than rows", code="output.shape")
        width = (len(self._names),) if self._names and len(targets) == 1 else None
        is_strange = any(array.ndim != 2 or width not in (None, array.shape[1:]) for array in targets)
        if is_strange or predictions.prediction.shape[1:] != self._output.shape[1:]:
            raise PredictionFailed("the model gave another number of values a row than expected", code="output.shape")

    def _faults(self, predictions: Predictions) -> Iterator[Fault]:
        detail = "the model's answer is not a finite value"
        for array in (predictions.prediction, *predictions.probabilities):
            if array.dtype.kind in _ALWAYS_ANSWERABLE:
                continue
            is_answerable = _is_answerable(array)
            if not is_answerable.all():
                yield Fault(~is_answerable, "output.not_finite", detail, array is not predictions.prediction)
        if self._range is not None:
            bad = ~_is_within(predictions.prediction, self._range)
            if bad.any():
                detail = f"the model's answer is outside the declared range, {self._range}"
                yield Fault(bad, "output.out_of_range", detail)

    def _named(self, values: Sequence[Any]) -> Sequence[Any]:
        """Labels in place of classes, where the author gave some."""
        if not self._labels:
            return values
        return [self._labels.get(value, value) for value in values]

    def _probabilities(self, targets: Sequence[Array]) -> Sequence[Any]:
        tables = [target.tolist() for target in targets]
        if len(tables) == 1:
            names = self._names or tuple(str(position) for position in range(targets[0].shape[1]))
            return list(map(dict, map(zip, repeat(names), tables[0])))
        return [list(row) for row in zip(*tables, strict=True)]


def _labels(output: Output) -> Mapping[Any, str]:
    return dict(zip(output.classes, output.labels, strict=True)) if output.labels else {}


def _plain(array: Array) -> list[Any]:
    """The values as Python's own, in lists; bytes and moments as text."""
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8", "replace")
    elif array.dtype.kind == "M":
        array = np.datetime_as_string(array)
    elif array.dtype.kind == "O" and not _PLAIN_TYPES.issuperset(map(type, array.flat)):
        array = _python_values(array)
    values: list[Any] = array.tolist()
    return values


def _python_value(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


_python_values = np.frompyfunc(_python_value, 1, 1)
_PLAIN_TYPES = frozenset({bool, float, int, str})


_MAX_INTEGER_BITS = 1024
"""Of a whole number that may leave: as many as the greatest double has."""
_ALWAYS_ANSWERABLE = frozenset("biuS")
"""Kinds of arrays (`numpy.dtype.kind`) all of whose values may leave: whole numbers, booleans, bytes."""


def _is_answerable(array: Array) -> Mask:
    """Which rows hold only finite numbers, texts that can be written, and booleans."""
    kind = array.dtype.kind
    if kind == "f" and array.dtype.itemsize <= 8:
        return _by_row(np.isfinite(array))
    if kind == "M":
        return _by_row(~np.isnat(array))
    if kind not in "UO":
        return np.zeros(len(array), dtype=bool)
    cells = array.ravel().tolist()
    if _are_ascii(cells):
        return np.ones(len(array), dtype=bool)
    return _by_row(np.fromiter(map(_is_plain, cells), bool, array.size).reshape(array.shape))


def _are_ascii(cells: list[Any]) -> bool:
    """Whether all of them are texts, and of no character that UTF-8 might not say; told of all at once."""
    try:
        return "".join(cells).isascii()
    except TypeError:
        return False


def _is_plain(value: Any) -> bool:
    value = _python_value(value)
    if isinstance(value, float):
        return math.isfinite(value)
    if type(value) is int:
        return value.bit_length() <= _MAX_INTEGER_BITS
    return type(value) is bool or (type(value) is str and _is_text(value))


def _is_text(value: str) -> bool:
    """Whether UTF-8 can say it: half of a surrogate pair cannot be written."""
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


def _is_within(array: Array, interval: Interval) -> Mask:
    low = -np.inf if interval.minimum is None else interval.minimum
    high = np.inf if interval.maximum is None else interval.maximum
    try:
        return _by_row((array >= low) & (array <= high))
    except TypeError:
        raise PredictionFailed("the model's answer is not a number", code="output.not_a_number") from None


def _by_row(cells: Mask) -> Mask:
    return cells if cells.ndim == 1 else np.logical_and.reduce(cells, axis=1)


_encode = msgspec.json.Encoder().encode


class AnswerFormat:
    """The JSON object that a caller gets; made once from the schema.

    Without the author's word it is `prediction` for one row sent as an object, else `predictions`, and the request's
    id. An author who names the output says what stands in the object: that name alone, for one row and for many.
    """

    def __init__(self, schema: Schema) -> None:
        name = schema.outputs[0].name
        self._is_named = name != PREDICTION
        self._one, self._many = (name, name) if self._is_named else (PREDICTION, "predictions")
        self._begin = _encode({name: 0})[:-2]
        self._end = b"}\n" if self._is_named else b'"}\n'

    def json(self, answer: Answer, *, is_single: bool, request_id: str) -> bytes:
        """The object as bytes; the id holds nothing that JSON escapes."""
        if is_single and answer.probabilities is None and not answer.warnings:
            value = _encode(answer.predictions[0])
            if self._is_named:
                return b"".join((self._begin, value, self._end))
            return b"".join((self._begin, value, b',"id":"', request_id.encode(), self._end))
        # The line end is for people: without it a shell's prompt stands behind the answer.
        return _encode(self.object(answer, is_single=is_single, request_id=request_id)) + b"\n"

    def object(self, answer: Answer, *, is_single: bool, request_id: str | None = None) -> Mapping[str, Any]:
        """The object."""
        first = 0 if is_single else slice(None)
        body: dict[str, Any] = {self._one if is_single else self._many: answer.predictions[first]}
        if answer.probabilities is not None:
            body["probabilities"] = answer.probabilities[first]
        if answer.warnings:
            body["warnings"] = answer.warnings
        if request_id is not None and not self._is_named:
            body["id"] = request_id
        return body
