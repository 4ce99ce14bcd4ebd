"""Labels that are read off probabilities are those that the model's own `predict` gives, ties included."""

from typing import Any

import numpy as np
import pytest
from sklearn import datasets, ensemble, linear_model, model_selection, neighbors, pipeline, preprocessing, svm, tree
from sklearn.base import clone

from lading.flavors.estimator import SklearnModel
from lading.flavors.labels import classes_by_score, most_probable
from lading.schema.fields import Field
from lading.schema.table import Table

X, Y = datasets.load_digits(return_X_y=True)
NAMES = np.array([f"digit {number}" for number in range(10)])
KINDS = {
    "LogisticRegression": linear_model.LogisticRegression(max_iter=20),
    "LogisticRegressionCV": linear_model.LogisticRegressionCV(Cs=[0.1], cv=2, max_iter=20),
    "RandomForest of two": ensemble.RandomForestClassifier(2, max_depth=3, random_state=0),
    "ExtraTrees of two": ensemble.ExtraTreesClassifier(2, max_depth=2, random_state=0),
    "GradientBoosting": ensemble.GradientBoostingClassifier(n_estimators=1, max_depth=2, random_state=0),
    "HistGradientBoosting": ensemble.HistGradientBoostingClassifier(max_iter=1, max_leaf_nodes=4, random_state=0),
    "tree": tree.DecisionTreeClassifier(max_depth=2, random_state=0),
    "stump": tree.DecisionTreeClassifier(max_depth=1, random_state=0),
    "random tree": tree.ExtraTreeClassifier(max_depth=3, random_state=0),
    "pipeline": pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression(max_iter=20)),
    "search": model_selection.GridSearchCV(
        pipeline.make_pipeline("passthrough", tree.DecisionTreeClassifier(max_depth=4)), {}, cv=2
    ),
}
TARGETS = {"whole numbers": Y, "texts": NAMES[Y], "two": Y > 4, "floats": Y.astype(float)}


def table(X: Any) -> Table:
    return Table([Field(f"x{position}") for position in range(X.shape[1])], len(X), matrix=X)


class Counted:
    """How often a model's method was called."""

    def __init__(self, model: Any, name: str) -> None:
        self.calls = 0
        self._own = getattr(model, name)
        setattr(model, name, self)

    def __call__(self, X: Any) -> Any:
        self.calls += 1
        return self._own(X)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("target", TARGETS)
def test_who_asks_for_both_gets_the_labels_of_predict(name: str, target: str) -> None:
    model = clone(KINDS[name]).fit(X[:600], TARGETS[target][:600])
    expected = model.predict(X), model.predict_proba(X)
    assert classes_by_score(model) is not None
    found = SklearnModel(model).predict(table(X), proba=True)
    assert (found.prediction.dtype, found.prediction.tolist()) == (expected[0].dtype, expected[0].tolist())
    assert found.probabilities[0].tobytes() == expected[1].tobytes()


def test_a_model_with_clear_answers_is_asked_once() -> None:
    model = linear_model.LogisticRegression(max_iter=500).fit(*datasets.load_iris(return_X_y=True))
    iris = datasets.load_iris().data
    expected = model.predict(iris).tolist()
    counted = Counted(model, "predict")
    assert SklearnModel(model).predict(table(iris), proba=True).prediction.tolist() == expected
    assert counted.calls == 0


def test_scores_that_differ_where_their_probabilities_do_not_are_told_apart() -> None:
    model = linear_model.LogisticRegression().fit([[-1.0], [1.0]], ["no", "yes"])
    model.coef_, model.intercept_ = np.array([[1.0]]), np.array([0.0])
    rows = np.array([[1e-17], [-1e-17], [0.0], [5.0]])
    found = SklearnModel(model).predict(table(rows), proba=True)
    assert found.probabilities[0][:3].tolist() == [[0.5, 0.5]] * 3
    assert found.prediction.tolist() == model.predict(rows).tolist() == ["yes", "no", "no", "yes"]


@pytest.mark.parametrize(
    "model",
    [
        neighbors.KNeighborsClassifier(),
        svm.SVC(),
        ensemble.BaggingClassifier(n_estimators=2),
        linear_model.Ridge(),
        pipeline.make_pipeline(preprocessing.StandardScaler(), neighbors.KNeighborsClassifier()),
    ],
    ids=lambda model: type(model).__name__,
)
def test_any_other_model_is_asked_for_its_labels(model: Any) -> None:
    assert classes_by_score(model.fit(X[:50], Y[:50])) is None


class Reversed(linear_model.LogisticRegression):
    """A classifier of a stranger, which answers the least probable class."""

    def predict(self, X: Any) -> Any:
        return self.classes_[self.predict_proba(X).argmin(axis=1)]


@pytest.mark.parametrize("name", ["Reversed", "LogisticRegression"])
def test_a_class_of_a_stranger_is_asked_whatever_it_derives_from(name: str) -> None:
    iris, y = datasets.load_iris(return_X_y=True)
    model = type(name, (Reversed,), {})(max_iter=500).fit(iris, y)
    found = SklearnModel(model).predict(table(iris), proba=True)
    assert found.prediction.tolist() == model.predict(iris).tolist() != found.probabilities[0].argmax(axis=1).tolist()


LABELS = np.array(["a", "b", "c"])


@pytest.mark.parametrize(
    "rows",
    [
        [[0.4, 0.4, 0.2]],
        [[0.1, 0.9, 0.0], [0.5, 0.0, 0.5]],
        [[0.5, 0.5 - 1e-12, 0.0]],
        [[np.nan, 0.5, 0.5]],
        [[0.5, 0.5]],
    ],
)
def test_probabilities_too_close_to_tell_say_nothing(rows: list[list[float]]) -> None:
    assert most_probable(LABELS, np.array(rows)) is None


def test_of_halved_digits_half_have_to_differ() -> None:
    probabilities = np.array([[0.5, 0.5 - 1e-5, 0.0]])
    assert most_probable(LABELS, probabilities) == ["a"]
    assert most_probable(LABELS, probabilities.astype(np.float32)) is None
