"""A Booster of XGBoost, ready to answer tables as the wrapper for scikit-learn would."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from lading.errors import UnsupportedModel
from lading.flavors.flavor import Predictions
from lading.flavors.xgboost_file import XgboostFile
from lading.schema.estimator import Learned
from lading.schema.fields import Field, Kind, Task, Value
from lading.schema.table import Array, Table

_CLASS_NAMES = {"classifier": "XGBClassifier", "regressor": "XGBRegressor", "ranker": "XGBRanker"}
_PROBABLE = frozenset({"binary:logistic", "multi:softprob", "multi:softmax"})
_CLASSIFYING = _PROBABLE | {"binary:hinge"}
_KINDS: dict[str, tuple[Kind, str]] = {"int": ("int", "int64"), "i": ("bool", "bool"), "c": ("int", "int64")}
_CATEGORY = "c"
# `[12:00:00] /src/learner.cc:1: Check failed: …`, and then a stack.
_PLACE = re.compile(r"^\[[\d:]+\] \S+: ")


def class_name_of(file: XgboostFile) -> str:
    """The wrapper's class, or what the Booster was trained for."""
    kind = file.wrapper.estimator_type if file.wrapper else ""
    return _CLASS_NAMES.get(kind, f"Booster of {file.objective}")


def line_of(error: Exception) -> str:
    """What XGBoost says, less its places in its own source."""
    return _PLACE.sub("", str(error).strip().split("\n")[0])[:200].strip()


class XgboostModel:
    """A Booster that answers as the wrapper that saved it would; without a wrapper, as its objective says."""

    knows_inputs = True
    metadata: Mapping[str, Any] = {}

    def __init__(self, booster: Any, file: XgboostFile) -> None:
        self._booster = booster
        self._file = file
        self._codes = _codes(file)
        self.class_name = class_name_of(file)
        self._is_linear = file.booster == "gblinear"
        is_classifier = _is_classifier(file)
        self.task: Task = "classification" if is_classifier else "regression"
        self.has_probabilities = is_classifier and file.objective in _PROBABLE
        has_single = is_classifier and file.targets <= 1
        self.classes: tuple[tuple[Value, ...], ...] = (tuple(range(max(file.classes, 2))),) if has_single else ()
        self._rounds = _rounds(file)
        missing = file.wrapper.missing if file.wrapper else None
        self._missing = math.nan if missing is None else missing

    def learn(self) -> Learned:
        """The columns, with the median of their thresholds as examples."""
        file = self._file
        fields = tuple(_field(file, position, name) for position, name in enumerate(_names(file)))
        return Learned(fields, named=bool(file.names), wants="array", notes=tuple(_notes(file)))

    def predict(self, table: Table, *, proba: bool = False) -> Predictions:
        """Exactly what the wrapper's own `predict` and `predict_proba` give."""
        matrix = self._matrix(table)
        if self.task == "regression":
            return Predictions(self._values(matrix))
        if self._file.objective == "multi:softmax":
            return self._of_margins(matrix, proba)
        values = self._values(matrix)
        labels = values.argmax(axis=1) if self._file.classes > 1 else (values > 0.5).astype(np.int64)
        if not proba or not self.has_probabilities:
            return Predictions(labels)
        # The wrapper too takes the one from the other, and not in floats of 64 bits.
        return Predictions(labels, (values if values.ndim == 2 else np.vstack((1.0 - values, values)).transpose(),))

    def contributions(self, table: Table) -> Array:
        """What each column adds to the margin, and last what is there without any: SHAP values.

        Returns:
            (rows, columns + 1), or (rows, outputs, columns + 1) of a model with several; they add up to the margin,
            which is before the objective's own function.

        Raises:
            UnsupportedModel: XGBoost has none for such a model.
        """
        from xgboost.core import XGBoostError

        try:
            return self._ask(self._matrix(table), pred_contribs=True)
        except XGBoostError as error:
            raise UnsupportedModel(f"{self.class_name} has no contributions: {line_of(error)}") from error

    def _of_margins(self, matrix: Array, proba: bool) -> Predictions:
        """Of `multi:softmax`, whose values are labels already."""
        from scipy.special import softmax

        margins = self._values(matrix, margin=True)
        return Predictions(margins.argmax(axis=1), (softmax(margins, axis=1),) if proba else ())

    def _values(self, matrix: Array, *, margin: bool = False) -> Array:
        if self._is_linear:  # it cannot be asked in place
            return self._ask(matrix, output_margin=margin)
        values: Array = self._booster.inplace_predict(
            matrix,
            iteration_range=self._rounds,
            predict_type="margin" if margin else "value",
            missing=self._missing,
        )
        return values

    def _ask(self, matrix: Array, **options: bool) -> Array:
        from xgboost import DMatrix

        data = DMatrix(matrix, missing=self._missing, nthread=1)
        rounds = self._rounds
        values: Array = self._booster.predict(data, iteration_range=rounds, validate_features=False, **options)
        return values

    def _matrix(self, table: Table) -> Array:
        """The columns as numbers, categories as their codes."""
        if not self._codes and table.matrix.dtype.kind == "f":
            return table.matrix
        matrix = np.empty((table.rows, len(table.fields)))
        for position, (name, column) in enumerate(table.columns.items()):
            try:
                matrix[:, position] = self._numbers(position, column)
            except (TypeError, ValueError):
                raise TypeError(f"the column `{name}` is no number, and the model has no categories for it") from None
        return matrix

    def _numbers(self, position: int, column: Array) -> Any:
        codes = self._codes.get(position)
        # What is no category is missing: the schema refuses all others.
        return column if codes is None else [codes.get(cell, math.nan) for cell in column.tolist()]


