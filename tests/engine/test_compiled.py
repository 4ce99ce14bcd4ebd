"""Serving a compiled bundle: nothing of the framework is loaded, and without onnxruntime the native model serves."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from tests.live import environment, run
from tests.mixed import COLUMNS, mixed_frame, mixed_pipeline

import lading
from lading.bundle.bundle import Bundle, write_bundle
from lading.bundle.environment import installed_version
from lading.bundle.manifest import ENGINE, Engine, Requirement
from lading.engine.checking import check_golden, engine_in_words
from lading.engine.compiled import CompiledModel
from lading.errors import BundleError, EnvironmentMismatch, FormatError

IRIS = load_iris(as_frame=True)
MIXED = mixed_frame()


@pytest.fixture(scope="module")
def forest() -> Any:
    return RandomForestClassifier(10, random_state=0).fit(IRIS.data, IRIS.target)


@pytest.fixture(scope="module")
def bundle(forest: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("compiled") / "iris.lading"
    return lading.pack(forest, IRIS.data, IRIS.target, path, compile="require").path


@pytest.fixture(scope="module")
def churn() -> Any:
    return mixed_pipeline(LogisticRegression()).fit(MIXED[COLUMNS], MIXED["churned"])


@pytest.fixture(scope="module")
def mixed(churn: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("compiled") / "churn.lading"
    return lading.pack(churn, MIXED[COLUMNS], path=path, compile="require").path


def rewritten(bundle: Path, path: Path, members: dict[str, bytes], **changes: Any) -> Path:
    """The bundle with other members or another manifest, written by the package's own writer."""
    with Bundle.open(bundle) as opened:
        manifest = opened.manifest
        kept = {member.path: opened.read(member.path) for member in manifest.files}
    write_bundle(path, msgspec.structs.replace(manifest, **changes), kept | members)
    return path


# --- without the framework

BLOCKED = ("sklearn", "pandas", "joblib", "scipy", "skops", "onnx", "skl2onnx")
WITHOUT = f"""
import sys
from importlib import metadata

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {BLOCKED}:
            raise ImportError(name)

version = metadata.version
def without(name):
    if name in ("scikit-learn", "pandas", "joblib", "scipy", "skops", "onnx", "skl2onnx"):
        raise metadata.PackageNotFoundError(name)
    return version(name)

metadata.version = without
sys.meta_path.insert(0, Blocked())
import lading
from lading.engine.checking import check_golden
model = lading.load(sys.argv[1])
assert check_golden(model) == 50
row = eval(sys.argv[2])
print(model.predict(row).tolist(), model.predict_proba(row).round(6).tolist())
assert not set({BLOCKED}) & set(sys.modules)
"""


def said_without(bundle: Path, rows: Iterable[Any]) -> str:
    command = [sys.executable, "-c", WITHOUT, str(bundle), repr(list(rows))]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_it_serves_where_no_framework_is(bundle: Path, forest: Any) -> None:
    rows = IRIS.data.iloc[[0, 70, 133]]
    expected = f"{forest.predict(rows).tolist()} {forest.predict_proba(rows).round(6).tolist()}"
    assert said_without(bundle, rows.to_numpy().tolist()) == expected


def test_columns_of_every_kind_are_served_without_pandas(mixed: Path, churn: Any) -> None:
    frame = MIXED[COLUMNS].iloc[[0, 5, 9, 11, 30]]
    assert frame.isna().to_numpy().any()
    rows = [
        {name: None if cell != cell else cell for name, cell in row.items()}
        for row in frame.astype(object).to_dict("records")
    ]
    expected = f"{churn.predict(frame).tolist()} {churn.predict_proba(frame).round(6).tolist()}"
    assert said_without(mixed, rows) == expected


def test_every_gap_is_a_gap_and_other_categories_are_other(mixed: Path, churn: Any) -> None:
    first = MIXED[COLUMNS].iloc[[0]]
    frames = [first.assign(city=other) for other in (np.nan, "Oslo", "ünï", "", "nan", "Bern\0")]
    frames += [first.assign(age=np.nan), first.assign(income=np.nan)]
    model = lading.load(mixed)
    for frame in frames:
        assert model.predict_proba(frame) == pytest.approx(churn.predict_proba(frame), abs=1e-9)


def test_half_of_a_surrogate_pair_is_another_category(mixed: Path) -> None:
    row = {"age": 40.0, "income": 3e4, "visits": 5, "plan": "pro", "is_member": True, "has_car": False}
    model = lading.load(mixed)
    other, half = (model.predict_proba(row | {"city": city}).tolist() for city in ("Oslo", "\ud800"))
    assert half == other


# --- what it is


