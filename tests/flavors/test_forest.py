"""A forest asked tree by tree gives what scikit-learn's own way gives, to the last bit, and the same errors."""

import io
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn import calibration, datasets, ensemble, model_selection, multioutput, pipeline, preprocessing
from sklearn.ensemble import _forest

from lading.flavors.forest import quicken
from lading.flavors.sklearn import SklearnFlavor
from lading.schema.fields import Field
from lading.schema.table import Table

CANCER = datasets.load_breast_cancer(return_X_y=True)
DIABETES = datasets.load_diabetes(return_X_y=True)
FORESTS = {
    "RandomForestClassifier": (ensemble.RandomForestClassifier(10, random_state=0), CANCER),
    "ExtraTreesClassifier": (ensemble.ExtraTreesClassifier(10, max_depth=3, random_state=0), CANCER),
    "of many classes": (
        ensemble.RandomForestClassifier(7, max_depth=4, class_weight="balanced", random_state=0),
        datasets.load_digits(return_X_y=True),
    ),
    "RandomForestRegressor": (ensemble.RandomForestRegressor(10, random_state=0), DIABETES),
    "ExtraTreesRegressor": (ensemble.ExtraTreesRegressor(10, bootstrap=True, random_state=0), DIABETES),
}


def forest() -> Any:
    return ensemble.RandomForestClassifier(5, random_state=0)


NESTED = {
    "a pipeline": pipeline.make_pipeline(preprocessing.StandardScaler(), forest()),
    "a search": model_selection.GridSearchCV(forest(), {"max_depth": [2, 3]}, cv=2),
    "voting": ensemble.VotingClassifier([("a", forest()), ("b", forest())], voting="soft"),
    "stacking": ensemble.StackingClassifier([("a", forest())], cv=2),
    "calibration": calibration.CalibratedClassifierCV(forest(), cv=2),
    "bagging": ensemble.BaggingClassifier(forest(), 2, random_state=0),
}


def copied(model: Any) -> Any:
    file = io.BytesIO()
    joblib.dump(model, file)
    return joblib.load(io.BytesIO(file.getvalue()))


def quick(model: Any) -> Any:
    """A copy that is asked tree by tree."""
    model = copied(model)
    quicken(model)
    return model


@pytest.fixture
def no_joblib(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever hands trees to joblib fails."""
    monkeypatch.setattr(_forest, "Parallel", None)


@pytest.fixture(scope="module", params=FORESTS)
def fitted(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    model, (X, y) = FORESTS[request.param]
    return model.fit(X, y), X


def answers(model: Any, X: Any) -> list[Any]:
    return [getattr(model, name)(X) for name in ("predict", "predict_proba") if hasattr(model, name)]


@pytest.mark.parametrize("rows", [1, 2, 33, None])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64"])
def test_the_sum_is_the_same_to_the_last_bit(fitted: tuple[Any, Any], rows: int | None, dtype: str) -> None:
    model, X = fitted
    X = X[:rows].astype(dtype)
    for ours, own in zip(answers(quick(model), X), answers(model, X), strict=True):
        assert (ours.dtype, ours.shape, ours.tobytes()) == (own.dtype, own.shape, own.tobytes())


def test_no_tree_is_handed_to_joblib(fitted: tuple[Any, Any], no_joblib: None) -> None:
    model, X = fitted
    assert len(quick(model).predict(X[:5])) == 5
    with pytest.raises(TypeError):
        model.predict(X[:5])


@pytest.mark.parametrize("name", NESTED)
def test_forests_inside_of_others_are_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = CANCER
    model = NESTED[name].fit(X, y)
    expected = model.predict(X).tolist(), model.predict_proba(X).tolist()
    loaded = SklearnFlavor().load(bytes_of(model))
    table = Table([Field(f"x{position}") for position in range(X.shape[1])], len(X), matrix=X)
    monkeypatch.setattr(_forest, "Parallel", None)
    found = loaded.predict(table, proba=True)
    assert (found.prediction.tolist(), found.probabilities[0].tolist()) == expected


def bytes_of(model: Any) -> bytes:
    file = io.BytesIO()
    joblib.dump(model, file)
    return file.getvalue()


def outcome(model: Any, X: Any) -> Any:
    """The answer, or the error's kind and words."""
    try:
        with np.errstate(over="ignore"):
            return model.predict(X).tolist()
    except ValueError as error:
        return type(error), str(error)


BEYOND = float(np.finfo(np.float32).max) * 2


@pytest.mark.parametrize("cell", [BEYOND, -BEYOND, np.nan, np.inf, float(np.finfo(np.float32).max)])
def test_a_number_that_trees_refuse_is_refused_as_ever(fitted: tuple[Any, Any], cell: float) -> None:
    model, X = fitted
    X = X[:3].copy()
    X[1, 2] = cell
    assert outcome(quick(model), X) == outcome(model, X)


@pytest.mark.parametrize("X", [np.zeros((2, 3)), np.zeros((0, 30)), np.zeros(30), np.full((1, 30), "a")], ids=np.shape)
def test_what_is_no_row_of_the_forest_is_refused_as_ever(X: Any) -> None:
    model = forest().fit(*CANCER)
    assert outcome(quick(model), X) == outcome(model, X)
    assert outcome(model, X)[0] is ValueError


def test_gaps_are_answered_where_the_forest_was_fitted_on_some() -> None:
    X, y = CANCER
    X = X.copy()
    X[::3, 0] = np.nan
    model = forest().fit(X, y)
    assert quick(model).predict_proba(X).tobytes() == model.predict_proba(X).tobytes()


# A forest of somebody's, in a module of their own, where it may be called like that which it derives from.
Odd = type("RandomForestClassifier", (ensemble.RandomForestClassifier,), {})

ALONE = {
    "of a stranger": lambda: Odd(2).fit(*CANCER),
    "of two outputs": lambda: ensemble.RandomForestRegressor(2).fit(DIABETES[0], DIABETES[0][:, :2]),
    "not fitted": forest,
    "no forest": lambda: multioutput.MultiOutputRegressor(forest()),
}


@pytest.mark.parametrize("name", ALONE)
def test_any_other_is_left_as_it_is(name: str) -> None:
    model = ALONE[name]()
    before = dict(vars(model))
    quicken(model)
    assert vars(model) == before
