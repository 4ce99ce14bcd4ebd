"""A model file of XGBoost, in JSON or UBJ, read before XGBoost sees it: what it says of itself, and that it is whole.

https://xgboost.readthedocs.io/en/stable/tutorials/saving_model.html
"""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np

from lading.errors import FormatError
from lading.flavors.xgboost_trees import Trees, look_through, splits, whole
from lading.flavors.xgboost_ubj import read_ubj
from lading.schema.fields import MAX_FIELDS, MAX_NAME_CHARS, Value

_JSON = re.compile(rb'\s*\{\s*("version"\s*:\s*\[[\d\s,]*\]\s*,\s*)?"learner"\s*:\s*\{')
_UBJ = re.compile(rb"\{L\0{7}\x07(learner\{|version\[)")
_HEAD_BYTES = 1000

_ARRAYS = frozenset(
    {"left_children", "right_children", "parents", "split_indices", "split_conditions", "split_type"}
    | {
        "base_weights",
        "leaf_weights",
        "loss_changes",
        "sum_hessian",
        "categories",
        "categories_nodes",
        "categories_segments",
        "categories_sizes",
    }
)
"""Arrays that are as long as a tree is large: as lists they would take many times the memory."""
_PASSED_OVER = frozenset({"default_left"})


class _Encoding(msgspec.Struct, frozen=True):
    """The categories of a column: `values` are numbers, or the bytes of all texts, and then `offsets` cut them."""

    values: Any = ()
    offsets: Any = None


class _Categories(msgspec.Struct, frozen=True):
    enc: list[_Encoding] = []


class _Model(msgspec.Struct, frozen=True):
    """Trees, or of `gblinear` its weights, (columns + 1) for each output."""

    trees: list[dict[str, Any]] = []
    tree_info: Any = ()
    iteration_indptr: Any = None
    cats: _Categories = _Categories()
    weights: Any = ()


class _Inner(msgspec.Struct, frozen=True):
    model: _Model


class _Booster(msgspec.Struct, frozen=True):
    """The model; of `dart` there is one more around it, with a weight for each tree."""

    name: str
    model: _Model | None = None
    gbtree: _Inner | None = None
    weight_drop: Any = ()


class _Param(msgspec.Struct, frozen=True):
    num_feature: str
    num_class: str = "0"
    num_target: str = "1"


class _Objective(msgspec.Struct, frozen=True):
    name: str


class _Learner(msgspec.Struct, frozen=True):
    gradient_booster: _Booster
    learner_model_param: _Param
    objective: _Objective
    attributes: dict[str, str] = {}
    feature_names: list[str] = []
    feature_types: list[str] = []


class _File(msgspec.Struct, frozen=True):
    learner: _Learner
    version: list[int] = []


class Wrapper(msgspec.Struct, frozen=True, rename={"estimator_type": "_estimator_type"}, omit_defaults=True):
    """What the attribute `scikit_learn` says of the wrapper that saved a model.

    Attributes:
        estimator_type: `classifier`, `regressor` or `ranker`.
        missing: what it takes for a missing value beside NaN; Lading adds that, `save_model` leaves it out.
    """

    estimator_type: str = ""
    missing: float | None = None


class XgboostFile(msgspec.Struct, frozen=True):
    """What a file says of itself.

    Attributes:
        version: of XGBoost that saved it; empty where the file does not say.
        booster: `gbtree`, `dart` or `gblinear`.
        objective: such as `binary:logistic`.
        wrapper: the one that saved it; None of a Booster.
        best_iteration: the one that early stopping found.
        width: how many columns it takes.
        classes: how many classes it tells apart; 0 where that is not by a score for each.
        targets: how many values a row it predicts.
        names: of the columns; empty where it knows none.
        types: of the columns, `c` where they are categories; empty where it knows none.
        categories: of each column, in the order of their codes; empty where the file has none for certain.
        splits: the median of the thresholds of each column, NaN where there are none.
    """

    version: tuple[int, ...]
    booster: str
    objective: str
    wrapper: Wrapper | None
    best_iteration: int | None
    width: int
    classes: int
    targets: int
    names: tuple[str, ...]
    types: tuple[str, ...]
    categories: tuple[tuple[Value, ...], ...]
    splits: tuple[float, ...]


def is_xgboost(data: bytes) -> bool:
    """Whether the bytes begin as a model of XGBoost does, in JSON or in UBJ."""
    return bool(_JSON.match(data, 0, _HEAD_BYTES) or _UBJ.match(data))


