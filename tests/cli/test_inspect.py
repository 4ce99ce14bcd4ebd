"""`lading inspect`: what a bundle or a model file takes and gives, for people and for programs."""

import json
import pickle
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.cli.conftest import IRIS

import lading
from lading.bundle.declared import Declared
from lading.schema.decode import Decoder

FILES = ["iris.lading", "model.joblib"]


@pytest.mark.parametrize("name", FILES)
def test_it_tells_people_what_it_takes_and_gives(name: str, run: Any, folder: Path) -> None:
    result = run("inspect", name)
    assert (result.code, result.err) == (0, "")
    for words in ("Pipeline(StandardScaler, LogisticRegression)", "classification", "petal width (cm)", "scikit-learn"):
        assert words in result.out


@pytest.mark.parametrize(("name", "engine"), [("iris.lading", "native: not asked for"), ("model.joblib", "native")])
def test_it_tells_which_engine_answers(name: str, engine: str, run: Any, folder: Path) -> None:
    lines = run("inspect", name).out.splitlines()
    assert [line.split(maxsplit=1)[1] for line in lines if line.startswith("engine ")] == [engine]


@pytest.mark.parametrize("name", FILES)
def test_it_tells_programs_the_manifest(name: str, run: Any, folder: Path) -> None:
    told = run("inspect", name, "--json").json
    assert told["flavor"] == "sklearn"
    assert [field["name"] for field in told["schema"]["inputs"]] == list(IRIS.data.columns)


@pytest.mark.parametrize("name", FILES)
def test_its_example_is_a_row_that_the_model_takes(name: str, run: Any, folder: Path) -> None:
    example = run("inspect", name, "--example").out
    assert Decoder(lading.load(name).schema).json(example.encode()).is_single
    assert run("predict", name, example).code == 0


@pytest.mark.parametrize("name", FILES)
def test_its_schema_is_one_that_its_example_and_answer_keep(name: str, run: Any, folder: Path) -> None:
    schema = run("inspect", name, "--schema").json
    example = run("inspect", name, "--example").json
    answer = run("predict", name, json.dumps(example), "--proba").json
    jsonschema.validate(example, schema["input"])
    jsonschema.validate(answer["prediction"], schema["prediction"])
    jsonschema.validate(answer["probabilities"], schema["probabilities"])


def test_one_way_at_a_time(run: Any, folder: Path) -> None:
    result = run("inspect", "iris.lading", "--json", "--example")
    assert result.code == 2
    assert "exclude one another" in result.err


def test_a_bundle_is_read_without_loading_the_model(run: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("joblib.load", None)
    assert run("inspect", "iris.lading").code == 0


def test_a_damaged_bundle_is_refused(run: Any, folder: Path) -> None:
    data = bytearray((folder / "iris.lading").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "iris.lading").write_bytes(data)
    assert run("inspect", "iris.lading").code == 3


def test_metadata_are_printed(run: Any, folder: Path, model: Any) -> None:
    with (folder / "model.pkl").open("wb") as file:
        pickle.dump({"model": model, "author": "Jo"}, file)
    lading.pack(folder / "model.pkl", path=folder / "m.lading", declared=Declared(metadata={"auc": 0.93}))
    for name in ("model.pkl", "m.lading"):
        assert run("inspect", name, "--json").json["metadata"]["author"] == "Jo"
        assert "Jo" in run("inspect", name).out
    assert "0.93" in run("inspect", "m.lading").out


def test_labels_stand_for_the_classes(run: Any, folder: Path) -> None:
    assert (
        run(
            "pack", "model.joblib", "--labels", "Setosa,VersiColor,Virginica", "--compile", "never", "-o", "m.lading"
        ).code
        == 0
    )
    assert "Setosa, VersiColor, Virginica" in run("inspect", "m.lading").out
