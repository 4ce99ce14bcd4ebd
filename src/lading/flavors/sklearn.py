"""scikit-learn, saved with joblib or pickle, compressed or not, alone or in a dictionary with metadata."""

from __future__ import annotations

import io
import pickle
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from lading.bundle.pickles import sniff, unwrap
from lading.bundle.recorder import Recording, distributions, record, unresolved
from lading.bundle.wrapped import find_model
from lading.errors import FormatError, UnsupportedModel
from lading.flavors.flavor import Needs, Predictions
from lading.flavors.frames import frame
from lading.schema.estimator import Learned, learn_inputs, walk
from lading.schema.fields import Task, Value
from lading.schema.table import Array, Table

MAX_MODEL_BYTES = 16 << 30
"""Bytes that a compressed model may unpack to."""

_ANSWERS = ("predict", "transform")
_NO_ANSWER = "it has neither `predict` nor `transform`"


class SklearnFlavor:
    """Pickled scikit-learn estimators, and whatever else keeps their interface."""

    name = "sklearn"
    suffixes = (".joblib", ".pkl", ".pickle", ".pkl.gz", ".joblib.gz", ".pickle.gz")
    distribution = "scikit-learn"
    extra = "sklearn"

    def recognizes(self, data: bytes) -> bool:
        """Whether the bytes are a pickle, or one compressed."""
        return sniff(data) is not None

    def needs(self, data: bytes) -> Needs:
        """What the pickle names, by reading it with stand-ins in place of everything that it names."""
        recording = record(unwrap(data, max_bytes=MAX_MODEL_BYTES))
        versions: dict[str, str | None] = dict.fromkeys(distributions(recording))
        versions |= {"scikit-learn": None, "joblib": None}
        versions |= recording.versions
        if any(module.startswith("pandas.") for module, _ in recording.names):
            versions.setdefault("pandas", None)
        return Needs(
            class_name=recording.top,
            distributions=versions,
            problems=_problems(recording),
            metadata=recording.metadata or {},
            names=tuple(f"{module}.{name}" for module, name in recording.names),
        )

    def load(self, data: bytes) -> SklearnModel:
        """The estimator in a pickle. Runs the pickle: only for what its owner named, or a trusted key signed."""
        import joblib

        try:
            loaded = joblib.load(io.BytesIO(unwrap(data, max_bytes=MAX_MODEL_BYTES)))
        except FormatError:
            raise
        except _BROKEN as error:
            raise _not_loaded(error) from error
        _, model, metadata = find_model(loaded)
        return SklearnModel(model, metadata)

    def dump(self, model: object) -> tuple[str, bytes] | None:
        """A joblib file of the estimator."""
        if not callable(getattr(model, "fit", None)) or not callable(getattr(model, "get_params", None)):
            return None
        import joblib

        file = io.BytesIO()
        try:
            joblib.dump(model, file)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            hint = "define its functions in a module instead of a lambda or an inner function"
            raise UnsupportedModel(f"the model cannot be pickled: {type(error).__name__}", hint=hint) from error
        return "model.joblib", file.getvalue()


# What unpickling raises for files that are broken, or made by other versions: any of these, and nothing narrower.
_BROKEN = (
    pickle.UnpicklingError,
    AttributeError,
    EOFError,
    ImportError,
    IndexError,
    KeyError,
    MemoryError,
    OSError,
    TypeError,
    ValueError,
    zlib.error,
)


def _not_loaded(error: BaseException) -> FormatError:
    if isinstance(error, ImportError | AttributeError):
        return FormatError(f"the model cannot be loaded here: {error}", hint="lading doctor FILE says what is missing")
    return FormatError(
        f"the model cannot be loaded: {type(error).__name__}",
        hint="the file is broken, or was saved with other versions: lading doctor FILE",
    )


def _problems(recording: Recording) -> tuple[str, ...]:
    missing = unresolved(recording)
    own = sorted({item.name for item in missing if item.reason == "main"})
    packages = sorted({item.module.split(".")[0] for item in missing if item.reason == "package"})
    problems = []
    if own:
        names = ", ".join(f"`{name}`" for name in own)
        problems.append(
            f"it needs {names} from the notebook or script that saved it (`__main__`): "
            "put the definition into a module, import it there, and save the model again"
        )
    problems += [f"it needs the package `{package}`, which is not installed" for package in packages]
    return tuple(problems)


class SklearnModel:
    """A fitted estimator, ready to answer tables."""

    def __init__(self, model: Any, metadata: Mapping[str, Any] | None = None) -> None:
        self.metadata = metadata or {}
        self.class_name = _class_name(model)
        _refuse_unservable(model, self.class_name)
        self.task = _task(model)
        self.classes = _classes(model, self.task)
        self.has_probabilities = callable(getattr(model, "predict_proba", None))
        self._model = model
        self._learned = learn_inputs(model)
        self._answer = model.predict if callable(getattr(model, "predict", None)) else model.transform
        self._settle()

    def learn(self) -> Learned:
        """What the estimator knows about its inputs."""
        return self._learned

    def predict(self, table: Table, *, proba: bool = False) -> Predictions:
        """Exactly what the estimator's own `predict`, or `transform`, and `predict_proba` give."""
        inputs = self._inputs(table)
        prediction = _dense(self._answer(inputs))
        if not proba or not self.has_probabilities:
            return Predictions(prediction)
        probabilities = self._model.predict_proba(inputs)
        targets = probabilities if isinstance(probabilities, list) else [probabilities]
        return Predictions(prediction, tuple(_dense(target) for target in targets))

    def _inputs(self, table: Table) -> Any:
        if self._learned.wants == "texts":
            return next(iter(table.columns.values()))
        return frame(table) if self._learned.wants == "frame" else table.matrix

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


def _refuse_unservable(model: Any, class_name: str) -> None:
    if isinstance(model, type) or not any(callable(getattr(model, answer, None)) for answer in _ANSWERS):
        if callable(getattr(model, "fit_predict", None)):
            reason = "it can only label the data it was fitted on (`fit_predict`), not new rows"
        else:
            reason = _NO_ANSWER
        raise UnsupportedModel(f"{class_name} cannot be served: {reason}", hint="pack a model that has `predict`")
    if callable(getattr(model, "get_params", None)) and not _is_fitted(model):
        raise UnsupportedModel(f"{class_name} is not fitted", hint="call fit before saving it")


def _is_fitted(model: Any) -> bool:
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(model)
    except NotFittedError:
        return False
    except TypeError:
        return True
    return True


def _class_name(model: Any) -> str:
    """The class, with the classes of a pipeline's steps or of the model inside: `Pipeline(PCA, SVC)`."""
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
    return tuple(tuple(np.asarray(target).tolist()) for target in targets)


def _dense(answer: Any) -> Array:
    """An answer as an array, whether it came sparse, as a frame, or as a list."""
    if hasattr(answer, "toarray"):
        answer = answer.toarray()
    return np.asarray(answer)
