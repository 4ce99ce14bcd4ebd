"""Which flavor a file is for: what its name declares, and never one that its name does not."""

import io
import pickle
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import skops.io
import xgboost
from skl2onnx import to_onnx

import lading
from lading.bundle.bundle import write_bundle
from lading.bundle.manifest import Manifest
from lading.errors import EnvironmentMismatch, FormatError, UnsupportedModel
from lading.flavors.flavor import Flavor
from lading.flavors.registry import dump_with_any, flavor_named, flavor_of_file, flavors, refuse_mismatch
from lading.schema.fields import Field, Output, Schema


def files(model: Any) -> dict[str, bytes]:
    """The same model in the format of every flavor."""
    file = io.BytesIO()
    joblib.dump(model, file)
    return {
        "sklearn": file.getvalue(),
        "skops": skops.io.dumps(model),
        "onnx": to_onnx(model, np.zeros((1, 4), np.float32)).SerializeToString(),
        "linear": Path(lading.__file__).with_name("flavors").joinpath("iris.linear.json").read_bytes(),
        "xgboost": dump_with_any(xgboost.XGBClassifier(n_estimators=1).fit(np.eye(4), [0, 1, 0, 1]))[2],
        "python": b"def identity(X):\n    return X\n",
    }


NAMES = {
    "sklearn": "m.joblib",
    "skops": "m.skops",
    "onnx": "m.onnx",
    "linear": "m.linear.json",
    "xgboost": "m.ubj",
    "python": "m.py",
}
FOREIGN = ["m.safetensors", "m.csv", "m.h5", "m.keras", "m.pt", "m.txt", "m.7z", "m.lading.pdf", "m.pkl.exe"]


@pytest.fixture(scope="module")
def formats(model: Any) -> dict[str, bytes]:
    return files(model)


@pytest.fixture
def no_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever tries to load anything fails."""

    def load(self: Any, data: bytes, *rest: Any) -> Any:
        raise AssertionError("a loader was tried")

    for flavor in flavors():
        monkeypatch.setattr(type(flavor), "load", load)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_for_the_flavor_that_its_name_declares(name: str, formats: dict[str, bytes]) -> None:
    assert flavor_of_file(NAMES[name], formats[name]).name == name
    assert flavor_of_file(NAMES[name].upper(), formats[name]).name == name


@pytest.mark.parametrize("name", NAMES)
def test_a_name_without_an_ending_declares_nothing(name: str, formats: dict[str, bytes]) -> None:
    assert flavor_of_file("model", formats[name]).name == name
    assert flavor_of_file("churn-2.0", formats[name]).name == name


LIES = [(declared, content) for declared in NAMES for content in NAMES if declared != content]


@pytest.mark.parametrize(("declared", "content"), LIES)
@pytest.mark.usefixtures("no_loading")
def test_a_name_that_lies_is_refused_and_no_loader_is_tried(
    declared: str, content: str, formats: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / NAMES[declared]).write_bytes(formats[content])
    with pytest.raises(FormatError, match=f"not what its name says, {declared}: its content looks like {content}"):
        lading.load(tmp_path / NAMES[declared])


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.usefixtures("no_loading")
def test_a_pickle_named_as_something_else_is_refused(name: str, tmp_path: Path, canary: Any) -> None:
    (tmp_path / name).write_bytes(pickle.dumps(canary))
    with pytest.raises(FormatError, match="is no model file by its name"):
        lading.load(tmp_path / name)
    assert not canary.path.exists()


@pytest.mark.parametrize("name", ["m.joblib", "m.onnx", "model"])
def test_what_nobody_knows_is_refused(name: str) -> None:
    with pytest.raises(FormatError, match="is of no format that Lading knows"):
        flavor_of_file(name, b"7z\xbc\xaf\x27\x1c" + bytes(100))


def packed_as(flavor: str, name: str, data: bytes, folder: Path) -> Path:
    """A bundle in which any bytes are declared to be of a flavor."""
    schema = Schema("classification", (Field("x"),), (Output("prediction"),))
    model = f"model/{name}"
    manifest = Manifest(name="m", version="1", flavor=flavor, model=model, class_name="Model", model_schema=schema)
    write_bundle(folder / "m.lading", manifest, {model: data})
    return folder / "m.lading"


@pytest.mark.parametrize(("declared", "content"), LIES)
@pytest.mark.usefixtures("no_loading")
def test_a_bundle_whose_manifest_lies_is_refused_and_no_loader_is_tried(
    declared: str, content: str, formats: dict[str, bytes], tmp_path: Path
) -> None:
    path = packed_as(declared, NAMES[declared], formats[content], tmp_path)
    with pytest.raises(FormatError, match=f"is declared to be {declared}, and is not"):
        lading.load(path)


@pytest.mark.usefixtures("no_loading")
def test_a_bundle_whose_model_is_named_for_another_flavor_is_refused(formats: dict[str, bytes], tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"m[.]skops is declared to be sklearn, and is not"):
        lading.load(packed_as("sklearn", "m.skops", formats["sklearn"], tmp_path))


def test_an_unknown_flavor_names_those_that_are_here() -> None:
    with pytest.raises(EnvironmentMismatch, match="supplies the flavor `torch`") as caught:
        flavor_named("torch")
    assert caught.value.hint is not None
    assert "sklearn" in caught.value.hint


def test_the_flavor_of_an_object_makes_its_file(model: Any) -> None:
    flavor, name, data = dump_with_any(model)
    assert (flavor.name, name) == ("sklearn", "model.joblib")
    assert flavor_of_file(name, data) is flavor


def test_the_flavor_named_like_the_library_of_an_object_goes_first() -> None:
    """XGBoost's wrappers have what scikit-learn's estimators have, and `sklearn` stands before `xgboost`."""
    model = xgboost.XGBClassifier(n_estimators=1).fit(np.eye(4), [0, 1, 0, 1])
    assert flavor_named("sklearn").dump(model) is not None
    assert dump_with_any(model)[0].name == "xgboost"


def test_a_json_file_is_for_the_flavor_that_knows_its_content(formats: dict[str, bytes]) -> None:
    model = xgboost.XGBClassifier(n_estimators=1).fit(np.eye(4), [0, 1, 0, 1])
    assert flavor_of_file("m.json", bytes(model.get_booster().save_raw("json"))).name == "xgboost"
    with pytest.raises(FormatError, match="not what its name says, xgboost: its content looks like linear"):
        flavor_of_file("m.json", formats["linear"])


def test_an_object_of_no_flavor_is_refused() -> None:
    with pytest.raises(UnsupportedModel, match="a `str` is not a model"):
        dump_with_any("model")


def test_every_flavor_recognizes_its_own_files_alone(formats: dict[str, bytes]) -> None:
    recognized = {flavor.name: [name for name in NAMES if flavor.recognizes(formats[name])] for flavor in flavors()}
    assert recognized == {name: [name] for name in sorted(NAMES)}


def test_a_flavor_takes_its_own_file(formats: dict[str, bytes]) -> None:
    flavor: Flavor = flavor_named("sklearn")
    refuse_mismatch(flavor, "model/m.joblib", formats["sklearn"])
    refuse_mismatch(flavor, "model/m", formats["sklearn"])
    with pytest.raises(FormatError):
        refuse_mismatch(flavor, "model/m", formats["skops"])
