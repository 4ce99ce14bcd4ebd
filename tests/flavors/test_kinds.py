"""Every kind of model: packed with data and served without, it answers as it does by itself, and says what it gives."""

import functools
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn import (
    calibration,
    cluster,
    compose,
    decomposition,
    dummy,
    ensemble,
    feature_extraction,
    linear_model,
    mixture,
    model_selection,
    multiclass,
    multioutput,
    neighbors,
    neural_network,
    pipeline,
    preprocessing,
    svm,
    tree,
)
from sklearn.datasets import load_iris
from tests.flavors import strangers

import lading
from lading.bundle.declared import Declared
from lading.errors import LadingError, UnsupportedModel, UsageError

IRIS = load_iris(as_frame=True)
X, Y = IRIS.data, IRIS.target
ARRAY = X.to_numpy()
NAMES = IRIS.target_names[Y]
TWO = pd.DataFrame({"sepal": X["sepal length (cm)"], "petal": X["petal length (cm)"]})
CLASSES = pd.DataFrame({"species": NAMES, "size": np.where(Y > 0, "large", "small")}).astype(object)
LABELS = np.column_stack([Y == 0, Y > 0, Y == 2]).astype(int)
WITH_SPECIES = X.assign(species=pd.Categorical(NAMES))
TEXTS = pd.Series(["a good film", "a bad film", "great", "awful and bad"] * 10, name="review", dtype=object)
LIKED = np.array([1, 0, 1, 0] * 10)


class Kind(NamedTuple):
    model: Any
    X: Any
    y: Any = None


def logistic() -> Any:
    return linear_model.LogisticRegression(max_iter=500)


def forest(**options: Any) -> Any:
    return ensemble.RandomForestClassifier(5, random_state=0, **options)


LETTERS = pd.DataFrame({"a": list("xyz") * 9, "b": list("pqr") * 9})