def _is_classifier(file: XgboostFile) -> bool:
    if file.wrapper is None:
        return file.objective in _CLASSIFYING
    return file.wrapper.estimator_type == "classifier"


def _rounds(file: XgboostFile) -> tuple[int, int]:
    """The iterations that count: a wrapper stops at the best, a Booster by itself does not; (0, 0) are all."""
    if file.wrapper is None or file.best_iteration is None or file.booster == "gblinear":
        return 0, 0
    return 0, file.best_iteration + 1


def _codes(file: XgboostFile) -> dict[int, dict[Value, int]]:
    """What stands for each category, of the columns that have some."""
    return {
        position: {value: code for code, value in enumerate(values)}
        for position, values in enumerate(file.categories)
        if values
    }


def _field(file: XgboostFile, position: int, name: str) -> Field:
    categories = file.categories[position] if file.categories else ()
    if categories:
        # Read back by the value, so the dtype does not matter to the model.
        dtype = "str" if isinstance(categories[0], str) else "float64"
        return Field(name, "category", dtype, nullable=True, categories=categories, example=categories[0])
    kind, dtype = _KINDS.get(file.types[position] if file.types else "", ("float", "float64"))
    split = file.splits[position]
    example = None if math.isnan(split) or kind == "bool" else round(split) if kind == "int" else split
    return Field(name, kind, dtype, nullable=True, example=example)


def _notes(file: XgboostFile) -> Iterator[str]:
    if not file.names:
        yield "the file names no columns: --data or --input-names tells them"
    if uncoded := _uncoded(file):
        more = f" and {len(uncoded) - 3} more" if len(uncoded) > 3 else ""
        listed = ", ".join(f"`{name}`" for name in uncoded[:3]) + more
        yield f"the file does not have the categories of {listed}: the model takes their codes"
    if file.wrapper is None and _is_classifier(file):
        yield f"a Booster, served as a classifier because its objective is `{file.objective}`"
    if file.wrapper is None and file.best_iteration is not None:
        yield f"iteration {file.best_iteration} was the best in training; a Booster uses all, and so does this"


def _uncoded(file: XgboostFile) -> list[str]:
    """The columns of categories that the file does not have: those of XGBoost 3.0 and before, and of codes."""
    known = file.categories or ((),) * file.width
    columns = zip(_names(file), file.types, known, strict=False)
    return [name for name, kind, categories in columns if kind == _CATEGORY and not categories]


def _names(file: XgboostFile) -> tuple[str, ...]:
    return file.names or tuple(f"x{position}" for position in range(file.width))
