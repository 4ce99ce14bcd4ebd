"""Where the trees of a model split its inputs: the values at which the smallest difference changes an answer.

Only splits of what is an input itself are found, or of one that was imputed or scaled on the way.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from lading.schema import fitted
from lading.schema.fields import Field
from lading.schema.table import Array

Borders = Mapping[int, Array]
"""Place of a field to its borders, float64 in ascending order."""


class _Spot(NamedTuple):
    """A column as an estimator gets it: `(input - offset) / scale` of the input at a place; of none, where unknown."""

    place: int = -1
    scale: float = 1.0
    offset: float = 0.0


def borders_of(model: Any, fields: Sequence[Field]) -> Borders:
    """The borders of a fitted estimator whose inputs are these fields; what cannot be followed has none."""
    places = {field.name: place for place, field in enumerate(fields)}
    names = fitted.names(model) or [field.name for field in fields]
    found: dict[int, list[Array]] = {}
    # Private attributes differ between versions, and rows at borders are only one of the trials.
    with contextlib.suppress(AttributeError, IndexError, KeyError, TypeError, ValueError):
        _visit(model, [_Spot(places.get(name, -1)) for name in names], found)
    return {place: np.unique(np.concatenate(parts)) for place, parts in sorted(found.items())}


def _visit(model: Any, spots: list[_Spot], found: dict[int, list[Array]]) -> list[_Spot]:
    """What the estimator makes of its columns; the borders of the trees in it are added to those found."""
    if model is None or isinstance(model, str):
        return spots  # "passthrough"
    if fitted.is_a(model, {"Pipeline"}):
        for _, step in model.steps:
            spots = _visit(step, spots, found)
        return spots
    if fitted.is_a(model, {"ColumnTransformer"}):
        return _visit_table(model, spots, found)
    if fitted.is_a(model, {"SimpleImputer"}):
        return spots if len(model.statistics_) == len(spots) and not model.add_indicator else []
    if fitted.is_a(model, {"StandardScaler", "MinMaxScaler"}):
        return _scaled(model, spots)
    if fitted.is_a(model, {"BaseHistGradientBoosting"}):
        _add_nodes(model, spots, found)
        return []
    for inner, picks in fitted.members(model, len(spots)):
        if fitted.has_tree(inner):
            _add_splits(inner.tree_, [spots[position] for position in picks], found)
        else:
            _visit(inner, [spots[position] for position in picks], found)
    return []


def _visit_table(model: Any, spots: list[_Spot], found: dict[int, list[Array]]) -> list[_Spot]:
    made = [_Spot()] * max(place.stop for place in model.output_indices_.values())
    for name, inner, _ in fitted.branches(model):
        taken = [spots[position] for position in model._transformer_to_input_indices[name]]
        place = model.output_indices_[name]
        given = _visit(inner, taken, found)
        if len(given) == place.stop - place.start:
            made[place] = given
    return made


def _scaled(model: Any, spots: list[_Spot]) -> list[_Spot]:
    count = len(spots)
    if fitted.is_a(model, {"StandardScaler"}):
        scales = np.ones(count) if model.scale_ is None else model.scale_
        offsets = np.zeros(count) if model.mean_ is None or not model.with_mean else model.mean_
    else:
        scales, offsets = 1 / model.scale_, -model.min_ / model.scale_
    return [
        spot._replace(scale=spot.scale * scale, offset=spot.offset + spot.scale * offset)
        for spot, scale, offset in zip(spots, scales.tolist(), offsets.tolist(), strict=True)
    ]


def _add_splits(tree: Any, spots: list[_Spot], found: dict[int, list[Array]]) -> None:
    is_split = tree.children_left >= 0
    _add(tree.feature[is_split], tree.threshold[is_split], spots, found)


def _add_nodes(model: Any, spots: list[_Spot], found: dict[int, list[Array]]) -> None:
    if getattr(model, "_preprocessor", None) is not None:
        return  # it has put its columns into another order
    for predictor in (predictor for stage in model._predictors for predictor in stage):
        nodes = predictor.nodes[predictor.nodes["is_leaf"] == 0]
        nodes = nodes[nodes["is_categorical"] == 0]
        _add(nodes["feature_idx"].astype(int), nodes["num_threshold"], spots, found)


def _add(features: Array, thresholds: Array, spots: list[_Spot], found: dict[int, list[Array]]) -> None:
    for feature in np.unique(features).tolist():
        spot = spots[feature]
        values = thresholds[(features == feature) & np.isfinite(thresholds)].astype(np.float64)
        if spot.place >= 0 and len(values):
            found.setdefault(spot.place, []).append(values * spot.scale + spot.offset)