KINDS: dict[str, Callable[[], Kind]] = {
    "classes of text": lambda: Kind(logistic(), X, NAMES),
    "classes of booleans": lambda: Kind(logistic(), X, Y > 0),
    "classes of floats": lambda: Kind(logistic(), X, Y.astype(float)),
    "no probabilities": lambda: Kind(svm.LinearSVC(), ARRAY, Y),
    "regressor": lambda: Kind(linear_model.LinearRegression(), X, TWO["sepal"]),
    "two numbers": lambda: Kind(linear_model.Ridge(), X, TWO),
    "two trees": lambda: Kind(tree.DecisionTreeRegressor(random_state=0), ARRAY, TWO.to_numpy()),
    "MultiOutputRegressor": lambda: Kind(multioutput.MultiOutputRegressor(linear_model.Ridge()), X, TWO),
    "TransformedTargetRegressor": lambda: Kind(
        compose.TransformedTargetRegressor(linear_model.Ridge(), func=np.log1p, inverse_func=np.expm1), X, TWO["sepal"]
    ),
    "IsolationForest": lambda: Kind(ensemble.IsolationForest(n_estimators=10, random_state=0), X),
    "OneClassSVM": lambda: Kind(svm.OneClassSVM(), ARRAY),
    "LocalOutlierFactor": lambda: Kind(neighbors.LocalOutlierFactor(novelty=True), ARRAY),
    "KMeans": lambda: Kind(cluster.KMeans(3, n_init=1, random_state=0), X),
    "GaussianMixture": lambda: Kind(mixture.GaussianMixture(3, random_state=0), X),
    "PCA": lambda: Kind(decomposition.PCA(2), X),
    "PCA to a frame": lambda: Kind(decomposition.PCA(2).set_output(transform="pandas"), X),
    "sparse output": lambda: Kind(preprocessing.OneHotEncoder(), LETTERS),
    "texts": lambda: Kind(feature_extraction.text.TfidfVectorizer(), TEXTS.tolist()),
    "texts in an array": lambda: Kind(
        pipeline.make_pipeline(feature_extraction.text.TfidfVectorizer(), logistic()), TEXTS.to_numpy(), LIKED
    ),
    "texts beside a number": lambda: Kind(
        pipeline.make_pipeline(
            compose.make_column_transformer(
                (feature_extraction.text.CountVectorizer(), "review"), (preprocessing.StandardScaler(), ["stars"])
            ),
            logistic(),
        ),
        pd.DataFrame({"review": TEXTS, "stars": np.arange(40.0)}),
        LIKED,
    ),
    "all processors": lambda: Kind(forest(n_jobs=-1), X, Y),
    "talkative": lambda: Kind(forest(verbose=1), X, Y),
    "GridSearchCV": lambda: Kind(model_selection.GridSearchCV(svm.SVC(), {"C": [1, 2]}, cv=2), X, Y),
    "VotingClassifier": lambda: Kind(
        ensemble.VotingClassifier([("a", logistic()), ("b", forest())], voting="soft"), X, Y
    ),
    "StackingClassifier": lambda: Kind(
        ensemble.StackingClassifier([("a", logistic()), ("b", forest())], cv=2), X, NAMES
    ),
    "CalibratedClassifierCV": lambda: Kind(calibration.CalibratedClassifierCV(svm.LinearSVC(), cv=2), X, Y),
    "DummyClassifier": lambda: Kind(dummy.DummyClassifier(), X, Y),
    "passthrough": lambda: Kind(pipeline.make_pipeline("passthrough", logistic()), X, Y),
    "a frame from a scaler": lambda: Kind(
        pipeline.make_pipeline(preprocessing.StandardScaler().set_output(transform="pandas"), logistic()), X, Y
    ),
    "pandas' categories": lambda: Kind(
        ensemble.HistGradientBoostingClassifier(max_iter=5, categorical_features="from_dtype", random_state=0),
        WITH_SPECIES,
        Y,
    ),
    "a function of a frame": lambda: Kind(
        pipeline.make_pipeline(preprocessing.FunctionTransformer(strangers.with_ratio), logistic()), X, Y
    ),
    "a function of an array": lambda: Kind(
        pipeline.make_pipeline(preprocessing.FunctionTransformer(strangers.last_two), logistic()), ARRAY, Y
    ),
    "a model that gives a list": lambda: Kind(strangers.Gives("a list"), ARRAY, Y),
    "a model that gives a series": lambda: Kind(strangers.Gives("a series"), ARRAY, Y),
    "a model that gives a frame": lambda: Kind(strangers.Gives("a frame"), ARRAY, Y),
    "several targets, one matrix": lambda: Kind(multioutput.ClassifierChain(logistic()), X, LABELS),
    "several labels, one a class": lambda: Kind(multiclass.OneVsRestClassifier(logistic()), X, LABELS),
    "several labels of a network": lambda: Kind(
        neural_network.MLPClassifier((5,), max_iter=5, random_state=0), X, LABELS
    ),
}  # fmt: skip

ONLY_WITH_DATA: dict[str, Callable[[], Kind]] = {
    "a step of a frame that says nothing": lambda: Kind(pipeline.make_pipeline(strangers.Ratio(), logistic()), X, Y),
    "a step of an array that says nothing": lambda: Kind(
        pipeline.make_pipeline(strangers.LastTwo(), logistic()), ARRAY, Y
    ),
    "a model that says nothing": lambda: Kind(strangers.Sum(), X, Y),
    "a model that takes no negative numbers": lambda: Kind(decomposition.NMF(2, max_iter=500, random_state=0), X),
}
SEVERAL_TARGETS: dict[str, Callable[[], Kind]] = {
    "forest of two targets": lambda: Kind(forest(), X, CLASSES),
    "MultiOutputClassifier": lambda: Kind(multioutput.MultiOutputClassifier(logistic()), ARRAY, LABELS[:, :2]),
    "several labels of neighbors": lambda: Kind(neighbors.KNeighborsClassifier(), X, LABELS),
}


@functools.cache
def fitted(name: str) -> Kind:
    return fit((KINDS | ONLY_WITH_DATA | SEVERAL_TARGETS)[name]())


def fit(kind: Kind) -> Kind:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about convergence
        kind.model.fit(kind.X) if kind.y is None else kind.model.fit(kind.X, kind.y)
    return kind


def own_answer(model: Any, X: Any) -> Any:
    answer = model.predict(X) if hasattr(model, "predict") else model.transform(X)
    return np.asarray(answer.toarray() if hasattr(answer, "toarray") else answer)


