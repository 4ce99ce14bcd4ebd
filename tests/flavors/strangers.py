"""Models, steps and functions as people write them in modules of their own."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin, TransformerMixin


def with_ratio(frame: Any) -> Any:
    """Works on a frame alone."""
    return frame.assign(ratio=frame["petal length (cm)"] / frame["petal width (cm)"])


def last_two(matrix: Any) -> Any:
    """Works on an array alone."""
    assert type(matrix) is np.ndarray
    return matrix[:, -2:]


class Ratio(TransformerMixin, BaseEstimator):
    """A step that asks its frame for columns, adds one, and keeps nothing of what it was fitted on."""

    def fit(self, X: Any, y: Any = None) -> "Ratio":
        return self

    def transform(self, X: Any) -> Any:
        return with_ratio(X)


class LastTwo(TransformerMixin, BaseEstimator):
    """A step that cuts columns off an array, and keeps nothing of what it was fitted on."""

    def fit(self, X: Any, y: Any = None) -> "LastTwo":
        return self

    def transform(self, X: Any) -> Any:
        return last_two(X)


class Sum(RegressorMixin, BaseEstimator):
    """A model that does not say how many columns it takes, nor keeps anything else."""

    def fit(self, X: Any, y: Any = None) -> "Sum":
        return self

    def predict(self, X: Any) -> Any:
        return np.asarray(X).sum(axis=1)


class Gives(BaseEstimator):
    """A model of four columns that gives what it is told."""

    n_features_in_ = 4

    def __init__(self, what: str = "") -> None:
        self.what = what

    def fit(self, X: Any, y: Any = None) -> "Gives":
        return self

    def predict(self, X: Any) -> Any:
        return _GIVES[self.what](len(X))


def _leave(rows: int) -> Any:
    raise SystemExit(rows)


_GIVES = {
    "a list": lambda rows: [1.5] * rows,
    "a series": lambda rows: pd.Series(["a"] * rows, dtype="category"),
    "a frame": lambda rows: pd.DataFrame({"n": range(rows), "s": "a"}),
    "one value": lambda rows: 1.0,
    "too few": lambda rows: np.zeros(rows - 1),
    "a cube": lambda rows: np.zeros((rows, 2, 2)),
    "nothing": lambda rows: [None] * rows,
    "infinity": lambda rows: np.full(rows, np.inf),
    "an exit": _leave,
}


class Holder(BaseEstimator):
    """A model that holds others in a list and in a dictionary, each fitted with it, and answers as the first."""

    def __init__(self, listed: Any = (), named: Any = None) -> None:
        self.listed = listed
        self.named = named

    def fit(self, X: Any, y: Any) -> "Holder":
        for model in (self.listed[0], self.listed[1][0], self.named["deep"]["deeper"]):
            model.fit(X, y)
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X: Any) -> Any:
        return self.listed[0].predict(X)