def test_the_manifest_says_how_it_was_compiled(bundle: Path) -> None:
    manifest = lading.load(bundle).manifest
    engine = manifest.engine
    assert engine is not None
    assert engine.parity is not None
    assert (engine.name, engine.member, engine.reason) == ("onnx", ENGINE, "")
    assert (engine.parity.data, engine.parity.precision, engine.parity.tolerance) == ("sample", "float64", 1e-5)
    assert engine.parity.rows > 5000
    assert engine.parity.forgiven == 0
    assert engine.parity.largest_difference < 1e-6
    assert manifest.needed == (Requirement("onnxruntime", installed_version("onnxruntime") or ""),)
    assert {item.name for item in manifest.requirements} >= {"scikit-learn", "joblib"}


def test_it_is_what_serves(bundle: Path) -> None:
    model = lading.load(bundle)
    assert isinstance(model.predictor, CompiledModel)
    assert engine_in_words(model) == "onnx, compiled from RandomForestClassifier"


def test_another_version_of_the_native_framework_does_not_matter(bundle: Path, tmp_path: Path) -> None:
    path = rewritten(bundle, tmp_path / "m.lading", {}, requirements=(Requirement("scikit-learn", "0.1"),))
    assert check_golden(lading.load(path)) == 50


def test_another_version_of_the_engine_is_said(bundle: Path, tmp_path: Path) -> None:
    engine: Engine = lading.load(bundle).manifest.engine  # type: ignore[assignment]
    other = msgspec.structs.replace(engine, requirements=(Requirement("onnxruntime", "1.0.0"),))
    path = rewritten(bundle, tmp_path / "m.lading", {}, engine=other)
    with pytest.raises(EnvironmentMismatch, match=r"onnxruntime 1\.0\.0 is needed"):
        lading.load(path)
    assert check_golden(lading.load(path, ignore_versions=True)) == 50


# --- without onnxruntime


def missing(*names: str) -> Any:
    return lambda name: None if name in names else installed_version(name)


def test_without_onnxruntime_the_native_model_serves(
    bundle: Path, forest: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lading.bundle.environment.installed_version", missing("onnxruntime"))
    model = lading.load(bundle)
    assert engine_in_words(model) == 'native, because onnxruntime is not installed: pip install "lading[onnx]"'
    assert check_golden(model) == 50
    assert model.predict(IRIS.data).tolist() == forest.predict(IRIS.data).tolist()


def test_without_either_the_one_that_is_easily_installed_is_named(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lading.bundle.environment.installed_version", missing("onnxruntime", "scikit-learn"))
    with pytest.raises(EnvironmentMismatch, match="compiled to ONNX, and onnxruntime is not installed") as caught:
        lading.load(bundle)
    assert caught.value.hint == 'pip install "lading[onnx]"'


# --- damage


def test_a_compiled_model_that_the_manifest_does_not_list_is_damage(bundle: Path, tmp_path: Path) -> None:
    engine = lading.load(bundle).manifest.engine
    with Bundle.open(bundle) as opened:
        manifest = msgspec.structs.replace(opened.manifest, engine=engine)
        members = {m.path: opened.read(m.path) for m in manifest.files if m.path != ENGINE}
    write_bundle(tmp_path / "m.lading", manifest, members)
    with pytest.raises(BundleError, match="names a compiled model that it does not list"):
        lading.load(tmp_path / "m.lading")


def test_a_compiled_model_is_looked_through_before_it_is_run(bundle: Path, tmp_path: Path) -> None:
    from onnx import GraphProto, ModelProto, TensorProto

    tensor = TensorProto(name="w", data_location=TensorProto.EXTERNAL)
    evil = ModelProto(ir_version=8, graph=GraphProto(initializer=[tensor])).SerializeToString()
    with pytest.raises(FormatError, match="keeps data in another file"):
        lading.load(rewritten(bundle, tmp_path / "m.lading", {ENGINE: evil}))


# --- after a fork

FORKED = """
import os, sys
import lading
from lading.engine.checking import check_golden

model = lading.load(sys.argv[1])
children = []
for _ in range(2):
    child = os.fork()
    if not child:
        os._exit(0 if check_golden(model) == 50 else 1)
    children.append(child)
assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
assert check_golden(model) == 50
"""


def test_a_model_that_was_loaded_before_a_fork_answers_after_it(bundle: Path) -> None:
    command = [sys.executable, "-c", FORKED, str(bundle)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_doctor_asks_only_for_what_serving_takes(bundle: Path) -> None:
    done = run("doctor", bundle, "--json")
    assert done.returncode == 0
    assert list(msgspec.json.decode(done.stdout)["needs"]) == ["onnxruntime"]
