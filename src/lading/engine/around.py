"""The author's own `preprocess` and `postprocess` around a model, for many rows at once, as a predictor.

What a request brings goes to `preprocess`, what that gives to the model, and the model's answers to `postprocess`. The
golden rows go the same way, so they hold all three together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from lading.errors import UnsupportedModel, UsageError
from lading.flavors.flavor import Predictions, Predictor
from lading.flavors.function import Function
from lading.flavors.parameters import Place
from lading.flavors.results import WrongAnswer, answers, in_words, refuse_company
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
        self._before = _function(module, "preprocess", "before")
        self._after = _function(module, "postprocess", "after")
        _refuse_more(self._after, inner)
        self.class_name = inner.class_name
        self.task, self.classes = _answer(inner, self._after)
        self.has_probabilities = inner.has_probabilities
        self.metadata: Mapping[str, Any] = inner.metadata
        self._learned = self._learn()
        self._is_checked = False
        self.knows_inputs = inner.knows_inputs if self._before is None else bool(self._before.columns)

    def learn(self) -> Learned:
        """What `preprocess` takes, where it says so; else what the model takes."""
        return self._learned

    def predict(self, table: Table, *, proba: bool = False) -> Predictions:
        """The model's answers, with the custom code before and after it."""
        predictions = self._predict(table, proba=proba)
        if not self._is_checked and table.rows > 1:
            self._refuse_company(table, predictions.prediction)
            self._is_checked = table[0] != table[table.rows - 1]
        return predictions

    def _refuse_company(self, table: Table, prediction: Array) -> None:
        if self._before is not None:
            inputs = self._inputs(table).matrix
            refuse_company(lambda rows: self._inputs(rows).matrix, table, inputs, "`preprocess`")
        if self._after is not None:
            refuse_company(lambda rows: self._predict(rows).prediction, table, prediction, "`postprocess`")

    def contributions(self, table: Table) -> Array:
        """What each column adds to the model's answers, where `preprocess` leaves the columns as they are.

        Raises:
            UsageError: it makes others, or the model gives none.
        """
        contributions = getattr(self.inner, "contributions", None)
        if contributions is None:
            raise UsageError(f"{self.class_name} gives no contributions")
        inputs = self._inputs(table)
        if list(inputs.columns) != list(table.columns):
            raise UsageError(f"{self.class_name} gives no contributions of what `preprocess` takes")
        found: Array = contributions(inputs)
        return found

    def _predict(self, table: Table, *, proba: bool = False) -> Predictions:
        inputs = self._inputs(table)
        if self._after is None:
            return self.inner.predict(inputs, proba=proba)
        wants_both = len(self._after.names) > 1
        predictions = self.inner.predict(inputs, proba=proba or wants_both)
        given, are_numbers = self._after.given(*_outputs(predictions, wants_both)), self._after.gives_numbers
        outputs = answers(given, table.rows, "postprocess", are_numbers=are_numbers)
        return Predictions(outputs, predictions.probabilities if proba else ())

    def _inputs(self, table: Table) -> Table:
        return table if self._before is None else _inputs(self._before(table), self.inner.learn(), table.rows)

    def _learn(self) -> Learned:
        learned = self.inner.learn()
        if self._before is None:
            return learned
        fields = self._before.columns or learned.fields
        wants = "frame" if self._before.form == "frame" else learned.wants
        is_named = bool(self._before.columns) or learned.named
        return Learned(fields, is_named, wants, learned.notes, self._before.said or learned.said)


def _function(module: ModuleType, name: str, place: Place) -> Function | None:
    fn = getattr(module, name, None)
    return Function(fn, name, place=place) if callable(fn) else None


def _answer(inner: Predictor, after: Function | None) -> tuple[Task, tuple[tuple[Value, ...], ...]]:
    """What kind of answer there is, and its classes: of the model, unless `postprocess` gives others."""
    if after is None:
        return inner.task, inner.classes
    if after.returns:
        return "classification", (after.returns,)
    return "regression" if after.gives_numbers else "unknown", ()


