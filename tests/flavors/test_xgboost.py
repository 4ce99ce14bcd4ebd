"""XGBoost's models answer as their wrappers do, bit for bit, however they were saved; a broken file ends nothing."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn import datasets
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import lading
from lading.bundle.manifest import Requirement
from lading.errors import EnvironmentMismatch, FormatError, LadingError, UnsupportedModel
from lading.flavors.registry import dump_with_any, flavor_named, survives_fork
from lading.flavors.xgboost import XgboostFlavor
from lading.flavors.xgboost_ubj import read_ubj
from lading.schema.table import Table

FEW = {"n_estimators": 4, "max_depth": 3}
LOADERS = {"iris": datasets.load_iris, "wine": datasets.load_wine, "digits": datasets.load_digits}
LOADERS |= {"cancer": datasets.load_breast_cancer, "diabetes": datasets.load_diabetes}


def fitted(kind: Any, name: str, **options: Any) -> tuple[Any, Any]:
    X, y = LOADERS[name](return_X_y=True)
    return kind(**FEW | options).fit(X, y), X


def multilabel(**options: Any) -> tuple[Any, Any]:
    X, y = datasets.load_iris(return_X_y=True)
    return xgboost.XGBClassifier(**FEW, **options).fit(X, np.c_[y == 0, y == 1].astype(int)), X


def several_values(**options: Any) -> tuple[Any, Any]:
    X = datasets.load_iris().data
    return xgboost.XGBRegressor(**FEW, **options).fit(X[:, :2], X[:, 2:]), X[:, :2]


def quantiles() -> tuple[Any, Any]:
    return fitted(xgboost.XGBRegressor, "diabetes", objective="reg:quantileerror", quantile_alpha=[0.1, 0.5, 0.9])


def stopped() -> tuple[Any, Any]:
    X, y = datasets.load_digits(return_X_y=True)
    model = xgboost.XGBClassifier(n_estimators=40, max_depth=2, learning_rate=1.5, early_stopping_rounds=3)
    return model.fit(X[:500], y[:500], eval_set=[(X[500:], y[500:])], verbose=False), X


def ranked() -> tuple[Any, Any]:
    X, y = datasets.load_iris(return_X_y=True)
    return xgboost.XGBRanker(**FEW).fit(X, y, group=[50, 50, 50]), X


def with_gaps() -> tuple[Any, Any]:
    X, y = datasets.load_wine(return_X_y=True)
    X[np.random.default_rng(0).random(X.shape) < 0.2] = np.nan
    return xgboost.XGBClassifier(**FEW).fit(X, y), X


Classifier, Regressor = xgboost.XGBClassifier, xgboost.XGBRegressor
MODELS: dict[str, Callable[[], tuple[Any, Any]]] = {
    **{name: lambda name=name: fitted(Classifier, name) for name in ("iris", "wine", "digits", "cancer")},
    **{
        objective: lambda objective=objective: fitted(Regressor, "diabetes", objective=objective)
        for objective in ("reg:squarederror", "reg:absoluteerror", "reg:gamma", "count:poisson", "survival:cox")
    },
    **{
        objective: lambda objective=objective: fitted(Classifier, "cancer", objective=objective)
        for objective in ("binary:hinge", "binary:logitraw")
    },
    "multi:softmax": lambda: fitted(Classifier, "wine", objective="multi:softmax"),
    "reg:logistic": lambda: fitted(Regressor, "cancer", objective="reg:logistic"),
    "forest": lambda: fitted(xgboost.XGBRFClassifier, "digits"),
    "forest of numbers": lambda: fitted(xgboost.XGBRFRegressor, "diabetes"),
    "dart": lambda: fitted(Classifier, "wine", booster="dart"),
    "linear": lambda: fitted(Classifier, "wine", booster="gblinear", max_depth=None),
    "linear numbers": lambda: fitted(Regressor, "diabetes", booster="gblinear", max_depth=None),
    "another missing": lambda: fitted(Classifier, "iris", missing=1.4),
    "several labels": multilabel,
    "several labels a leaf": lambda: multilabel(multi_strategy="multi_output_tree"),
    "classes a leaf": lambda: fitted(Classifier, "iris", multi_strategy="multi_output_tree"),
    "several values": several_values,
    "several values a leaf": lambda: several_values(multi_strategy="multi_output_tree"),
    "quantiles": quantiles,
    "stopped early": stopped,
    "ranker": ranked,
    "gaps": with_gaps,
}


@pytest.mark.parametrize("name", MODELS)
def test_it_answers_as_the_wrapper_bit_for_bit(name: str, tmp_path: Path) -> None:
    model, X = MODELS[name]()
    served = lading.load(lading.pack(model, X, path=tmp_path / "m.lading").path)
    assert served.manifest.model == "model/model.ubj"
    assert np.array_equal(served.predict(X), model.predict(X))
    if served.schema.has_probabilities:
        assert np.array_equal(served.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize(
    ("name", "task", "has_probabilities"),
    [
        ("iris", "classification", True),
        ("multi:softmax", "classification", True),
        ("several labels", "classification", True),
        ("binary:hinge", "classification", False),
        ("binary:logitraw", "classification", False),
        ("reg:logistic", "regression", False),
        ("ranker", "regression", False),
    ],
)
def test_the_task_is_the_wrappers(name: str, task: str, has_probabilities: bool, tmp_path: Path) -> None:
    served = lading.load(lading.pack(MODELS[name]()[0], path=tmp_path / "m.lading").path)
    assert (served.schema.task, served.schema.has_probabilities) == (task, has_probabilities)


@pytest.mark.parametrize("name", ["iris", "dart", "linear", "stopped early", "several values a leaf"])
def test_json_and_ubj_are_the_same_as_the_wrapper(name: str, tmp_path: Path) -> None:
    model, X = MODELS[name]()
    for suffix in ("json", "ubj"):
        model.save_model(tmp_path / f"m.{suffix}")
        served = lading.load(tmp_path / f"m.{suffix}")
        assert served.manifest.class_name == type(model).__name__
        assert np.array_equal(served.predict(X), model.predict(X))


def test_the_wrapper_stays_as_it_was() -> None:
    model, _ = MODELS["iris"]()
    dump_with_any(model)
    assert model.get_booster().attributes() == {}


def test_what_is_saved_is_what_the_wrapper_itself_would_save(tmp_path: Path) -> None:
    model, _ = MODELS["stopped early"]()
    model.save_model(tmp_path / "m.ubj")
    flavor, name, data = dump_with_any(model)
    said, own = (read_ubj(file)["learner"]["attributes"] for file in (data, (tmp_path / "m.ubj").read_bytes()))
    assert (flavor.name, name) == ("xgboost", "model.ubj")
    assert json.loads(said.pop("scikit_learn")) == json.loads(own.pop("scikit_learn"))
    assert said == own


# --- Boosters


def booster(objective: str = "binary:logistic", **options: Any) -> tuple[Any, Any]:
    X, y = datasets.load_breast_cancer(return_X_y=True)
    return xgboost.train({"objective": objective, "max_depth": 2}, xgboost.DMatrix(X, y), 5, **options), X


def test_a_booster_of_classes_is_a_classifier_and_says_so(tmp_path: Path) -> None:
    model, X = booster()
    served = lading.load(lading.pack(model, path=tmp_path / "m.lading").path)
    probabilities = model.predict(xgboost.DMatrix(X))
    assert np.array_equal(served.predict_proba(X)[:, 1], probabilities)
    assert served.predict(X).tolist() == (probabilities > 0.5).astype(int).tolist()
    assert "a Booster, served as a classifier because its objective is `binary:logistic`" in served.manifest.notes


@pytest.mark.parametrize("objective", ["binary:logitraw", "reg:squarederror", "rank:pairwise"])
def test_any_other_booster_answers_as_its_own_predict(objective: str, tmp_path: Path) -> None:
    model, X = booster(objective)
    served = lading.load(lading.pack(model, X, path=tmp_path / "m.lading").path)
    assert served.schema.task == "regression"
    assert served.manifest.class_name == f"Booster of {objective}"
    assert np.array_equal(served.predict(X), model.predict(xgboost.DMatrix(X)))


def test_a_booster_that_stopped_early_uses_every_iteration_and_says_so(tmp_path: Path) -> None:
    model, X = booster()
    model.set_attr(best_iteration="1")
    served = lading.load(lading.pack(model, path=tmp_path / "m.lading").path)
    assert np.array_equal(served.predict_proba(X)[:, 1], model.predict(xgboost.DMatrix(X)))
    assert any(note.startswith("iteration 1 was the best") for note in served.manifest.notes)


# --- columns


def mixed() -> Any:
    count = 60
    return pd.DataFrame(
        {
            "city": pd.Categorical(["Bern", "Ulm", None, "Wien"] * (count // 4)),
            "grade": pd.Categorical([3, 1, 2] * (count // 3)),
            "is_member": [True, False] * (count // 2),
            "visits": range(count),
            "age": np.arange(count) * 0.5,
            "score": pd.array([1, None, 2] * (count // 3), dtype="Int64"),
        }
    )


@pytest.fixture(scope="module")
def categorical() -> tuple[Any, Any]:
    frame = mixed()
    target = (frame["city"].cat.codes + 3 * (frame["grade"].cat.codes == 1)).to_numpy()
    return Regressor(n_estimators=8, enable_categorical=True, max_cat_to_onehot=1).fit(frame, target), frame


@pytest.mark.parametrize("has_data", [True, False])
def test_categories_are_those_of_the_file(has_data: bool, categorical: tuple[Any, Any], tmp_path: Path) -> None:
    model, frame = categorical
    served = lading.load(lading.pack(model, frame if has_data else None, path=tmp_path / "m.lading").path)
    city, grade = served.schema.inputs[:2]
    assert (city.kind, city.categories, city.nullable) == ("category", ("Bern", "Ulm", "Wien"), True)
    assert (grade.kind, grade.categories) == ("category", (1, 2, 3))
    assert np.array_equal(served.predict(frame), model.predict(frame))
    assert len(set(served.predict(frame).round(1).tolist())) > 4


def test_kinds_are_those_of_the_file_and_everything_may_be_missing(categorical: tuple[Any, Any]) -> None:
    flavor = XgboostFlavor()
    fields = flavor.load(dumped(categorical[0])).learn().fields
    assert [field.kind for field in fields] == ["category", "category", "bool", "int", "float", "int"]
    assert all(field.nullable for field in fields)


def test_the_order_of_categories_in_a_request_does_not_matter(categorical: tuple[Any, Any], tmp_path: Path) -> None:
    model, frame = categorical
    served = lading.load(lading.pack(model, frame, path=tmp_path / "m.lading").path)
    texts = frame.assign(city=frame["city"].astype(object)).iloc[::-1]
    assert np.array_equal(served.predict(texts)[::-1], model.predict(frame))


def coded(types: list[str]) -> Any:
    X, y = datasets.load_iris(return_X_y=True)
    X[:, 0] = X[:, 0].round() - 4
    return xgboost.train({}, xgboost.DMatrix(X, y, feature_types=types, enable_categorical=True), 3)


def test_categories_that_the_file_does_not_have_are_codes_and_it_says_so() -> None:
    learned = XgboostFlavor().load(dumped(coded(["c", "float", "float", "float"]))).learn()
    assert (learned.fields[0].kind, learned.fields[0].categories) == ("int", ())
    assert "the file does not have the categories of `x0`: the model takes their codes" in learned.notes


def test_categories_that_xgboost_cuts_at_other_places_are_codes() -> None:
    """It counts the characters of `Köln` and takes as many bytes, so that `Wien` would be `nWie`."""
    frame = pd.DataFrame({"city": pd.Categorical(["Bern", "Köln", "Wien"] * 10)})
    model = Regressor(**FEW, enable_categorical=True).fit(frame, np.arange(30) % 3)
    learned = XgboostFlavor().load(dumped(model)).learn()
    assert (learned.fields[0].kind, learned.fields[0].categories) == ("int", ())


def test_texts_without_categories_are_told(tmp_path: Path) -> None:
    model = coded(["c", "float", "float", "float"])
    frame = datasets.load_iris(as_frame=True).data
    frame = frame.assign(**{frame.columns[0]: ["a", "b"] * 75})
    with pytest.raises(UnsupportedModel, match="is no number, and the model has no categories for it"):
        lading.pack(model, frame, path=tmp_path / "m.lading")


def test_columns_without_names_are_numbered_and_thresholds_are_their_examples() -> None:
    learned = XgboostFlavor().load(dumped(MODELS["iris"]()[0])).learn()
    assert [field.name for field in learned.fields] == ["x0", "x1", "x2", "x3"]
    assert not learned.named
    assert isinstance(learned.fields[2].example, float)
    assert 1.0 < learned.fields[2].example < 6.9
    assert "the file names no columns: --data or --input-names tells them" in learned.notes


def test_rows_of_nothing_but_gaps_are_answered(tmp_path: Path) -> None:
    model, X = MODELS["gaps"]()
    served = lading.load(lading.pack(model, path=tmp_path / "m.lading").path)
    nothing = np.full((2, X.shape[1]), np.nan)
    assert np.array_equal(served.predict_proba(nothing), model.predict_proba(nothing))


# --- contributions


@pytest.mark.parametrize("name", ["iris", "cancer", "reg:squarederror", "dart", "stopped early", "gaps", "linear"])
def test_contributions_add_up_to_the_margin(name: str) -> None:
    model, X = MODELS[name]()
    predictor = XgboostFlavor().load(dumped(model))
    X = X[:20]
    table = Table.from_rows(predictor.learn().fields, [tuple(row) for row in X.tolist()])
    found, margin = predictor.contributions(table), model.predict(X, output_margin=True)
    assert found.shape == (*margin.shape, X.shape[1] + 1)
    assert np.allclose(found.sum(axis=-1), margin, atol=1e-4)


def test_contributions_that_xgboost_does_not_have_are_refused() -> None:
    model, X = MODELS["several values a leaf"]()
    predictor = XgboostFlavor().load(dumped(model))
    table = Table.from_rows(predictor.learn().fields, [tuple(row) for row in X[:2].tolist()])
    with pytest.raises(UnsupportedModel, match="XGBRegressor has no contributions"):
        predictor.contributions(table)


# --- who takes what


def dumped(model: Any) -> bytes:
    return dump_with_any(model)[2]


def test_in_a_pipeline_it_stays_with_scikit_learn(tmp_path: Path) -> None:
    X, y = datasets.load_wine(return_X_y=True)
    model = make_pipeline(StandardScaler(), Classifier(**FEW)).fit(X, y)
    served = lading.load(lading.pack(model, X, path=tmp_path / "m.lading").path)
    assert served.manifest.flavor == "sklearn"
    assert np.array_equal(served.predict_proba(X), model.predict_proba(X))


class OwnClassifier(xgboost.XGBClassifier):
    """Of the author's own: what it overrides, no file of XGBoost would have."""


