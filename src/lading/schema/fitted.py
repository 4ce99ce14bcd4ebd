"""One fitted object, read by its attributes and the names of its classes: no scikit-learn is needed for it.

What is asked here is asked of a single estimator; how estimators hang together is `trail`'s matter. The attributes
are those of scikit-learn 1.4 and later; where one is absent or of another shape, nothing is known, and that is all.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import Any

import numpy as np

from lading.errors import UnsupportedModel

VECTORIZERS = frozenset({"CountVectorizer", "HashingVectorizer"})
"""What turns texts into numbers; a TfidfVectorizer is a CountVectorizer."""
MAX_MEMBERS = 100
"""Members of an ensemble that are read: enough for a median."""
_MAX_ROWS = 10_000

_INNER = (
    *("best_estimator_", "calibrated_classifiers_", "estimators_", "regressor_"),
    *("estimator_", "base_estimator_", "estimator"),
)


def get(model: object, name: str) -> Any:
    """The attribute, or None."""
    try:
        return getattr(model, name, None)
    except Exception:  # a property of a stranger's class may raise anything
        return None


def class_name(model: object) -> str:
    """The name of its class."""
    return type(model).__name__


def is_a(model: object, names: Set[str]) -> bool:
    """Whether its class, or one that it derives from, has one of the names."""
    return any(base.__name__ in names for base in type(model).__mro__)


def is_stranger(model: object) -> bool:
    """Whether its class is not scikit-learn's own."""
    return not type(model).__module__.startswith("sklearn.")


def is_own_function(function: object) -> bool:
    """Whether a function is the author's, so that nothing is known of what it does."""
    inner = get(function, "func") or function  # of a `functools.partial`
    module = "numpy" if isinstance(inner, np.ufunc) else str(get(inner, "__module__"))
    return inner is not None and module.partition(".")[0] not in ("numpy", "scipy", "sklearn")


def is_gap(value: object) -> bool:
    """Whether a value stands for a missing one."""
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or class_name(value) in ("NAType", "NaTType")


def width(model: object) -> int | None:
    """How many columns it takes; support vector machines also keep `shape_fit_`, (rows, columns)."""
    count, names, shape = (get(model, name) for name in ("n_features_in_", "feature_names_in_", "shape_fit_"))
    if count is None:
        count = len(names) if isinstance(names, np.ndarray) else shape[1] if isinstance(shape, tuple) else None
    return int(count) if isinstance(count, int | np.integer) else None


def names(model: object) -> list[str] | None:
    """The names of the columns that it takes, where it was fitted on a frame."""
    found = get(model, "feature_names_in_")
    return [str(name) for name in found] if isinstance(found, np.ndarray) else None


def allows_nan(model: Any) -> bool:
    """What its tags say: `__sklearn_tags__` since scikit-learn 1.6, `_get_tags` before."""
    try:
        if hasattr(model, "__sklearn_tags__"):
            return bool(model.__sklearn_tags__().input_tags.allow_nan)
        return hasattr(model, "_get_tags") and bool(model._get_tags()["allow_nan"])
    except Exception:  # tags are a stranger's code too
        return False


