"""Compiling at packing: what gives the same answers is compiled, and what does not stays native and says why."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, SGDClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from tests.mixed import COLUMNS, mixed_frame, mixed_pipeline

import lading
from lading.bundle.declared import Declared
from lading.bundle.environment import installed_version
from lading.engine.checking import check_golden
from lading.engine.compiled import CompiledModel
from lading.errors import UnsupportedModel, UsageError

IRIS = load_iris(as_frame=True)
X, Y = IRIS.data, IRIS.target
DIGITS = load_digits(as_frame=True)
DIABETES = load_diabetes(as_frame=True)
MIXED = mixed_frame()


def packed(model: Any, data: Any, folder: Path, **options: Any) -> tuple[lading.Model, list[str]]:
    """The model in the bundle, and what was said of the engine."""
    said: list[str] = []
    report = lambda step, words: said.append(words) if step == "engine" else None  # noqa: E731
    options = {"compile": "auto"} | options
    bundle = lading.pack(model, data, path=folder / "m.lading", report=report, **options)
    loaded = lading.load(bundle.path)
    assert check_golden(loaded) > 0
    return loaded, said


def reason(model: Any, data: Any, folder: Path) -> str:
    """Why a model stays native."""
    loaded, said = packed(model, data, folder)
    engine = loaded.manifest.engine
    assert engine is not None
    assert not isinstance(loaded.predictor, CompiledModel)
    assert (engine.name, said) == ("native", [f"stays native: {engine.reason}"])
    return engine.reason


# --- what is compiled

TREES = [
    RandomForestClassifier(20, random_state=0),
    GradientBoostingClassifier(n_estimators=5, random_state=0),
    HistGradientBoostingClassifier(max_iter=5, random_state=0),
]


@pytest.mark.parametrize("model", TREES, ids=lambda model: type(model).__name__)
def test_trees_behind_columns_of_every_kind_are_compiled_exactly(model: Any, tmp_path: Path) -> None:
    pipeline = mixed_pipeline(model).fit(MIXED[COLUMNS], MIXED["churned"])
    loaded, said = packed(pipeline, MIXED[COLUMNS], tmp_path)
    assert isinstance(loaded.predictor, CompiledModel)
    assert said[0].startswith("compiled to ONNX; 13,300 rows agree, largest difference ")
    assert said[0].endswith("x faster on one row")
    assert loaded.predict(MIXED[COLUMNS]).tolist() == pipeline.predict(MIXED[COLUMNS]).tolist()
    assert np.allclose(loaded.predict_proba(MIXED[COLUMNS]), pipeline.predict_proba(MIXED[COLUMNS]), atol=1e-6)


def test_a_regression_is_compiled(tmp_path: Path) -> None:
    model = HistGradientBoostingRegressor(max_iter=5, random_state=0).fit(DIABETES.data, DIABETES.target)
    loaded, _ = packed(model, DIABETES.data, tmp_path)
    assert isinstance(loaded.predictor, CompiledModel)
    assert np.allclose(loaded.predict(DIABETES.data), model.predict(DIABETES.data), rtol=1e-6)


def test_several_numbers_a_row_are_compiled(tmp_path: Path) -> None:
    model = LinearRegression().fit(X.iloc[:, :2], X.iloc[:, 2:])
    loaded, _ = packed(model, X.iloc[:, :2], tmp_path)
    assert isinstance(loaded.predictor, CompiledModel)
    assert np.allclose(loaded.predict(X.iloc[:, :2]), model.predict(X.iloc[:, :2]))


CLASSES = {
    "texts": IRIS.target_names[Y],
    "whole numbers": Y.to_numpy() * 10 - 7,
    "truths": (Y == 1).to_numpy(),
    "floats": Y.to_numpy() / 1.0,
}


@pytest.mark.parametrize("name", CLASSES)
def test_the_classes_are_those_of_the_model(name: str, tmp_path: Path) -> None:
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, CLASSES[name])
    loaded, _ = packed(model, X, tmp_path)
    assert isinstance(loaded.predictor, CompiledModel)
    assert repr(loaded.predict(X).tolist()) == repr(model.predict(X).tolist())
    assert np.allclose(loaded.predict_proba(X), model.predict_proba(X), atol=1e-9)


def test_what_was_declared_holds(tmp_path: Path) -> None:
    model = SVC().fit(X, Y)  # whose graph has scores, which are no probabilities
    loaded, _ = packed(model, X, tmp_path, declared=Declared(labels=("a", "b", "c")))
    assert isinstance(loaded.predictor, CompiledModel)
    assert not loaded.schema.has_probabilities
    assert set(loaded.predict(X).tolist()) == {"a", "b", "c"}


OTHERS = {
    "clustering": KMeans(3, n_init=1, random_state=0).fit(X),
    "transform": PCA(2).fit(X),
    "outlier": IsolationForest(n_estimators=5, random_state=0).fit(X),
}


@pytest.mark.parametrize("task", OTHERS)
def test_other_tasks_are_compiled_or_say_why_not(task: str, tmp_path: Path) -> None:
    loaded, said = packed(OTHERS[task], X, tmp_path)
    assert loaded.schema.task == task
    assert said[0].startswith(("compiled to ONNX", "stays native: "))
    native = OTHERS[task].predict if hasattr(OTHERS[task], "predict") else OTHERS[task].transform
    assert np.allclose(loaded.predict(X), native(X))


def test_skops_is_compiled_too(tmp_path: Path) -> None:
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)
    skops.io.dump(model, tmp_path / "m.skops")
    loaded, _ = packed(tmp_path / "m.skops", X, tmp_path)
    assert isinstance(loaded.predictor, CompiledModel)


def test_without_data_the_rows_are_synthetic_alone(tmp_path: Path) -> None:
    loaded, said = packed(make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y), None, tmp_path)
    engine = loaded.manifest.engine
    assert engine is not None
    assert engine.parity is not None
    assert engine.parity.data == "synthetic"
    assert "synthetic rows agree" in said[0]


def test_a_column_named_in_any_way_is_no_trouble(tmp_path: Path) -> None:
    frame = X.set_axis(["a (cm)", " ", "ünï", '"'], axis=1).assign(kind=np.where(Y == 0, "a", "b"))
    columns = make_column_transformer((OneHotEncoder(), ["kind"]), (StandardScaler(), ["a (cm)", '"', " "]))
    model = make_pipeline(columns, LogisticRegression()).fit(frame, Y)
    loaded, _ = packed(model, frame, tmp_path)
    assert isinstance(loaded.predictor, CompiledModel)
    assert loaded.predict(frame).tolist() == model.predict(frame).tolist()


# --- what is not


@pytest.fixture(scope="module")
def saturated() -> Any:
    """A model whose probabilities are 0 and 1 where its scores are far apart."""
    return SGDClassifier(loss="log_loss", random_state=0).fit(DIGITS.data, DIGITS.target)


def test_a_model_that_gets_other_labels_stays_native(saturated: Any, tmp_path: Path) -> None:
    assert reason(saturated, DIGITS.data, tmp_path).endswith(" of 1,797 rows of the data got another label")


def test_where_it_is_required_such_a_model_is_refused(saturated: Any, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match=r"SGDClassifier cannot be compiled: \d+ of 1,797") as caught:
        packed(saturated, DIGITS.data, tmp_path, compile="require")
    assert caught.value.hint == "--compile auto packs it as it is"
    assert list(tmp_path.iterdir()) == []


class Rounded(RandomForestClassifier):
    """A forest that nobody has a converter for."""


def stays() -> dict[str, tuple[Any, Any, str]]:
    texts = pd.Series(["good words", "bad words", "good day", "bad day"] * 5, name="text")
    reader = make_pipeline(CountVectorizer(), LogisticRegression())
    several = MultiOutputClassifier(LogisticRegression(max_iter=500))
    many = KNeighborsClassifier().fit(DIGITS.data, DIGITS.target)
    return {
        "texts": (reader.fit(texts, [1, 0] * 10), texts.to_frame(), "reads texts"),
        "neighbors": (many, DIGITS.data, "it looks through more than 300 rows of training"),
        "ties": (KNeighborsClassifier().fit(X, Y), X, "probabilities differ by up to"),
        "several classes": (several.fit(X, np.stack([Y, Y == 1], axis=1)), X, "several classes a row"),
        "a stranger": (Rounded(3, random_state=0).fit(X, Y), X, "skl2onnx does not know Rounded"),
    }


STAYS = stays()


@pytest.mark.parametrize("name", STAYS)
def test_what_cannot_be_compiled_says_why(name: str, tmp_path: Path) -> None:
    model, data, words = STAYS[name]
    assert words in reason(model, data, tmp_path)


def test_nothing_is_tried_where_it_is_not_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lading.engine.compiling.convert_apart", None)
    loaded, said = packed(Ridge().fit(X, Y), X, tmp_path, compile="never")
    assert said == ["stays native: not asked for"]
    assert loaded.manifest.engine_in_words == "native: not asked for"


@pytest.mark.parametrize("mode", ["auto", "require"])
def test_without_the_extra_what_installs_it_is_said(mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without = lambda name: None if name == "skl2onnx" else installed_version(name)  # noqa: E731
    monkeypatch.setattr("lading.bundle.environment.installed_version", without)
    model = Ridge().fit(X, Y)
    if mode == "auto":
        assert reason(model, X, tmp_path) == (
            'no converter was installed at packing; pip install "lading[convert]", and pack again'
        )
    else:
        with pytest.raises(UnsupportedModel, match=r'pip install "lading\[convert\]"'):
            packed(model, X, tmp_path, compile=mode)


def test_what_is_an_engine_itself_stays_as_it_is(tmp_path: Path, iris_path: Path) -> None:
    from skl2onnx import to_onnx

    graph = to_onnx(Ridge().fit(X, Y), X.to_numpy(np.float32)[:1])
    for mode in ("auto", "require"):
        loaded, said = packed(graph, X, tmp_path, compile=mode)
        assert (loaded.manifest.engine, said, loaded.manifest.engine_in_words) == (None, [], "onnx")
    assert lading.load(iris_path).manifest.engine is None


def test_what_is_no_estimator_cannot_be_required(tmp_path: Path) -> None:
    from importlib import resources

    with (
        resources.as_file(resources.files("lading") / "flavors" / "iris.linear.json") as file,
        pytest.raises(UnsupportedModel, match="LinearModel cannot be compiled: there is no compiler for linear models"),
    ):
        packed(file, None, tmp_path, compile="require")


def test_a_mode_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="`compile` is one of auto, never, require"):
        packed(Ridge().fit(X, Y), X, tmp_path, compile="maybe")


def test_a_reason_of_any_words_can_be_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lading.engine.converting import NotConverted

    def fail(*arguments: Any) -> Any:
        raise NotConverted("a\nb\x1b" + "c" * 1000)

    monkeypatch.setattr("lading.engine.compiling.convert_apart", fail)
    assert reason(Ridge().fit(X, Y), X, tmp_path) == "ab" + "c" * 298


def test_a_label_that_differs_only_far_from_the_data_is_found(tmp_path: Path) -> None:
    # skl2onnx compares what a sigmoid makes of the scores, which far out is 1 for several classes.
    model = make_pipeline(StandardScaler(), SGDClassifier(loss="log_loss", random_state=0)).fit(X, Y)
    made = lading.pack(model, X, path=tmp_path / "iris.lading", compile="auto")
    assert not made.manifest.is_compiled
    assert "far out got another label" in made.manifest.engine_in_words
