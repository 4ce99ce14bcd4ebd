"""A forest asked tree by tree: for a few rows, handing each tree to joblib takes scikit-learn longer than the trees do.

The sum is the same to the last bit: the same trees, in the same order, on the same 32-bit numbers.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from lading.schema.table import Array

_METHODS = {
    "ExtraTreesClassifier": "predict_proba",
    "ExtraTreesRegressor": "predict",
    "RandomForestClassifier": "predict_proba",
    "RandomForestRegressor": "predict",
}
"""The one method of each forest that asks its trees; `predict` of a classifier takes the greatest of its answer."""


def quicken(estimator: Any) -> None:
    """Put the quicker sum in place of the method of a fitted forest of scikit-learn's; of anything else, nothing."""
    kind = type(estimator)
    name = _METHODS.get(kind.__name__) if kind.__module__ == "sklearn.ensemble._forest" else None
    if name is not None and getattr(estimator, "n_outputs_", None) == 1:
        vars(estimator)[name] = TreeSum(estimator, name)


class TreeSum:
    """The mean of a forest's trees, in place of its own method.

    Args:
        forest: fitted, of one output.
        name: of the method.
    """

    def __init__(self, forest: Any, name: str) -> None:
        self._own = getattr(forest, name)
        functools.update_wrapper(self, self._own)  # scikit-learn asks a method for its name
        self._trees = [tree.tree_ for tree in forest.estimators_]
        self._columns = forest.n_features_in_
        self._classes = forest.n_classes_ if name == "predict_proba" else 1
        self._is_classifier = name == "predict_proba"

    def __call__(self, X: Any) -> Array:
        """(rows, classes), or (rows,) numbers; what the forest would refuse or read otherwise is left to itself."""
        numbers = self._numbers(X)
        if numbers is None:
            answer: Array = self._own(X)
            return answer
        total = np.zeros((len(numbers), self._classes))
        for tree in self._trees:
            total += tree.predict(numbers)[:, : self._classes]
        total /= len(self._trees)
        return total if self._is_classifier else total[:, 0]

    def _numbers(self, X: Any) -> Array | None:
        """The rows as trees take them, where that is an array of finite numbers of 32 bits."""
        if type(X) is not np.ndarray or X.dtype.kind not in "biuf" or X.ndim != 2:
            return None
        if not len(X) or X.shape[1] != self._columns:
            return None
        with np.errstate(over="ignore", invalid="ignore"):
            numbers = X.astype(np.float32)
        return numbers if np.isfinite(numbers).all() else None