def words(model: object) -> str:
    """Three words of a text vectorizer's vocabulary, or an empty string."""
    vocabulary = get(model, "vocabulary_") if is_a(model, VECTORIZERS) else None
    known = sorted(word for word in vocabulary or () if isinstance(word, str) and word.isalpha() and len(word) > 2)
    return " ".join(known[:: max(1, len(known) // 3)][:3])


def refuse_file_reader(vectorizer: object) -> None:
    """Raises `UnsupportedModel` for a text vectorizer whose inputs would name files of the server."""
    if get(vectorizer, "input") in ("filename", "file"):
        name = class_name(vectorizer)
        raise UnsupportedModel(f"`{name}` reads the files that its input names", hint="fit it on the texts")


def branches(model: object) -> list[tuple[str, Any, Any]]:
    """What a ColumnTransformer does, but for what it drops: (name, transformer, columns)."""
    found = get(model, "transformers_") or ()
    return [branch for branch in found if not (isinstance(branch[1], str) and branch[1] == "drop")]


def members(model: object, count: int) -> list[tuple[Any, Sequence[int]]]:
    """The fitted estimators to which it hands its columns, each with the positions of those that it gets.

    Of a single decision tree, that is itself.
    """
    if has_tree(model):
        return [(model, range(count))]
    for name in _INNER:
        inner = [_unpaired(each) for each in _listed(get(model, name))]
        picks = get(model, "estimators_features_") if name == "estimators_" else None
        pairs = list(zip(inner, picks or [range(count)] * len(inner), strict=True))[:MAX_MEMBERS]
        if fitting := [(each, taken) for each, taken in pairs if width(each) == len(taken)]:
            return fitting
    return []


def _listed(found: object) -> list[Any]:
    if isinstance(found, np.ndarray):
        return list(found.flat)
    return found if isinstance(found, list) else [found]


def _unpaired(member: Any) -> Any:
    # Calibration keeps each estimator with its calibrator.
    return member.estimator if is_a(member, {"_CalibratedClassifier"}) else member


def has_tree(model: object) -> bool:
    """Whether it is a decision tree; some neighbors models keep a search tree under the same name."""
    return hasattr(get(model, "tree_"), "threshold")


def splits(tree: Any) -> Iterator[tuple[int, float]]:
    """Each feature that a `Tree` splits at, with the median of its thresholds."""
    is_split = (tree.children_left >= 0) & np.isfinite(tree.threshold)
    features, thresholds = tree.feature[is_split], tree.threshold[is_split]
    order = np.lexsort((thresholds, features))
    found, starts, counts = np.unique(features[order], return_index=True, return_counts=True)
    yield from zip(found.tolist(), thresholds[order][starts + counts // 2].tolist(), strict=True)


def gapped_features(tree: Any) -> list[int]:
    """The features in which a `Tree` was fitted on missing values, for certain.

    Where none were missing, a node sends them to the child with more rows (`sklearn/tree/_splitter.pyx`), so a node
    that does not has seen some.
    """
    nodes = np.flatnonzero(tree.children_left >= 0)
    rows = tree.n_node_samples
    is_left_larger = rows[tree.children_left[nodes]] > rows[tree.children_right[nodes]]
    has_seen = tree.missing_go_to_left[nodes].astype(bool) != is_left_larger
    return [int(feature) for feature in np.unique(tree.feature[nodes][has_seen])]


def usual_values(model: object, count: int) -> Sequence[float]:
    """A value of each column that is common in training; NaN where none is known."""
    return _numbers(_USUAL, model, count)


def seen_ranges(model: object, count: int) -> tuple[Sequence[float], Sequence[float]]:
    """The least and the greatest value of each column in training; NaN where they are not known."""
    return _numbers(_LEAST, model, count), _numbers(_GREATEST, model, count)


def _numbers(table: Mapping[str, Callable[[Any], Any]], model: object, count: int) -> Sequence[float]:
    for name, read in table.items():
        value = get(model, name)
        if value is None or hasattr(value, "toarray"):
            continue
        try:
            array = np.asarray(read(model), dtype=np.float64)
        except (TypeError, ValueError):  # texts
            continue
        if array.shape == (count,):
            numbers: list[float] = array.tolist()
            return numbers
    return [math.nan] * count


def _mean(rows: Any) -> Any:
    """The mean of each column of (rows, columns), NaN left out; of a vector, itself."""
    if np.ndim(rows) != 2 or not len(rows):
        return rows
    some = np.asarray(rows[:: len(rows) // _MAX_ROWS + 1], dtype=np.float64)
    return np.ma.filled(np.ma.masked_invalid(some).mean(axis=0), np.nan)


def _untransformed(model: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about names
        return model.inverse_transform(np.zeros((1, len(model.lambdas_))))[0]


_CENTERS = (
    *("mean_", "center_", "statistics_", "theta_", "means_", "cluster_centers_", "centroids_", "subcluster_centers_"),
    *("xbar_", "location_", "X_offset_", "_x_mean", "_fit_X", "X_fit_", "X_train_", "support_vectors_"),
)


def _center_reader(name: str) -> Callable[[Any], Any]:
    return lambda model: _mean(getattr(model, name))


_USUAL: dict[str, Callable[[Any], Any]] = {
    **{name: _center_reader(name) for name in _CENTERS},
    "lambdas_": _untransformed,
    "quantiles_": lambda model: model.quantiles_[len(model.quantiles_) // 2],
    "bin_edges_": lambda model: [edges[len(edges) // 2] for edges in model.bin_edges_],
    "max_abs_": lambda model: model.max_abs_ / 2,
    "data_min_": lambda model: (model.data_min_ + model.data_max_) / 2,
}
_LEAST: dict[str, Callable[[Any], Any]] = {
    "data_min_": lambda model: model.data_min_,
    "quantiles_": lambda model: model.quantiles_[0],
    "bin_edges_": lambda model: [edges[0] for edges in model.bin_edges_],
    "max_abs_": lambda model: -model.max_abs_,
    "_fit_X": lambda model: np.fmin.reduce(model._fit_X, axis=0),
}
_GREATEST: dict[str, Callable[[Any], Any]] = {
    "data_min_": lambda model: model.data_max_,
    "quantiles_": lambda model: model.quantiles_[-1],
    "bin_edges_": lambda model: [edges[-1] for edges in model.bin_edges_],
    "max_abs_": lambda model: model.max_abs_,
    "_fit_X": lambda model: np.fmax.reduce(model._fit_X, axis=0),
}