def read_xgboost_file(data: bytes) -> XgboostFile:
    """What the file says, once every index in it has been looked at.

    Raises:
        FormatError: it is broken.
    """
    try:
        content = read_ubj(data) if data[:2] == b"{L" else json.loads(data, object_pairs_hook=_object)
        return _summary(msgspec.convert(content, _File))
    # Of JSON its own reader says where it broke, and of text in another encoding Python: no words for people.
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError, OverflowError):
        raise broken("it cannot be read to its end") from None
    except (ValueError, msgspec.DecodeError) as error:
        raise broken(str(error)) from None


def broken(reason: str) -> FormatError:
    """The error of a file that is no model, for a reason."""
    return FormatError(f"the XGBoost model is broken: {reason}", hint="save the model again: model.save_model(path)")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key is there twice")
    return {key: np.asarray(value) if key in _ARRAYS else value for key, value in pairs if key not in _PASSED_OVER}


def _summary(file: _File) -> XgboostFile:
    learner, param = file.learner, file.learner.learner_model_param
    best = learner.attributes.get("best_iteration")
    width = _count(param.num_feature, "num_feature")
    classes, targets = _count(param.num_class, "num_class"), _count(param.num_target, "num_target")
    outputs = max(classes, 1) * max(targets, 1)
    model = _looked_through(learner.gradient_booster, width, outputs)
    return XgboostFile(
        version=tuple(file.version),
        booster=learner.gradient_booster.name,
        objective=learner.objective.name,
        wrapper=_wrapper(learner.attributes.get("scikit_learn")),
        best_iteration=None if best is None else _count(best, "best_iteration"),
        width=width,
        classes=classes,
        targets=targets,
        names=_names(learner.feature_names, width),
        types=_one_a_column(learner.feature_types, width, "types"),
        categories=_categories(model.cats.enc, width),
        splits=tuple(splits(model.trees, width)),
    )


def _looked_through(booster: _Booster, width: int, outputs: int) -> _Model:
    model = booster.gbtree.model if booster.name == "dart" and booster.gbtree else booster.model
    if model is None or not 0 < width <= MAX_FIELDS or outputs > MAX_FIELDS:
        raise ValueError("it has no columns, or more than a model may have")
    trees = Trees(model.trees, model.tree_info, model.iteration_indptr)
    look_through(trees, width=width, outputs=outputs)
    if booster.name == "dart" and np.shape(booster.weight_drop) != (len(model.trees),):
        raise ValueError("it does not have a weight for each tree")
    if booster.name == "gblinear" and np.shape(model.weights) != ((width + 1) * outputs,):
        raise ValueError("it does not have a weight for each column")
    return model


def _count(text: str, name: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 10:
        raise ValueError(f"its `{name}` is no count")
    return int(text)


def _one_a_column(words: list[str], width: int, what: str) -> tuple[str, ...]:
    if words and len(words) != width:
        raise ValueError(f"it has {len(words)} {what} for {width} columns")
    if any(len(word) > MAX_NAME_CHARS for word in words):
        raise ValueError(f"one of its {what} has more than {MAX_NAME_CHARS} characters")
    return tuple(words)


def _names(names: list[str], width: int) -> tuple[str, ...]:
    if len(set(names)) != len(names):
        raise ValueError("two of its columns have the same name")
    return _one_a_column(names, width, "names")


def _wrapper(text: str | None) -> Wrapper | None:
    # XGBoost 1 wrote NaN here, which is no JSON but in Python.
    return None if text is None else msgspec.convert(json.loads(text), Wrapper)


def _categories(encodings: list[_Encoding], width: int) -> tuple[tuple[Value, ...], ...]:
    if encodings and len(encodings) != width:
        raise ValueError("it does not have the categories of each column")
    return tuple(_values(encoding) for encoding in encodings)


def _values(encoding: _Encoding) -> tuple[Value, ...]:
    values = np.asarray(encoding.values)
    if encoding.offsets is None:
        if values.ndim != 1 or values.dtype.kind not in "iuf" or not np.isfinite(values).all():
            raise ValueError("there are categories that are no values")
        return tuple(values.tolist())
    text = whole(values).astype(np.uint8).tobytes()
    if not text.isascii():
        # XGBoost 3.2 counts characters where it cuts bytes, so the file may have others than the model was trained on.
        return ()
    # An offset that is not there cuts nothing out, so nothing has to be looked at.
    return tuple(text[start:end].decode() for start, end in pairwise(whole(encoding.offsets).tolist()))
