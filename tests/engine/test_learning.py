"""What a sample of training data says of a model's inputs, whatever it comes in, and what does not fit."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tests.flavors import strangers

import lading
from lading.bundle.bundle import Bundle
from lading.bundle.declared import Declared
from lading.bundle.manifest import REFERENCE
from lading.errors import LadingError, UsageError
from lading.schema.fields import Interval

IRIS = load_iris(as_frame=True)
X, Y = IRIS.data, IRIS.target


@pytest.fixture(scope="module")
def model() -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "m.lading"


def reference(path: Path) -> bytes | None:
    with Bundle.open(path) as bundle:
        return bundle.read_optional(REFERENCE)


def csv_file(frame: pd.DataFrame, folder: Path) -> Path:
    frame.to_csv(folder / "train.csv", index=False)
    return folder / "train.csv"


def json_file(frame: pd.DataFrame, folder: Path) -> Path:
    frame.to_json(folder / "train.json", orient="records")
    return folder / "train.json"


def columns_file(frame: pd.DataFrame, folder: Path) -> Path:
    (folder / "columns.json").write_text(json.dumps(frame.to_dict("list")))
    return folder / "columns.json"


def parquet_file(frame: pd.DataFrame, folder: Path) -> Path:
    frame.to_parquet(folder / "train.parquet")
    return folder / "train.parquet"


SAMPLES: dict[str, Callable[[pd.DataFrame, Path], Any]] = {
    "frame": lambda frame, folder: frame,
    "list of objects": lambda frame, folder: frame.to_dict("records"),
    "mapping of lists": lambda frame, folder: frame.to_dict("list"),
    "CSV": csv_file,
    "JSON": json_file,
    "JSON columns": columns_file,
    "Parquet": parquet_file,
    "text of a path": lambda frame, folder: str(csv_file(frame, folder)),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_says_the_same_whatever_it_comes_in(name: str, model: Any, target: Path, tmp_path: Path) -> None:
    sample = SAMPLES[name](X.assign(target=Y), tmp_path)
    packed = lading.pack(model, sample, path=target, declared=Declared(target="target"))
    expected = lading.pack(model, X, Y, tmp_path / "expected.lading")
    unused = packed.manifest.model_schema.unused
    assert msgspec.structs.replace(packed.manifest.model_schema, unused=()) == expected.manifest.model_schema
    assert unused == ("target",)
    assert reference(target) == reference(expected.path)


def test_an_array_gives_its_columns_the_names_that_the_model_knows(model: Any, target: Path) -> None:
    manifest = lading.pack(model, X.to_numpy(), Y, target).manifest
    assert manifest.model_schema.names == tuple(X.columns)
    assert manifest.model_schema.inputs[0].seen == Interval(4.3, 7.9)


def test_columns_of_a_sample_name_those_of_a_model_that_knows_none(target: Path) -> None:
    model = LogisticRegression(max_iter=500).fit(X.to_numpy(), Y)
    assert lading.pack(model, X, Y, target).manifest.model_schema.names == tuple(X.columns)


def test_declared_names_are_those_of_the_data_and_of_requests(target: Path) -> None:
    names = ("length", "width")
    model = LogisticRegression().fit(X.iloc[:, :2].to_numpy(), Y)
    bundle = lading.pack(model, X.iloc[:, :2].to_numpy(), path=target, declared=Declared(input_names=names))
    assert bundle.manifest.model_schema.names == names
    assert lading.load(target).answer({"width": 3.5, "length": 5.1}).predictions == [0]


@pytest.mark.parametrize("y", [Y, Y.to_numpy(), Y.tolist(), Y.to_frame(), None])
def test_a_target_beside_the_sample_may_be_anything(y: Any, model: Any, target: Path) -> None:
    assert lading.pack(model, X, y, target).manifest.model_schema.unused == ()


def test_a_target_in_the_sample_is_found_by_the_name_of_y(target: Path) -> None:
    model = LogisticRegression(max_iter=500).fit(X.to_numpy(), Y)
    schema = lading.pack(model, X.assign(target=Y), Y, target).manifest.model_schema
    assert (schema.names, schema.unused) == (tuple(X.columns), ("target",))


@pytest.mark.parametrize("texts", [list, np.array, pd.Series, lambda texts: pd.DataFrame({"review": texts})])
def test_texts_may_come_in_anything(texts: Any, target: Path) -> None:
    words = ["good film", "bad film", "good", "bad"] * 5
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(words, [1, 0, 1, 0] * 5)
    served = lading.load(lading.pack(model, texts(words), path=target).path)
    assert served.predict([[text] for text in words]).tolist() == model.predict(words).tolist()


def test_several_targets_name_the_outputs(target: Path, tmp_path: Path) -> None:
    model = LinearRegression().fit(X.iloc[:, :2], X.iloc[:, 2:])
    declared = Declared(target=("petal length (cm)", "petal width (cm)"))
    output = lading.pack(model, csv_file(X, tmp_path), path=target, declared=declared).manifest.model_schema.outputs[0]
    assert output.columns == declared.target


def test_what_the_sample_has_beside_the_inputs_is_accepted_and_ignored(model: Any, target: Path) -> None:
    served = lading.load(lading.pack(model, X.assign(note="x"), Y, target).path)
    assert served.schema.unused == ("note",)
    assert served.predict(X.assign(note="anything")).tolist() == model.predict(X).tolist()


WRONG_SAMPLES = {
    "a column is missing": (X.iloc[:, :3], "lacks the column `petal width"),
    "a column is misspelt": (X.rename(columns={"petal width (cm)": "petal wdth"}), "lacks the column `petal width"),
    "too few columns in an array": (X.to_numpy()[:, :3], "lacks the column"),
    "no rows": (X.iloc[:0], "at least one row"),
    "a cube": (np.zeros((2, 2, 2)), "must be (rows, columns)"),
    "a number": (5, "must be (rows, columns)"),
    "no such file": ("nowhere.csv", "cannot read nowhere.csv"),
    "an unknown kind of file": (__file__, "is of an unknown kind"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_SAMPLES)
def test_a_sample_that_does_not_fit_is_refused(name: str, model: Any, target: Path) -> None:
    sample, reason = WRONG_SAMPLES[name]
    with pytest.raises(LadingError) as caught:
        lading.pack(model, sample, path=target)
    assert reason in caught.value.message
    assert list(target.parent.iterdir()) == []


def test_a_misspelt_target_gets_the_name_that_was_meant(model: Any, target: Path) -> None:
    with pytest.raises(UsageError, match="no column `targt`") as caught:
        lading.pack(model, X.assign(target=Y), path=target, declared=Declared(target="targt"))
    assert caught.value.hint == "did you mean `target`?"


def test_a_target_that_is_an_input_is_refused(model: Any, target: Path) -> None:
    with pytest.raises(UsageError, match=r"`sepal width .cm.` is an input of the model"):
        lading.pack(model, X, path=target, declared=Declared(target="sepal width (cm)"))


def test_data_overrule_a_guess(target: Path) -> None:
    # The step hides what the model takes: only the LogisticRegression inside says something, which is another thing.
    model = make_pipeline(strangers.Ratio(), LogisticRegression(max_iter=500)).fit(X, Y)
    manifest = lading.pack(model, X.assign(target=Y), Y, target).manifest
    assert manifest.model_schema.names == tuple(X.columns)


def test_a_gap_that_the_model_does_not_take_is_not_asked_of_it(target: Path) -> None:
    # The data have gaps; the model was fitted on the rows without.
    with_gaps = X.mask(X > 7)
    whole = with_gaps.notna().all(axis=1)
    model = LogisticRegression(max_iter=500).fit(X[whole], Y[whole])
    schema = lading.pack(model, with_gaps, Y, target).manifest.model_schema
    assert not any(field.nullable for field in schema.inputs)


def test_data_of_which_no_row_is_whole_are_refused(model: Any, target: Path) -> None:
    with pytest.raises(UsageError, match="every row of the data has a missing value"):
        lading.pack(model, X.assign(**{"sepal width (cm)": np.nan}), Y, target)