def assert_equal(served: lading.Model, model: Any, X: Any) -> None:
    X = np.array(X, dtype=object) if isinstance(X, list) else X
    for rows in (X, X[:1]):
        expected = own_answer(model, rows)
        got = served.predict(rows)
        assert got.tolist() == expected.tolist()
        assert got.shape == expected.shape


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.mark.parametrize("name", [*KINDS, *ONLY_WITH_DATA])
def test_packed_with_data_it_answers_as_by_itself(name: str, folder: Path) -> None:
    kind = fitted(name)
    bundle = lading.pack(kind.model, kind.X, kind.y, folder / "model.lading")
    assert_equal(lading.load(bundle.path), kind.model, kind.X)


@pytest.mark.parametrize("name", KINDS)
def test_without_data_it_answers_as_by_itself(name: str, folder: Path) -> None:
    kind = fitted(name)
    joblib.dump(kind.model, folder / "model.joblib")
    assert_equal(lading.load(folder / "model.joblib"), kind.model, kind.X)


@pytest.mark.parametrize("name", KINDS)
def test_probabilities_are_its_own(name: str, folder: Path) -> None:
    kind = fitted(name)
    served = lading.load(lading.pack(kind.model, kind.X, kind.y, folder / "model.lading").path)
    if not hasattr(kind.model, "predict_proba"):
        with pytest.raises(UsageError, match="gives no probabilities"):
            served.predict_proba(kind.X)
    else:
        assert np.array_equal(served.predict_proba(kind.X), kind.model.predict_proba(kind.X))


@pytest.mark.parametrize("name", SEVERAL_TARGETS)
def test_probabilities_of_several_targets_are_its_own(name: str, folder: Path) -> None:
    kind = fitted(name)
    served = lading.load(lading.pack(kind.model, kind.X, kind.y, folder / "model.lading").path)
    assert_equal(served, kind.model, kind.X)
    got, expected = served.predict_proba(kind.X), kind.model.predict_proba(kind.X)
    assert [target.tolist() for target in got] == [target.tolist() for target in expected]


@pytest.mark.parametrize("name", ["a model that says nothing", "a model that takes no negative numbers"])
def test_what_only_data_can_tell_is_said(name: str, folder: Path) -> None:
    kind = fitted(name)
    with pytest.raises(UnsupportedModel) as caught:
        lading.pack(kind.model, path=folder / "model.lading")
    assert caught.value.hint is not None
    assert "--data train.csv" in caught.value.hint


