"""The author's own `preprocess` and `postprocess` around a model, for many rows at once, as a predictor.

What a request brings goes to `preprocess`, what that gives to the model, and the model's answers to `postprocess`. The
golden rows go the same way, so they hold all three together.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np

from lading.errors import UnsupportedModel
from lading.flavors.flavor import Predictions, Predictor
from lading.flavors.function import Function, answers
from lading.schema.estimator import Learned
from lading.schema.fields import Field, Kind, Task, Value
from lading.schema.table import Array, Table

_KINDS: dict[str, Kind] = {"b": "bool", "i": "int", "u": "int", "f": "float", "M": "date"}


class Around:
    """A predictor with custom code before or after it, or both.

    Args:
        inner: the model.
        module: with `preprocess(inputs)`, `postprocess(outputs)` or `postprocess(outputs, probabilities)`.

    Raises:
        UnsupportedModel: the functions cannot be called with what they ask for.
    """

    def __init__(self, inner: Predictor, module: ModuleType) -> None:
        self.inner = inner
        self._before = _function(module, "preprocess")
        self._after = _function(module, "postprocess")
        if self._after is not None and len(self._after.names) > (2 if inner.has_probabilities else 1):
            taken = "the outputs and the probabilities" if inner.has_probabilities else "the outputs alone"
            raise UnsupportedModel(f"`postprocess` of this model takes {taken}")
        self.class_name = inner.class_name
        self.task: Task = inner.task
        returns = self._after.returns if self._after is not None else ()
        self.classes: tuple[tuple[Value, ...], ...] = (returns,) if returns else inner.classes
        self.has_probabilities = inner.has_probabilities
        self.metadata: Mapping[str, Any] = inner.metadata
        self._learned = self._learn()
        self.knows_inputs = inner.knows_inputs if self._before is None else bool(self._before.columns)

    def learn(self) -> Learned:
        """What `preprocess` takes, where it says so; else what the model takes."""
        return self._learned

    def predict(self, table: Table, *, proba: bool = False) -> Predictions:
        """The model's answers, with the custom code before and after it."""
        inputs = table if self._before is None else _inputs(self._before(table), self.inner.learn(), table.rows)
        if self._after is None:
            return self.inner.predict(inputs, proba=proba)
        wants_both = len(self._after.names) > 1
        predictions = self.inner.predict(inputs, proba=proba or wants_both)
        outputs = answers(self._after.given(*self._outputs(predictions, wants_both)), table.rows)
        return Predictions(outputs, predictions.probabilities if proba else ())

    def _outputs(self, predictions: Predictions, wants_both: bool) -> tuple[Array, ...]:
        return (predictions.prediction, *predictions.probabilities) if wants_both else (predictions.prediction,)

    def _learn(self) -> Learned:
        learned = self.inner.learn()
        if self._before is None:
            return learned
        fields = self._before.columns or learned.fields
        wants = "frame" if self._before.form == "frame" else learned.wants
        return Learned(fields, bool(self._before.columns) or learned.named, wants, learned.notes)


def _function(module: ModuleType, name: str) -> Function | None:
    fn = getattr(module, name, None)
    return Function(fn, name, takes_all=name == "preprocess") if callable(fn) else None


def _inputs(given: Any, learned: Learned, rows: int) -> Table:
    """What `preprocess` gave, as a table for the model.

    Raises:
        ValueError: it is nothing that a model takes, or has another number of rows or columns.
    """
    columns = _columns(given, [field.name for field in learned.fields])
    arrays = {name: np.asarray(column) for name, column in columns.items()}
    if any(array.shape != (rows,) for array in arrays.values()):
        raise ValueError(f"expected columns of {rows} rows")
    fields = [_field(name, columns[name], array) for name, array in arrays.items()]
    return Table.from_columns(fields, arrays)


def _columns(given: Any, names: list[str]) -> Mapping[str, Any]:
    """The columns in the model's order, where it knows them by name; else as they came."""
    if isinstance(given, list) and given and isinstance(given[0], Mapping):  # a row at a time
        given = {name: [row[name] for row in given] for name in given[0]}
    if hasattr(given, "to_dict") and hasattr(given, "columns"):
        given = {str(name): given[name] for name in given.columns}
    if isinstance(given, Mapping):
        if not names or names == [f"x{place}" for place in range(len(names))]:
            return given
        return {name: given[name] for name in names}
    matrix = np.asarray(given)
    if matrix.ndim != 2 or (names and matrix.shape[1] != len(names)):
        raise ValueError("expected an array of rows and columns, or columns by name")
    return dict(zip(names or map(str, range(matrix.shape[1])), matrix.T, strict=True))


def _field(name: str, column: Any, array: Array) -> Field:
    """What a column is, for the model that is given it."""
    dtype = str(getattr(column, "dtype", array.dtype))
    if dtype == "category":
        return Field(name, "category", dtype, categories=tuple(column.cat.categories))
    return Field(name, _KINDS.get(array.dtype.kind, "text"), dtype if array.dtype.kind not in "US" else "str")
