"""A linear or softmax model as a page of JSON, evaluated in NumPy: needs no framework, and is what `demo` serves.

    {"format": "lading.linear/1", "features": ["a", "b"], "classes": ["no", "yes"], "coef": [[…], […]],
     "intercept": […], "mean": […], "scale": […]}

With `classes` the answer is the class of the largest score and probabilities are the softmax of the scores, as in
scikit-learn's multinomial `LogisticRegression`; without, the score itself is the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from lading.errors import FormatError
from lading.flavors.flavor import NO_SUPPORT, Needs, Predictions, Support
from lading.schema.estimator import Learned
from lading.schema.fields import Field, Interval, Task, Value
from lading.schema.table import Table

FORMAT = "lading.linear/1"


class LinearFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file's content; shapes: coef (scores, features), intercept (scores,), mean, scale, low, high (features,)."""

    format: str
    features: tuple[str, ...]
    coef: tuple[tuple[float, ...], ...]
    intercept: tuple[float, ...]
    classes: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    metadata: dict[str, Any] = {}


class LinearFlavor:
    """Linear models in JSON."""

    name = "linear"
    suffixes = (".linear.json",)
    distribution = ""
    extra = ""
    fork_safe = frozenset({"numpy"})
    runs_code = False

    def recognizes(self, data: bytes) -> bool:
        """Whether the bytes begin as such a file does."""
        return data.lstrip()[:1] == b"{" and FORMAT.encode() in data[:200]

    def needs(self, data: bytes) -> Needs:
        """Nothing but NumPy, which is always here."""
        return Needs("LinearModel", metadata=_read(data).metadata)

    def load(self, data: bytes, support: Support = NO_SUPPORT) -> LinearModel:
        """The model in the file."""
        return LinearModel(_read(data))

    def dump(self, model: object) -> tuple[str, bytes] | None:
        """A file of a `LinearFile`."""
        return ("model.linear.json", msgspec.json.encode(model)) if isinstance(model, LinearFile) else None


def _read(data: bytes) -> LinearFile:
    try:
        file = msgspec.json.decode(data, type=LinearFile)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        reason = str(error) if isinstance(error, msgspec.ValidationError) else "it is not JSON"
        raise FormatError(f"the linear model cannot be read: {reason}") from None
    width = len(file.features)
    per_feature = (*file.coef, *(part for part in (file.mean, file.scale, file.low, file.high) if part))
    scores = len(file.classes) or len(file.coef)
    fits = all(len(part) == width for part in per_feature) and len(file.coef) == len(file.intercept) == scores
    if not width or not scores or not fits or len(file.low) != len(file.high):
        raise FormatError("the parts of the linear model do not have the same numbers of features and scores")
    if len(set(file.classes)) != len(file.classes):
        raise FormatError("two classes of the linear model have the same name")
    return file


class LinearModel:
    """A linear model in NumPy."""

    has_probabilities: bool
    knows_inputs = True

    def __init__(self, file: LinearFile) -> None:
        width = len(file.features)
        self._file = file
        self._coef = np.array(file.coef).T
        self._intercept = np.array(file.intercept)
        self._mean = np.array(file.mean or (0.0,) * width)
        self._scale = np.array(file.scale or (1.0,) * width)
        self._labels = np.array(file.classes, dtype=object)
        self.class_name = "LinearModel"
        self.task: Task = "classification" if file.classes else "regression"
        self.classes: tuple[tuple[Value, ...], ...] = (file.classes,) if file.classes else ()
        self.has_probabilities = bool(file.classes)
        self.metadata: Mapping[str, Any] = file.metadata

    def learn(self) -> Learned:
        """The features, with the means that scaling uses as examples."""
        file = self._file
        ranges = [Interval(low, high) for low, high in zip(file.low, file.high, strict=True)]
        fields = tuple(
            Field(name, example=float(f"{mean:.3g}"), seen=ranges[position] if ranges else None)
            for position, (name, mean) in enumerate(zip(file.features, self._mean.tolist(), strict=True))
        )
        return Learned(fields=fields, named=True, wants="array", notes=())

    def predict(self, table: Table, *, proba: bool = False) -> Predictions:
        """Scores, or the class of the largest and their softmax."""
        scores = ((table.matrix - self._mean) / self._scale) @ self._coef + self._intercept
        if not self.has_probabilities:
            return Predictions(scores[:, 0] if scores.shape[1] == 1 else scores)
        prediction = self._labels[scores.argmax(axis=1)]
        if not proba:
            return Predictions(prediction)
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        return Predictions(prediction, (powers / powers.sum(axis=1, keepdims=True),))