def test_processors_and_words_are_turned_off(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    kind = fit(Kind(forest(n_jobs=-1, verbose=2), X, Y))
    capfd.readouterr()  # what fitting printed
    served = lading.load(lading.pack(kind.model, kind.X, kind.y, folder / "model.lading").path)
    served.predict_proba(X)
    assert capfd.readouterr() == ("", "")
    assert (kind.model.n_jobs, kind.model.verbose) == (-1, 2)  # the author's own object is as it was


TASKS = {
    "classes of text": "classification",
    "regressor": "regression",
    "IsolationForest": "outlier",
    "KMeans": "clustering",
    "PCA": "transform",
    "a model that gives a list": "unknown",
}


@pytest.mark.parametrize(("name", "task"), TASKS.items())
def test_the_task_is_known(name: str, task: str, folder: Path) -> None:
    kind = fitted(name)
    assert lading.pack(kind.model, kind.X, kind.y, folder / "m.lading").manifest.model_schema.task == task


def test_the_class_is_told_with_what_is_inside(folder: Path) -> None:
    search = model_selection.GridSearchCV(
        pipeline.make_pipeline(preprocessing.StandardScaler(), logistic()), {"logisticregression__C": [1]}, cv=2
    )
    kind = fit(Kind(search, X, Y))
    manifest = lading.pack(kind.model, path=folder / "m.lading").manifest
    assert manifest.class_name == "GridSearchCV(Pipeline(StandardScaler, LogisticRegression))"


def test_outputs_have_the_names_of_the_targets(folder: Path) -> None:
    kind = fitted("two numbers")
    output = lading.pack(kind.model, kind.X, kind.y, folder / "m.lading").manifest.model_schema.outputs[0]
    assert (output.columns, output.shape) == (("sepal", "petal"), (-1, 2))


def test_declared_targets_name_the_outputs_without_data(folder: Path) -> None:
    kind = fitted("two numbers")
    declared = Declared(target=("a", "b"))
    output = lading.pack(kind.model, path=folder / "m.lading", declared=declared).manifest.model_schema.outputs[0]
    assert output.columns == ("a", "b")


def test_one_matrix_for_several_targets_has_their_names(folder: Path) -> None:
    kind = fit(Kind(multioutput.ClassifierChain(logistic()), X, LABELS))
    y = pd.DataFrame(LABELS, columns=["a", "b", "c"])
    served = lading.load(lading.pack(kind.model, X, y, folder / "m.lading").path)
    answer = served.answer(X[:1], proba=True)
    assert answer.probabilities is not None
    assert list(answer.probabilities[0]) == ["a", "b", "c"]


def test_a_target_may_be_called_like_an_input(folder: Path) -> None:
    model = linear_model.LinearRegression().fit(X, X["sepal length (cm)"])
    schema = lading.pack(model, X, X["sepal length (cm)"], folder / "m.lading").manifest.model_schema
    assert schema.names == tuple(X.columns)


@functools.cache
def refused() -> dict[str, Any]:
    half = pipeline.make_pipeline(preprocessing.StandardScaler().fit(X), logistic())
    return {
        "DBSCAN": (cluster.DBSCAN().fit(X), "it can only label the data it was fitted on"),
        "AgglomerativeClustering": (cluster.AgglomerativeClustering().fit(X), "can only label the data"),
        "LocalOutlierFactor": (neighbors.LocalOutlierFactor().fit(X), "can only label the data"),
        "unfitted": (logistic(), "LogisticRegression is not fitted"),
        "unfitted pipeline": (half, "Pipeline(StandardScaler, LogisticRegression) is not fitted"),
        "class": (linear_model.LogisticRegression, "LogisticRegression cannot be served: it is the class itself"),
        "function": (strangers.last_two, "a `function` is not a model"),
        "dictionary": ({"weights": [1, 2]}, "a `dict` is not a model"),
        "array": (np.zeros(3), "a `ndarray` is not a model"),
        "list": ([logistic()], "a `list` is not a model"),
        "frame": (X, "a `DataFrame` is not a model"),
        "nothing": (None, "a `NoneType` is not a model"),
        "text": ("a text", "there is no file a text"),
        "lambda": (
            pipeline.make_pipeline(preprocessing.FunctionTransformer(lambda x: x), logistic()).fit(X, Y),
            "`func` of `FunctionTransformer` in step `functiontransformer` is a lambda",
        ),
        "dictionaries": (
            pipeline.make_pipeline(feature_extraction.DictVectorizer(), logistic()).fit([{"a": 1}, {"b": 2}], [0, 1]),
            "`DictVectorizer` takes dictionaries, not columns",
        ),
    }  # fmt: skip


@pytest.mark.parametrize("name", refused())
def test_what_cannot_be_served_is_refused_with_the_reason(name: str, folder: Path) -> None:
    model, reason = refused()[name]
    with pytest.raises(LadingError) as caught:
        lading.pack(model, X, Y, folder / "m.lading")
    assert reason in caught.value.message
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("what", ["one value", "too few", "a cube", "nothing", "infinity", "an exit"])
def test_a_model_without_an_answer_for_each_row_is_refused(what: str, folder: Path) -> None:
    with pytest.raises(UnsupportedModel, match=r"^Gives "):
        lading.pack(strangers.Gives(what), ARRAY, path=folder / "m.lading")
    assert list(folder.iterdir()) == []


SAVED = {
    "class": linear_model.LogisticRegression,
    "function": strangers.last_two,
    "dictionary": {"weights": [1, 2]},
    "array": np.zeros(3),
    "text": "a text",
}


@pytest.mark.parametrize("name", SAVED)
def test_a_file_without_a_model_is_refused_with_the_reason(name: str, folder: Path) -> None:
    joblib.dump(SAVED[name], folder / "model.joblib")
    with pytest.raises(UnsupportedModel, match=r"cannot be served: it |which is no model"):
        lading.load(folder / "model.joblib")
