"""Labels read off probabilities, so that who asks for both does not ask the model twice."""

from __future__ import annotations

from typing import Any

import numpy as np

from lading.schema.table import Array

_INCREASING = frozenset(
    {"DecisionTreeClassifier", "ExtraTreeClassifier", "ExtraTreesClassifier", "RandomForestClassifier"}
    | {"GradientBoostingClassifier", "HistGradientBoostingClassifier"}
    | {"LogisticRegression", "LogisticRegressionCV"}
)
"""Classifiers of scikit-learn whose label is the class of the greatest score, and whose probabilities grow with it."""


def classes_by_score(model: Any) -> Array | None:
    """The classes of a model that answers the most probable one, in a pipeline or a search too; None of any other."""
    kind = type(model)
    if not kind.__module__.startswith("sklearn."):
        return None
    if kind.__name__ == "Pipeline":
        return classes_by_score(model.steps[-1][1])
    if kind.__name__ in ("GridSearchCV", "RandomizedSearchCV"):
        return classes_by_score(model.best_estimator_)
    classes = getattr(model, "classes_", None) if kind.__name__ in _INCREASING else None
    return classes if isinstance(classes, np.ndarray) else None


def most_probable(classes: Array, probabilities: Array) -> Array | None:
    """The label of each row of (rows, classes) probabilities; None where those of a row are too close to tell.

    Scores that differ may have the same probability once it is rounded, so half of its digits have to speak for one.
    """
    if probabilities.ndim != 2 or probabilities.shape[1] != len(classes) or len(classes) < 2:
        return None
    best = np.partition(probabilities, -2, axis=1)[:, -2:]
    is_clear = best[:, 1] - best[:, 0] > np.sqrt(np.finfo(probabilities.dtype).eps)
    return classes[probabilities.argmax(axis=1)] if is_clear.all() else None
