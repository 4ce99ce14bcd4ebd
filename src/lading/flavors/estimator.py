"""A fitted estimator, ready to answer tables."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from lading.errors import UnsupportedModel
from lading.flavors.flavor import Predictions
from lading.flavors.forest import quicken
from lading.flavors.frames import frame
from lading.flavors.labels import classes_by_score, most_probable
from lading.schema import fitted
from lading.schema.estimator import Learned, learn_inputs, walk
from lading.schema.fields import Task, Value
from lading.schema.table import Array, Table

FORK_SAFE = frozenset({"joblib", "numpy", "pandas", "scikit-learn", "scipy", "skops"})
"""What loads no threads of its own: they begin at the first prediction, which is after the fork."""
_ANSWERS = ("predict", "transform")


@contextlib.contextmanager
def versions_said() -> Iterator[None]:
    """Loading without scikit-learn's warning about versions: who loads was told of them, and goes on."""
    from sklearn.exceptions import InconsistentVersionWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InconsistentVersionWarning)
        yield


class SklearnModel:
    """A fitted estimator of scikit-learn, or whatever else keeps its interface.

    Raises:
        UnsupportedModel: it is not fitted, or cannot answer new rows.
    """

    def __init__(self, model: Any, metadata: Mapping[str, Any] | None = None) -> None:
        self.metadata = metadata or {}
        self.class_name = _class_name(model)
        _refuse_unservable(model, self.class_name)
        self.task = _task(model)
        self.classes = _classes(model, self.task)
        self.has_probabilities = callable(getattr(model, "predict_proba", None))
        self._model = model
        self._learned = _learn(model)
        self.knows_inputs = self._learned.wants == "texts" or fitted.width(model) is not None
        self._by_score = classes_by_score(model)
        self._settle()
        self._answer = model.predict if callable(getattr(model, "predict", None)) else model.transform

    def learn(self) -> Learned:
        """What the estimator knows about its inputs."""
        return self._learned

    def predict(self, table: Table, *, proba: bool = False) -> Predictions:
        """Exactly what the estimator's own `predict`, or `transform`, and `predict_proba` give."""
        inputs = self._inputs(table)
        if not proba or not self.has_probabilities:
            return Predictions(_dense(self._answer(inputs)))
        probabilities = self._model.predict_proba(inputs)
        targets = tuple(map(_dense, probabilities if isinstance(probabilities, list) else [probabilities]))
        labels = most_probable(self._by_score, targets[0]) if self._by_score is not None else None
        return Predictions(_dense(self._answer(self._inputs(table))) if labels is None else labels, targets)

    def _inputs(self, table: Table) -> Any:
        """The table as the model takes it, to keep: functions in pipelines write into what they are given."""
        if self._learned.wants == "texts":
            return next(iter(table.columns.values())).copy()
        return frame(table) if self._wants_frame(table) else table.matrix.copy()

    def _wants_frame(self, table: Table) -> bool:
        """Whether to give a frame: a model that does not say what it takes gets one where columns have names."""
        if self.knows_inputs or self._learned.named:
            return self._learned.wants == "frame"
        return any(field.name != f"x{position}" for position, field in enumerate(table.fields))

    def _settle(self) -> None:
        """One thread and no words while predicting; no complaint about names where an array is all it needs."""
        for estimator in walk(self._model):
            attributes = vars(estimator)
            if attributes.get("n_jobs") not in (None, 1):
                attributes["n_jobs"] = 1
            if attributes.get("verbose"):
                attributes["verbose"] = 0
            if self._learned.wants == "array":
                attributes.pop("feature_names_in_", None)
            quicken(estimator)


def _learn(model: Any) -> Learned:
    """What the model says that it takes; no fields at all where nothing in it says so, and only data can tell."""
    try:
        return learn_inputs(model)
    except UnsupportedModel:
        if any(fitted.width(part) is not None for part in walk(model)):
            raise
        return Learned((), named=False, wants="array")


def _refuse_unservable(model: Any, class_name: str) -> None:
    reason, hint = _reason_against(model)
    if reason:
        raise UnsupportedModel(f"{class_name} cannot be served: {reason}", hint=hint)
    if callable(getattr(model, "get_params", None)) and not _is_fitted(model):
        raise UnsupportedModel(f"{class_name} is not fitted", hint="call fit before saving it")


def _reason_against(model: Any) -> tuple[str, str]:
    """Why the model cannot answer new rows, and what to do; two empty texts where it can."""
    if isinstance(model, type):
        return "it is the class itself, not a fitted model of it", "save what `fit` gives"
    if any(callable(getattr(model, answer, None)) for answer in _ANSWERS):
        return "", ""
    if callable(getattr(model, "fit_predict", None)):
        reason = "it can only label the data it was fitted on (`fit_predict`), not new rows"
    else:
        reason = "it has neither `predict` nor `transform`"
    return reason, "save a fitted model that has `predict`"


def _is_fitted(model: Any) -> bool:
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    if fitted.is_stranger(model) and not hasattr(model, "__sklearn_is_fitted__"):
        return True  # it need not keep what it learned in attributes with a `_` behind, which is all that is looked at
    try:
        check_is_fitted(model)
    except NotFittedError:
        return False
    except TypeError:  # it is no estimator by scikit-learn's own rules
        return True
    return True


def _class_name(model: Any) -> str:
    """The class, with the classes of a pipeline's steps or of the model inside: `Pipeline(PCA, SVC)`."""
    if isinstance(model, type):
        return model.__name__
    name = type(model).__name__
    steps = getattr(model, "steps", None)
    if isinstance(steps, list) and steps:
        return f"{name}({', '.join(type(step).__name__ for _, step in steps if step != 'passthrough')})"
    inner = getattr(model, "best_estimator_", None)
    return f"{name}({_class_name(inner)})" if inner is not None else name


def _task(model: Any) -> Task:
    from sklearn import base

    if not callable(getattr(model, "predict", None)):
        return "transform"
    if base.is_classifier(model):
        return "classification"
    if base.is_regressor(model):
        return "regression"
    if base.is_outlier_detector(model):
        return "outlier"
    return "clustering" if getattr(model, "_estimator_type", None) == "clusterer" or _is_clusterer(model) else "unknown"


def _is_clusterer(model: Any) -> bool:
    from sklearn import base

    check = getattr(base, "is_clusterer", None)  # scikit-learn 1.6 and later
    return bool(check and check(model))


def _classes(model: Any, task: Task) -> tuple[tuple[Value, ...], ...]:
    if task == "outlier":
        return ((-1, 1),)
    classes = getattr(model, "classes_", None) if task == "classification" else None
    if classes is None:
        return ()
    targets = classes if isinstance(classes, list) else [classes]
    return tuple(tuple(_plain(label) for label in np.asarray(target).tolist()) for target in targets)


def _plain(label: Any) -> Value:
    """A class as Python's own value; an array of objects may hold NumPy's."""
    value: Value = label.item() if isinstance(label, np.generic) else label
    return value


def _dense(answer: Any) -> Array:
    """An answer as an array, whether it came sparse, as a frame, or as a list."""
    if hasattr(answer, "toarray"):
        answer = answer.toarray()
    return np.asarray(answer)