def _refuse_more(after: Function | None, inner: Predictor) -> None:
    """Raise where `postprocess` asks for more than there is."""
    if after is None:
        return
    if len(after.names) > (2 if inner.has_probabilities else 1):
        taken = "the outputs and the probabilities" if inner.has_probabilities else "the outputs alone"
        raise UnsupportedModel(f"`postprocess` of this model takes {taken}")
    if len(after.names) > 1 and after.form == "row":
        hint = "leave its parameters without annotations: it is called with arrays then"
        raise UnsupportedModel("`postprocess` takes the probabilities for many rows at once", hint=hint)
    if after.form in ("frame", "columns"):
        raise UnsupportedModel("`postprocess` takes an array of the model's outputs, no frame and no dictionary")


def _outputs(predictions: Predictions, wants_both: bool) -> tuple[Array, ...]:
    return (predictions.prediction, *predictions.probabilities) if wants_both else (predictions.prediction,)


def _inputs(given: Any, learned: Learned, rows: int) -> Table:
    """What `preprocess` gave, as a table for the model.

    Raises:
        WrongAnswer: it is nothing that a model takes, or has another number of rows or columns.
    """
    columns = _columns(given, [field.name for field in learned.fields])
    arrays = {name: _array(column) for name, column in columns.items()}
    if not arrays or any(array.shape != (rows,) for array in arrays.values()):
        raise WrongAnswer(f"`preprocess` is to give columns of {rows} rows, as many as it got")
    fields = [_field(name, columns[name], array) for name, array in arrays.items()]
    return Table.from_columns(fields, arrays)


def _columns(given: Any, names: list[str]) -> Mapping[str, Any]:
    """The columns in the model's order, where it knows them by name; else as they came."""
    if hasattr(given, "to_dict") and hasattr(given, "columns"):
        given = {str(name): given[name] for name in given.columns}
    if isinstance(given, list) and given:  # a row at a time
        given = _of_rows(given)
    if isinstance(given, Mapping):
        return _in_order(given, names)
    matrix = np.asarray(given)
    if matrix.ndim not in (1, 2):
        raise WrongAnswer(f"`preprocess` returned {in_words(given)}, expected columns by name, or rows")
    columns = [matrix] if matrix.ndim == 1 else list(matrix.T)
    return _named(columns, names)


def _of_rows(rows: list[Any]) -> Any:
    if isinstance(rows[0], Mapping):
        return {name: [row[name] for row in rows] for name in rows[0]}
    if isinstance(rows[0], list | tuple):
        return {place: list(column) for place, column in enumerate(zip(*rows, strict=True))}
    return rows


def _in_order(given: Mapping[Any, Any], names: list[str]) -> Mapping[str, Any]:
    if given and list(given) == list(range(len(given))):
        return _named(list(given.values()), names)
    if not names or names == [f"x{place}" for place in range(len(names))]:
        return {str(name): column for name, column in given.items()}
    for name in names:
        if name not in given:
            raise WrongAnswer(f"`preprocess` gives no column `{name}`, which the model takes")
    return {name: given[name] for name in names}


def _named(columns: Sequence[Any], names: list[str]) -> Mapping[str, Any]:
    if names and len(columns) != len(names):
        raise WrongAnswer(f"`preprocess` gives {len(columns)} columns, the model takes {len(names)}")
    return dict(zip(names or map(str, range(len(columns))), columns, strict=True))


def _array(column: Any) -> Array:
    array = np.asarray(column)
    return array.astype(object) if array.dtype.kind == "U" else array


def _field(name: str, column: Any, array: Array) -> Field:
    """What a column is, for the model that is given it."""
    dtype = str(getattr(column, "dtype", ""))
    if dtype == "category":
        return Field(name, "category", dtype, categories=tuple(column.cat.categories))
    if array.dtype.kind == "O":
        return Field(name, "text", "object" if dtype == "object" else "str")
    return Field(name, _KINDS.get(array.dtype.kind, "text"), str(array.dtype))
