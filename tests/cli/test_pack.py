"""`lading pack`: options say what the library is told, and stdout is for programs."""

from pathlib import Path
from typing import Any

import pytest

import lading
from lading.schema.fields import Interval

PACK = ("pack", "model.joblib", "--data", "train.csv", "--target", "target", "--compile", "never")


def test_it_writes_a_bundle_and_says_what_is_next(run: Any, folder: Path) -> None:
    result = run(*PACK)
    assert (result.code, result.out) == (0, "")
    assert result.err.endswith("next: lading serve model-1.0.0.lading\n")
    schema = lading.load(folder / "model-1.0.0.lading").schema
    assert schema.unused == ("target",)
    assert schema.inputs[0].seen == Interval(4.3, 7.9)


def test_json_is_for_programs(run: Any, folder: Path) -> None:
    result = run(*PACK, "--json", "-o", "out.lading")
    told = result.json
    assert told["path"] == "out.lading"
    assert told["size"] == (folder / "out.lading").stat().st_size
    assert told["manifest"]["schema"]["task"] == "classification"
    assert "loading" in result.err


def test_options_declare(run: Any, folder: Path) -> None:
    options = ["--name", "flowers", "--version", "2.0", "--labels", "a, b,c", "--domain", "sepal width (cm)=2..5"]
    assert run(*PACK, *options, "--domain", "petal width (cm)=0.2,1").code == 0
    manifest = lading.load(folder / "flowers-2.0.lading").manifest
    assert manifest.model_schema.outputs[0].labels == ("a", "b", "c")
    assert [field.domain for field in manifest.model_schema.inputs] == [None, Interval(2, 5), None, (0.2, 1.0)]


def test_without_data_it_packs_what_the_model_knows(run: Any, folder: Path) -> None:
    result = run("pack", "model.joblib", "--compile", "never")
    assert result.code == 0
    assert "--data train.csv" in result.err
    assert lading.load(folder / "model-1.0.0.lading").manifest.data is None


def test_by_itself_it_compiles_what_can_be_compiled(run: Any, folder: Path) -> None:
    result = run("pack", "model.joblib", "--data", "train.csv", "--target", "target")
    (line,) = [line for line in result.err.splitlines() if line.split()[0] == "engine"]
    assert line.startswith("  engine    compiled to ONNX; 9,150 rows agree, largest difference ")
    words = "onnx, compiled from Pipeline(StandardScaler, LogisticRegression)"
    doctor = run("doctor", "model-1.0.0.lading")
    assert (doctor.code, "nothing stands in the way" in doctor.out) == (0, True)
    assert words in run("inspect", "model-1.0.0.lading").out
    assert f"engine       {words}" in run("check", "model-1.0.0.lading").out
    assert run("check", "model-1.0.0.lading").out.splitlines()[1].startswith("environment  onnxruntime ")


def test_what_has_to_be_compiled_and_cannot_be_fails(run: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lading.engine.converting.LIMIT_S", 0.0)
    result = run("pack", "model.joblib", "--compile", "require")
    assert result.code == 1
    assert "cannot be compiled: its conversion took more than 0 s" in result.err
    assert not (folder / "model-1.0.0.lading").exists()


def test_golden_rows_may_be_those_of_the_data(run: Any, folder: Path) -> None:
    result = run(*PACK, "--golden", "real")
    assert "  warning   rows of the data will be in the bundle" in result.err
    assert "50 rows of the data with their answers" in result.err


WRONG = {
    "no such data": (["--data", "nowhere.csv"], 2),
    "data of an unknown kind": (["--data", "model.joblib"], 2),
    "no such target": (["--data", "train.csv", "--target", "species"], 2),
    "too few labels": (["--labels", "a,b"], 2),
    "the same label twice": (["--labels", "a,b,b"], 2),
    "no column for a domain": (["--domain", "sepal=1"], 2),
    "a domain without values": (["--domain", "sepal width (cm)"], 2),
    "a domain of words": (["--domain", "sepal width (cm)=a"], 2),
    "a range of classes": (["--output-range", "0..1"], 2),
    "no range": (["--output-range", "much"], 2),
    "a name that could do harm": (["--name", "a b"], 2),
    "a version that could do harm": (["--version", "$(id)"], 2),
    "no folder": (["-o", "nowhere/m.lading"], 2),
    "a folder": (["-o", "."], 2),
    "the model itself": (["-o", "model.joblib"], 2),
    "the data themselves": (["--data", "train.csv", "-o", "train.csv"], 2),
    "data that are broken": (["--data", "broken.csv"], 1),
    "no such way to compile": (["--compile", "maybe"], 2),
    "rows of data that are not there": (["--golden", "real"], 2),
    "an option that is none": (["--lables", "a"], 2),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_options_write_nothing(name: str, run: Any, folder: Path) -> None:
    options, code = WRONG[name]
    (folder / "broken.csv").write_bytes(b"a,b\n1\n")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    result = run("pack", "model.joblib", *options)
    assert (result.code, result.out) == (code, "")
    assert "rror: " in result.err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_bundle_is_not_packed_again(run: Any, folder: Path) -> None:
    result = run("pack", "iris.lading")
    assert result.code == 2
    assert "is a bundle already" in result.err


def test_another_version_is_said_unless_its_owner_goes_on(run: Any, folder: Path) -> None:
    old = (Path(__file__).parents[1] / "data" / "iris-sklearn-1.5.2.pkl").read_bytes()
    (folder / "old.pkl").write_bytes(old)
    result = run("pack", "old.pkl")
    assert result.code == 4
    assert 'pip install "scikit-learn==1.5.2"' in result.err
    assert run("pack", "old.pkl", "--ignore-versions", "--compile", "never").code == 0
