"""Borders of trees, followed back to the inputs, and the rows that stand on them."""

from typing import Any

import numpy as np
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from lading.engine.borders import borders_of
from lading.engine.parity import compare
from lading.engine.trials import Trial, trials
from lading.flavors.estimator import SklearnModel
from lading.flavors.flavor import Predictions
from lading.schema.fields import Field, Interval
from lading.schema.sample import as_sample
from lading.schema.table import Table

IRIS = load_iris(as_frame=True)
X, Y = IRIS.data, IRIS.target
FIELDS = tuple(Field(name) for name in X.columns)
TREE = DecisionTreeClassifier(max_depth=3, random_state=0)


def found(model: Any, fields: tuple[Field, ...] = FIELDS) -> list[tuple[int, float]]:
    return [(place, value) for place, values in borders_of(model, fields).items() for value in values.tolist()]


def thresholds(tree: Any) -> list[tuple[int, float]]:
    pairs = {(f, t) for f, t in zip(tree.tree_.feature.tolist(), tree.tree_.threshold.tolist(), strict=True) if f >= 0}
    return sorted(pairs)


def test_the_borders_of_a_tree_are_its_thresholds() -> None:
    tree = TREE.fit(X, Y)
    assert found(tree) == thresholds(tree)


def test_those_of_an_ensemble_are_of_all_its_trees() -> None:
    forest = RandomForestClassifier(5, random_state=0).fit(X, Y)
    assert found(forest) == sorted({pair for tree in forest.estimators_ for pair in thresholds(tree)})


@pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler((-1, 3)), StandardScaler(with_mean=False)], ids=str)
def test_behind_a_scaler_they_are_those_of_the_input(scaler: Any) -> None:
    scaled = found(make_pipeline(scaler, TREE).fit(X, Y))
    alone = found(TREE.fit(X, Y))
    assert [place for place, _ in scaled] == [place for place, _ in alone]
    assert np.allclose([value for _, value in scaled], [value for _, value in alone])


def test_two_scalers_and_an_imputer_are_followed_too() -> None:
    steps = make_pipeline(SimpleImputer(), StandardScaler(), MinMaxScaler(), TREE).fit(X, Y)
    assert np.allclose([value for _, value in found(steps)], [value for _, value in found(TREE.fit(X, Y))])


def test_the_columns_of_a_frame_are_found_by_their_names() -> None:
    frame = X.assign(kind=np.where(Y == 0, "a", "b"))
    names = list(X.columns)
    columns = make_column_transformer(
        (OneHotEncoder(), ["kind"]), (StandardScaler(), names[2:]), ("passthrough", names[:1])
    )
    model = make_pipeline(columns, TREE).fit(frame, Y)
    fields = (Field("kind", kind="category"), *(Field(name) for name in [*names[2:], names[0]]))
    places = borders_of(model, fields)
    assert set(places) <= {1, 2, 3}
    for place, values in places.items():
        assert values.min() >= X[fields[place].name].min()
        assert values.max() <= X[fields[place].name].max()


def test_those_of_histogram_boosting_are_found() -> None:
    model = HistGradientBoostingClassifier(max_iter=2).fit(X, Y)
    nodes = [node for stage in model._predictors for tree in stage for node in tree.nodes if not node["is_leaf"]]
    assert found(model) == sorted({(int(node["feature_idx"]), float(node["num_threshold"])) for node in nodes})


def test_those_within_a_vote_are_found() -> None:
    vote = VotingClassifier([("tree", TREE), ("boost", GradientBoostingClassifier(n_estimators=2, random_state=0))])
    assert set(thresholds(TREE.fit(X, Y))) < set(found(vote.fit(X, Y)))


@pytest.mark.parametrize("model", [LogisticRegression(max_iter=500), "no model", None], ids=str)
def test_what_has_no_trees_has_no_borders(model: Any) -> None:
    assert found(model.fit(X, Y) if hasattr(model, "fit") else model) == []


# --- rows on them


