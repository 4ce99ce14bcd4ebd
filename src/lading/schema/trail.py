"""The trail of each input column through a fitted model, and what the estimators along it say of the column."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from lading.schema import fitted
from lading.schema.clues import SOME_WORDS, Clues
from lading.schema.fields import Interval


class Spot(NamedTuple):
    """One column as an estimator gets it.

    Attributes:
        column: which input it is made of; none, where that is not known.
        is_raw: whether its values are the input's own, neither scaled nor encoded.
        has_gaps: whether a null in the input is missing here too.
    """

    column: Clues | None = None
    is_raw: bool = False
    has_gaps: bool = False


class Trail:
    """Follows every input column through a fitted model; `columns` then has what is known of each.

    A visit takes the columns as an estimator gets them, and gives what the estimator makes of them.
    """

    def __init__(self, model: object) -> None:
        self.columns = [Clues() for _ in range(fitted.width(model) or 0)]
        self.notes: list[str] = []
        _end(self._visit(model, [Spot(column, is_raw=True, has_gaps=True) for column in self.columns]))

    def _visit(self, model: Any, spots: list[Spot]) -> list[Spot]:
        if model is None or isinstance(model, str):
            return spots  # "passthrough"
        spots = _aligned(spots, fitted.width(model))
        kinds = [kind.__name__ for kind in type(model).__mro__]
        if not _ROUTERS.intersection(kinds):
            _require(spots)
        visit = next((_VISITS[kind] for kind in kinds if kind in _VISITS), Trail._visit_any)
        try:
            return visit(self, model, spots)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            # Private attributes differ between versions; to know less is no reason to serve nothing.
            self.notes.append(f"what {fitted.class_name(model)} was fitted on could not be read; --data tells")
            return _end(spots)

    def _visit_pipeline(self, model: Any, spots: list[Spot]) -> list[Spot]:
        for _, step in model.steps:
            spots = self._visit(step, spots)
        return spots

    def _visit_table(self, model: Any, spots: list[Spot]) -> list[Spot]:
        made = [Spot()] * max(place.stop for place in model.output_indices_.values())
        for name, inner, _ in fitted.branches(model):
            taken = [spots[position] for position in model._transformer_to_input_indices[name]]
            if taken:
                _require(taken)
                place = model.output_indices_[name]
                made[place] = _aligned(self._visit(inner, taken), place.stop - place.start)
        return made

    def _visit_union(self, model: Any, spots: list[Spot]) -> list[Spot]:
        inners = [inner for _, inner in model.transformer_list if inner != "drop"]
        return [spot for inner in inners for spot in self._visit(inner, spots)]

    def _visit_stack(self, model: Any, spots: list[Spot]) -> list[Spot]:
        self._visit_any(model, spots)
        if model.passthrough:
            _require(spots)
            answers = (fitted.width(model.final_estimator_) or 0) - len(spots)
            self._visit(model.final_estimator_, [Spot()] * answers + spots)
        return []

    def _visit_imputer(self, model: Any, spots: list[Spot]) -> list[Spot]:
        inner = fitted.get(model, "initial_imputer_") or model
        fills = fitted.get(inner, "statistics_")
        fills = [None] * len(spots) if fills is None else list(fills)
        if fitted.get(inner, "strategy") == "constant":
            _learn_fillers(spots, fills)
        else:
            _learn(inner, spots)
            _learn_texts(spots, fills)
        for (column,) in _raw(spots):
            column.null = "none" if model.missing_values is None else column.null
        _end(spots, takes_null=fitted.is_gap(model.missing_values))
        # A column that was empty in training has no fill and is left out.
        kept = [spot._replace(has_gaps=False) for spot, fill in zip(spots, fills, strict=True) if fill == fill]
        indicator = fitted.get(model, "indicator_")
        return kept + [Spot()] * len(indicator.features_ if indicator is not None else ())

    def _visit_indicator(self, model: Any, spots: list[Spot]) -> list[Spot]:
        return _end(spots, takes_null=fitted.is_gap(model.missing_values))

    def _visit_scaler(self, model: Any, spots: list[Spot]) -> list[Spot]:
        _learn(model, spots)
        passed = spots if fitted.allows_nan(model) else _end(spots)
        return [spot._replace(is_raw=False) for spot in passed]

    def _visit_encoder(self, model: Any, spots: list[Spot]) -> list[Spot]:
        return [
            self._encoded(model, spot, [_python(value) for value in values])
            for spot, values in zip(spots, model.categories_, strict=True)
        ]

    def _encoded(self, model: Any, spot: Spot, values: list[Any]) -> Spot:
        gaps = [value for value in values if fitted.is_gap(value)]
        known = tuple(value for value in values if not fitted.is_gap(value))
        for (column,) in _raw([spot]):
            self._take_categories(model, column, known)
            column.null = "none" if any(gap is None for gap in gaps) else column.null
        if not spot.is_raw and spot.column and known and isinstance(known[0], str):
            spot.column.text = known[0]  # what became a text most likely was one
        # An OrdinalEncoder may code a missing value as a missing value.
        if gaps and fitted.is_gap(fitted.get(model, "encoded_missing_value") or ""):
            return spot._replace(is_raw=False)
        return _end([spot], takes_null=bool(gaps))[0]

    def _take_categories(self, model: Any, column: Clues, known: tuple[Any, ...]) -> None:
        if not all(map(_is_plain, known)):
            column.hidden_by = fitted.class_name(model)
            return
        # Of two encoders, one may have been fitted on what an imputer filled in.
        common = set(known)
        column.categories = tuple(value for value in column.categories if value in common) or known
        column.closed |= fitted.get(model, "handle_unknown") == "error"

    def _visit_selector(self, model: Any, spots: list[Spot]) -> list[Spot]:
        if not fitted.allows_nan(model):
            _end(spots)
            spots = [spot._replace(has_gaps=False) for spot in spots]
        kept = [spot for spot, is_kept in zip(spots, model.get_support(), strict=True) if is_kept]
        for inner, _ in fitted.members(model, len(kept)):
            self._visit(inner, [spot._replace(has_gaps=False) for spot in kept])
        return kept

    def _visit_function(self, model: Any, spots: list[Spot]) -> list[Spot]:
        if model.func is None and not model.validate:
            return spots
        is_ufunc = isinstance(model.func, np.ufunc) and not model.validate
        return self._hidden(model, spots, spots if is_ufunc else _end(spots))

    def _hidden(self, model: object, spots: list[Spot], made: list[Spot]) -> list[Spot]:
        for (column,) in _raw(spots):
            column.hidden_by = column.hidden_by or fitted.class_name(model)
        return [spot._replace(is_raw=False) for spot in made]

    def _visit_texts(self, model: Any, spots: list[Spot]) -> list[Spot]:
        fitted.refuse_file_reader(model)
        if len(spots) == 1 and spots[0].column:
            spots[0].column.text = fitted.words(model) or SOME_WORDS
        _end(spots)
        return []

    def _visit_boosting(self, model: Any, spots: list[Spot]) -> list[Spot]:
        _end(spots, takes_null=True)
        spots = [spot._replace(has_gaps=False) for spot in spots]
        if model._preprocessor is not None:
            spots = self._visit_coded(model, spots)
        for column, thresholds in _raw(spots, model._bin_mapper.bin_thresholds_):
            column.splits += [float(np.median(thresholds))] if len(thresholds) else []
        return []

    def _visit_coded(self, model: Any, spots: list[Spot]) -> list[Spot]:
        """The columns as the preprocessor of histogram boosting orders them: categories, then numbers."""
        places = model._preprocessor._transformer_to_input_indices
        coded = [spots[position] for position in places["encoder"]]
        self._visit(model._preprocessor.named_transformers_["encoder"], coded)
        if model.categorical_features == "from_dtype":
            for (column,) in _raw(coded):
                column.dtype = "category"
        return [Spot()] * len(coded) + [spots[position] for position in places["numerical"]]

    def _visit_any(self, model: Any, spots: list[Spot]) -> list[Spot]:
        _learn(model, spots)
        inner = fitted.members(model, len(spots))
        if inner and all(fitted.has_tree(member) for member, _ in inner):
            _learn_splits(model, inner, spots)
        elif inner:
            for member, picks in inner:
                self._visit(member, [spots[position] for position in picks])
        else:
            _end(spots, takes_null=fitted.get(model, "predict") is not None and fitted.allows_nan(model))
        return self._hidden(model, spots, _ended(spots)) if fitted.is_stranger(model) else []


def _python(value: Any) -> Any:
    # As Python's, moments of nanoseconds would be integers.
    return value.item() if isinstance(value, np.generic) and not isinstance(value, np.datetime64) else value


def _is_plain(value: object) -> bool:
    return isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value))


def _raw(spots: list[Spot], *values: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
    """The columns that arrive as they were sent, each with its values."""
    for spot, *rest in zip(spots, *values, strict=True):
        if spot.column and spot.is_raw:
            yield spot.column, *rest


def _require(spots: list[Spot]) -> None:
    for spot in spots:
        if spot.column:
            spot.column.is_required = True


def _end(spots: list[Spot], *, takes_null: bool = False) -> list[Spot]:
    """The columns without gaps, after it is noted whether a null is taken here."""
    for spot in spots:
        if spot.column and spot.has_gaps:
            spot.column.takes_null |= takes_null
            spot.column.refuses_null |= not takes_null
    return _ended(spots)


def _ended(spots: list[Spot]) -> list[Spot]:
    return [spot._replace(is_raw=False, has_gaps=False) for spot in spots]


def _aligned(spots: list[Spot], width: int | None) -> list[Spot]:
    """As many columns as are expected; unknown ones, where that is another number."""
    if width is None or width == len(spots):
        return spots
    _end(spots)
    return [Spot()] * width


def _learn(model: object, spots: list[Spot]) -> None:
    usual = fitted.usual_values(model, len(spots))
    least, greatest = fitted.seen_ranges(model, len(spots))
    for column, value, low, high in _raw(spots, usual, least, greatest):
        if column.usual is None and math.isfinite(value):
            column.usual = value
        if column.seen is None and math.isfinite(low) and math.isfinite(high):
            column.seen = Interval(low, high)


def _learn_fillers(spots: list[Spot], fills: list[Any]) -> None:
    for column, fill in _raw(spots, fills):
        column.filler = fill
        if isinstance(fill, str):
            column.text = column.text or SOME_WORDS


def _learn_texts(spots: list[Spot], fills: list[Any]) -> None:
    for column, fill in _raw(spots, fills):
        if isinstance(fill, str):
            column.usual = str(fill)


def _learn_splits(model: object, members: list[tuple[Any, Sequence[int]]], spots: list[Spot]) -> None:
    """Where the trees split, and in which columns they saw missing values: they claim to take them in all."""
    gapped: set[int] = set()
    for member, picks in members:
        for position, threshold in fitted.splits(member.tree_):
            for (column,) in _raw([spots[picks[position]]]):
                column.splits.append(threshold)
        gapped.update(picks[position] for position in fitted.gapped_features(member.tree_))
    takes_null = fitted.allows_nan(model)
    for position, spot in enumerate(spots):
        _end([spot], takes_null=takes_null and position in gapped)


_ROUTERS = {
    *("Pipeline", "FeatureUnion", "ColumnTransformer", "BaseSearchCV", "CalibratedClassifierCV", "_BaseVoting"),
    *("_BaseStacking", "_MultiOutputEstimator", "OneVsRestClassifier", "TransformedTargetRegressor"),
    *("BaseThresholdClassifier", "FrozenEstimator"),
}
"""What hands a frame on without looking whether all columns are there."""

_VISITS: dict[str, Callable[[Trail, Any, list[Spot]], list[Spot]]] = {
    "Pipeline": Trail._visit_pipeline,
    "ColumnTransformer": Trail._visit_table,
    "FeatureUnion": Trail._visit_union,
    "_BaseStacking": Trail._visit_stack,
    "SelectorMixin": Trail._visit_selector,
    "FunctionTransformer": Trail._visit_function,
    "MissingIndicator": Trail._visit_indicator,
    "BaseHistGradientBoosting": Trail._visit_boosting,
    **dict.fromkeys(fitted.VECTORIZERS, Trail._visit_texts),
    **dict.fromkeys(("SimpleImputer", "KNNImputer", "IterativeImputer"), Trail._visit_imputer),
    **dict.fromkeys(("OneHotEncoder", "OrdinalEncoder", "TargetEncoder"), Trail._visit_encoder),
    **dict.fromkeys(("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler"), Trail._visit_scaler),
    **dict.fromkeys(("QuantileTransformer", "PowerTransformer", "KBinsDiscretizer"), Trail._visit_scaler),
}