def test_a_class_of_the_authors_stays_with_scikit_learn() -> None:
    X, y = datasets.load_wine(return_X_y=True)
    assert XgboostFlavor().dump(OwnClassifier(**FEW).fit(X, y)) is None


@pytest.mark.parametrize("model", [Classifier(), xgboost.XGBRanker()])
def test_what_is_not_fitted_is_refused(model: Any) -> None:
    with pytest.raises(UnsupportedModel, match="is not fitted"):
        dump_with_any(model)


def test_an_untrained_booster_is_refused() -> None:
    with pytest.raises(LadingError):
        XgboostFlavor().load(dumped(xgboost.Booster()))


# --- versions


def versioned(version: list[int]) -> bytes:
    model, _ = MODELS["iris"]()
    content = json.loads(model.get_booster().save_raw("json"))
    return json.dumps(content | {"version": version}).encode()


@pytest.mark.parametrize("version", [[1, 7, 6], [2, 1, 4], [int(part) for part in xgboost.__version__.split(".")]])
def test_a_file_of_this_version_or_an_older_one_needs_any(version: list[int]) -> None:
    assert XgboostFlavor().needs(versioned(version)).distributions == {"xgboost": None}


def test_a_file_of_a_newer_version_needs_that(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_bytes(versioned([99, 1, 0]))
    with pytest.raises(EnvironmentMismatch, match=r"xgboost 99\.1\.0 is needed"):
        lading.load(tmp_path / "m.json")


def test_nothing_of_xgboost_is_loaded_to_say_what_a_file_needs(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_bytes(versioned([3, 0, 0]))
    script = "import sys, pathlib\nfrom lading.flavors.xgboost import XgboostFlavor\n"
    script += f"print(XgboostFlavor().needs(pathlib.Path({str(tmp_path / 'm.json')!r}).read_bytes()).class_name)\n"
    script += "assert 'xgboost' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ("Booster of multi:softprob\n", 0), done.stderr


# --- broken files: each of these ended the process when XGBoost itself was given it, or said it in twenty lines


def trees(content: Any) -> Any:
    return content["learner"]["gradient_booster"]["model"]["trees"]


def placed(name: str, place: int, value: int) -> Callable[[Any], None]:
    return lambda content: trees(content)[1][name].__setitem__(place, value)


def parameter(name: str, value: str) -> Callable[[Any], None]:
    return lambda content: content["learner"]["learner_model_param"].__setitem__(name, value)


def in_model(name: str, value: Any) -> Callable[[Any], None]:
    return lambda content: content["learner"]["gradient_booster"]["model"].__setitem__(name, value)


def circle(content: Any) -> None:
    trees(content)[1]["left_children"][1] = 0


def categories_of_nothing(content: Any) -> None:
    names = ("categories", "categories_nodes", "categories_segments", "categories_sizes")
    trees(content)[1].update({name: [10**9] for name in names})


DAMAGE: dict[str, tuple[Callable[[Any], None], str]] = {
    "a child beyond the end": (placed("left_children", 0, 10**6), "a branch to nowhere"),
    "a child before the beginning": (placed("right_children", 0, -5), "a branch to nowhere"),
    "a circle": (circle, "a branch to nowhere"),
    "a child twice": (placed("left_children", 0, 2), "lead to the same node"),
    "no such parent": (placed("parents", 1, 10**8), "another parent"),
    "no such column": (placed("split_indices", 0, 10**8), "a column that there is not"),
    "no such class": (in_model("tree_info", [10**6] * 12), "outputs that there are not"),
    "no such iteration": (in_model("iteration_indptr", [0, -5, 3, 6, 12]), "iterations"),
    "a number twice": (lambda content: trees(content)[1].update(id=0), "not numbered"),
    "no such node": (lambda content: trees(content)[1]["tree_param"].update(num_nodes="1000000000"), "as many nodes"),
    "wide leaves": (lambda content: trees(content)[1]["tree_param"].update(size_leaf_vector="3"), "its leaves have"),
    "no such category": (categories_of_nothing, "categories that there are not"),
    "trees of text": (in_model("trees", "x"), "Expected `array`, got `str`"),
    "numbers of text": (in_model("tree_info", ["x"] * 12), "something else"),
    "a billion columns": (parameter("num_feature", "1000000000"), "more than a model may have"),
    "a billion classes": (parameter("num_class", "1000000000"), "more than a model may have"),
    "classes of text": (parameter("num_class", "many"), "`num_class` is no count"),
    "no trees": (lambda content: content["learner"]["gradient_booster"].pop("model"), "has no columns, or more"),
    "no learner": (lambda content: content["learner"].clear(), "missing required field"),
}
SAID_BY_XGBOOST: dict[str, Callable[[Any], None]] = {
    "a billion trees": lambda content: content["learner"]["gradient_booster"]["model"]["gbtree_model_param"].update(
        num_trees="1000000000"
    ),
    "an objective of nobody": lambda content: content["learner"]["objective"].update(name="reg:nothing"),
    "another booster": lambda content: content["learner"]["gradient_booster"].update(name="gbnothing"),
    "no weights": lambda content: trees(content)[1].pop("sum_hessian"),
}


@pytest.fixture(scope="module")
def sound() -> bytes:
    return bytes(MODELS["iris"]()[0].get_booster().save_raw("json"))


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_file_is_told_before_xgboost_sees_it(name: str, sound: bytes) -> None:
    content = json.loads(sound)
    damage, words = DAMAGE[name]
    damage(content)
    with pytest.raises(FormatError, match=f"the XGBoost model is broken: .*{words}"):
        XgboostFlavor().needs(json.dumps(content).encode())


@pytest.mark.parametrize("name", SAID_BY_XGBOOST)
def test_what_xgboost_says_of_a_file_is_one_line(name: str, sound: bytes) -> None:
    content = json.loads(sound)
    SAID_BY_XGBOOST[name](content)
    with pytest.raises(FormatError) as caught:
        XgboostFlavor().load(json.dumps(content).encode())
    assert caught.value.message.startswith("xgboost cannot read the model: ")
    assert "\n" not in caught.value.message
    assert "Stack trace" not in caught.value.message


@pytest.mark.parametrize("data", [b'{"learner":{', b'{"learner":{"a":1,"a":2}}', b'{"learner":{' + b'"a":[' * 10**5])
def test_what_is_no_json_is_told(data: bytes) -> None:
    with pytest.raises(FormatError, match="the XGBoost model is broken"):
        XgboostFlavor().needs(data)


LENGTH = b"L" + bytes(7)
HEAD = b"{" + LENGTH + b"\x07learner"


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{",
        b"?",
        b"[i\x01]",
        b"[#L" + b"\x7f" * 8,
        b"[#L" + b"\xff" * 8,
        b"[$d#L" + b"\0\0\0\0\x40\0\0\0",
        b"[$?#" + LENGTH + b"\x01x",
        b"[#i\x01T",
        b"S" + LENGTH + b"\x02\xff\xff}",
        b"{" + (LENGTH + b"\x01aT") * 2 + b"}}",
        (b"[#" + LENGTH + b"\x01") * 1000 + b"T}",
        b"T}T",
    ],
)
def test_what_is_no_ubj_is_told(value: bytes) -> None:
    with pytest.raises(FormatError, match="the XGBoost model is broken"):
        XgboostFlavor().needs(HEAD + value)


def test_every_beginning_of_a_file_is_told() -> None:
    flavor, data = XgboostFlavor(), dumped(booster("reg:squarederror")[0])
    for end in range(20, len(data), 97):
        with pytest.raises(FormatError):
            flavor.needs(data[:end])


def test_json_that_is_no_model_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text('{"learning": {}}')
    with pytest.raises(FormatError, match=r"m\.json is not what its name says, xgboost"):
        lading.load(tmp_path / "m.json")


FLIPS = """
import pathlib, random, sys
import lading
from lading.errors import LadingError

path, rng = pathlib.Path(sys.argv[1]), random.Random(7)
data = path.read_bytes()
for _ in range(int(sys.argv[2])):
    damaged = bytearray(data)
    damaged[rng.randrange(len(data))] = rng.randrange(256)
    path.write_bytes(damaged)
    try:
        lading.load(path)
    except LadingError:
        pass
print("alive")
"""


@pytest.mark.parametrize("name", ["iris", "dart", "linear", "several values a leaf"])
@pytest.mark.parametrize("suffix", ["json", "ubj"])
def test_flipped_bytes_end_in_nothing_but_our_errors(name: str, suffix: str, tmp_path: Path, scale: str) -> None:
    path = tmp_path / f"m.{suffix}"
    MODELS[name]()[0].save_model(path)
    count = "1000" if scale == "full" else "40"
    command = [sys.executable, "-c", FLIPS, str(path), count]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("alive\n", "", 0)


# --- processes


FORKED = ["iris", "reg:squarederror", "dart", "linear", "several values a leaf"]


@pytest.fixture(scope="module")
def forked(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What two processes answer that were forked from one that had loaded every model, and predicted nothing."""
    folder = tmp_path_factory.mktemp("forks")
    for name in FORKED:
        model, X = MODELS[name]()
        lading.pack(model, X, path=folder / f"{name}.lading")
        joblib.dump(X[:64], folder / f"{name}.rows")
    command = [sys.executable, str(Path(__file__).with_name("forks.py")), str(folder)]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}  # of NumPy; XGBoost bounds itself
    environment.pop("OMP_NUM_THREADS", None)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", FORKED)
def test_a_model_loaded_before_a_fork_answers_after_it_as_the_wrapper(name: str, forked: Any) -> None:
    model, X = MODELS[name]()
    assert [answers[name] for answers in forked["answers"]] == [model.predict(X[:64]).tolist()] * 2


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted where Linux lists them")
def test_loading_starts_no_thread(forked: Any) -> None:
    assert len([name for name in forked["threads"] if name != "jemalloc_bg_thd"]) == 1


def test_it_survives_a_fork_by_itself_and_not_with_what_nobody_saw() -> None:
    needed = Requirement("xgboost", metadata.version("xgboost"))
    assert survives_fork(flavor_named("xgboost"), [needed])
    assert not survives_fork(flavor_named("xgboost"), [needed, Requirement("torch", "1.0")])