def at_borders(fields: tuple[Field, ...], values: list[float]) -> Table:
    borders = {0: np.array(values)}
    every = list(trials(fields, None, as_sample(X[["sepal width (cm)"]].rename(columns=lambda _: "a")), borders))
    assert every[-1].words == "rows at the borders of its trees"
    return every[-1].table


def test_rows_stand_on_a_border_and_right_beside_it_in_either_precision() -> None:
    border = 2.45000000001
    single = np.float32(border)
    beside = [np.nextafter(border, direction) for direction in (-np.inf, np.inf)]
    beside += [float(np.nextafter(single, np.float32(direction))) for direction in (-np.inf, np.inf)]
    cells = set(at_borders((Field("a"),), [border]).columns["a"].tolist())
    assert {border, float(single), *beside} <= cells


def test_whole_numbers_stand_on_either_side() -> None:
    cells = at_borders((Field("a", kind="int", dtype="int64"),), [2.5]).columns["a"]
    assert {2, 3} <= set(cells.tolist())
    assert cells.dtype == np.int64


def test_nothing_stands_outside_of_what_may_be_sent() -> None:
    cells = at_borders((Field("a", domain=Interval(2, 3)),), [2.5, 7.0]).columns["a"]
    assert cells.min() >= 2.0
    assert cells.max() <= 3.0


def test_a_trial_is_the_same_each_time() -> None:
    first, second = (list(trials(FIELDS, None, as_sample(X), {0: np.array([5.0])})) for _ in range(2))
    assert [trial.words for trial in first] == [trial.words for trial in second]
    for one, two in zip(first, second, strict=True):
        assert np.array_equal(one.table.matrix, two.table.matrix)


def test_rows_are_moved_by_each_step_around_the_data_and_around_synthetic_ones() -> None:
    every: list[Trial] = list(trials(FIELDS, None, as_sample(X), {}))
    assert [trial.words for trial in every] == [
        *("rows of the data", "synthetic rows"),
        *(f"rows moved by {step}" for step in ("1e-07", "1e-07", "1e-05", "1e-05", "0.001", "0.001")),
        *("rows 3 times as far out", "rows 30 times as far out"),
    ]
    moved, base = every[6].table.matrix, X.to_numpy()
    distances = np.abs(moved[: len(base)] / base[np.arange(len(moved)) % len(base)][: len(base)] - 1)
    assert np.allclose(distances, 1e-3)


def test_rows_that_no_request_could_bring_are_left_out() -> None:
    frame = X.assign(**{"sepal width (cm)": X["sepal width (cm)"].where(Y != 0), "petal width (cm)": np.inf})
    fields = (FIELDS[0], FIELDS[1], Field("petal width (cm)"))
    assert next(trials(fields, None, as_sample(frame), {})).words == "synthetic rows"
    first = next(trials(fields[:2], None, as_sample(frame), {}))
    assert (first.words, first.table.rows) == ("rows of the data", 100)


class Rounded(SklearnModel):
    """A model whose inputs are rounded to float32 first."""

    def predict(self, table: Table, *, proba: bool = False) -> Predictions:
        columns = {name: column.astype(np.float32).astype(np.float64) for name, column in table.columns.items()}
        return super().predict(Table.from_columns(table.fields, columns), proba=proba)


def test_only_rows_at_borders_tell_that_a_number_is_rounded_on_the_way() -> None:
    model = HistGradientBoostingClassifier(max_iter=5).fit(X, Y)
    borders = borders_of(model, FIELDS)
    assert compare(SklearnModel(model), Rounded(model), trials(FIELDS, None, as_sample(X), {})).reason == ""
    found = compare(SklearnModel(model), Rounded(model), trials(FIELDS, None, as_sample(X), borders))
    assert found.reason != ""


def test_what_forests_round_themselves_is_no_difference() -> None:
    model = RandomForestClassifier(5, random_state=0).fit(X, Y)
    every = trials(FIELDS, None, as_sample(X), borders_of(model, FIELDS))
    assert compare(SklearnModel(model), Rounded(model), every).reason == ""
