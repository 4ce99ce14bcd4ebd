"""skops files: only trusted types are built, and broken files are told."""

import io
import json
import random
import zipfile
from pathlib import Path
from typing import Any

import pytest
import sklearn
import skops.io
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from tests.flavors import strangers

import lading
from lading.errors import EnvironmentMismatch, FormatError, LadingError, UnsupportedModel
from lading.flavors.registry import flavor_named


@pytest.fixture(scope="module")
def data(model: Any) -> bytes:
    return skops.io.dumps(model)


def changed(data: bytes, name: str, content: bytes | None) -> bytes:
    """The zip file with one member replaced, or left out."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "w") as new:
        for member in old.namelist():
            if member != name:
                new.writestr(member, old.read(member))
        if content is not None:
            new.writestr(name, content)
    return file.getvalue()


def test_it_answers_as_by_itself(tmp_path: Path, data: bytes, model: Any, iris: Any) -> None:
    (tmp_path / "m.skops").write_bytes(data)
    packed = lading.pack(tmp_path / "m.skops", iris.data, path=tmp_path / "m.lading")
    for path in (tmp_path / "m.skops", packed.path):
        assert lading.load(path).predict(iris.data).tolist() == model.predict(iris.data).tolist()
    assert packed.manifest.flavor == "skops"


def test_types_that_are_not_trusted_are_refused_by_name(tmp_path: Path, model: Any) -> None:
    strange = make_pipeline(FunctionTransformer(strangers.last_two), *[step for _, step in model.steps])
    (tmp_path / "m.skops").write_bytes(skops.io.dumps(strange))
    with pytest.raises(UnsupportedModel, match=r"does not trust: tests[.]flavors[.]strangers[.]last_two"):
        lading.load(tmp_path / "m.skops")


def test_the_version_in_it_is_compared_before_it_is_loaded(
    tmp_path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(flavor_named("skops")), "load", None)
    version = sklearn.__version__.encode()
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        schema = file.read("schema.json").replace(version, b"1.4.2")
    (tmp_path / "m.skops").write_bytes(changed(data, "schema.json", schema))
    with pytest.raises(EnvironmentMismatch, match=r"scikit-learn 1[.]4[.]2 is needed"):
        lading.load(tmp_path / "m.skops")


def as_json(**node: Any) -> bytes:
    return json.dumps({"__class__": "Pipeline", "__module__": "sklearn.pipeline", **node}).encode()


BROKEN = {
    "no JSON": b"{",
    "no object": b"[1]",
    "empty": b"{}",
    "too deep": b"[" * 100_000,
    "another protocol": as_json(protocol=99),
    "an unknown node": as_json(__loader__="Nothing", protocol=2),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_schema_is_told(name: str, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "m.skops").write_bytes(changed(data, "schema.json", BROKEN[name]))
    with pytest.raises(FormatError, match="skops file"):
        lading.load(tmp_path / "m.skops")


def test_a_skops_file_in_a_skops_file_is_no_model(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "m.skops").write_bytes(changed(changed(data, "schema.json", None), "m.skops", data))
    with pytest.raises(FormatError, match="of no format that Lading knows"):
        lading.load(tmp_path / "m.skops")


def test_a_member_that_is_missing_is_told(tmp_path: Path, data: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        array = next(name for name in file.namelist() if name.endswith(".npy"))
    (tmp_path / "m.skops").write_bytes(changed(data, array, None))
    with pytest.raises(FormatError, match="the skops file is broken"):
        lading.load(tmp_path / "m.skops")


def test_flipped_and_cut_files_end_in_nothing_but_our_errors(tmp_path: Path, data: bytes, scale: str) -> None:
    rng = random.Random(7)
    for _ in range(2000 if scale == "full" else 100):
        damaged = bytearray(data)
        damaged[rng.randrange(len(data))] = rng.randrange(256)
        (tmp_path / "m.skops").write_bytes(damaged[: rng.choice([len(data), rng.randrange(len(data))])])
        assert said_of(tmp_path / "m.skops")


def said_of(path: Path) -> str:
    """What loading says; anything but one of our errors goes through."""
    try:
        return lading.load(path).manifest.class_name
    except LadingError as error:
        return error.message
