"""A bundle from a model and a sample: the same bytes each time, what was declared, and no row of anybody's."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import msgspec
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tests.live import environment
from tests.mixed import COLUMNS, mixed_frame, mixed_pipeline

import lading
from lading.bundle.bundle import Bundle
from lading.bundle.declared import Declared, DeclaredInput
from lading.bundle.manifest import ENGINE, GOLDEN
from lading.engine.checking import check_golden
from lading.errors import InputError, LadingError, PredictionFailed, SettingsError, UnsupportedModel, UsageError
from lading.schema.fields import Interval

IRIS = load_iris(as_frame=True)
X, Y = IRIS.data, IRIS.target


@pytest.fixture(scope="module")
def model() -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)


@pytest.fixture(scope="module")
def ridge() -> Any:
    return Ridge().fit(X.iloc[:, :3], X.iloc[:, 3])


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "out" / "m.lading"


@pytest.fixture(autouse=True)
def _out(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()


def members(path: Path) -> dict[str, bytes]:
    with Bundle.open(path) as bundle:
        return {member.path: bundle.read(member.path) for member in bundle.manifest.files}


# --- the same bytes


def test_packing_twice_gives_the_same_bytes(model: Any, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    first = lading.pack(model, X, Y, target)
    before = target.read_bytes()
    assert lading.pack(model, X, Y, target).sha256 == first.sha256
    assert target.read_bytes() == before
    assert first.manifest.created == "2023-11-14T22:13:20Z"


def test_processes_with_other_hashes_give_the_same_bytes(tmp_path: Path, target: Path) -> None:
    frame = mixed_frame()
    joblib.dump(mixed_pipeline(LogisticRegression()).fit(frame[COLUMNS], frame["churned"]), tmp_path / "m.joblib")
    frame.to_csv(tmp_path / "train.csv", index=False)
    options = ["--data", "train.csv", "--target", "churned", "-o", str(target)]
    command = [sys.executable, "-m", "lading", "pack", "m.joblib", *options]
    found = set()
    for seed in ("0", "1"):
        env = environment(PYTHONHASHSEED=seed, SOURCE_DATE_EPOCH="1700000000")
        subprocess.run(command, cwd=tmp_path, env=env, check=True, capture_output=True, timeout=60)
        found.add(target.read_bytes())
    assert len(found) == 1
    assert members(target)[ENGINE]


def csv_file(frame: pd.DataFrame, folder: Path) -> Path:
    frame.to_csv(folder / "train.csv", index=False)
    return folder / "train.csv"


# --- what was declared


def test_labels_stand_for_the_classes(model: Any, target: Path) -> None:
    declared = Declared(labels=("Setosa", "VersiColor", "Virginica"))
    served = lading.load(lading.pack(model, X, Y, target, declared=declared).path)
    assert served.predict(X.iloc[:1]).tolist() == ["Setosa"]
    assert served.schema.outputs[1].columns == declared.labels


def test_a_domain_of_values_is_hard(model: Any, target: Path) -> None:
    declared = Declared(inputs={"sepal width (cm)": DeclaredInput(domain=(2, 3.5))})
    served = lading.load(lading.pack(model, X, Y, target, declared=declared).path)
    row = X.iloc[0].to_dict()
    served.predict(row | {"sepal width (cm)": 3.5})
    with pytest.raises(InputError):
        served.predict(row | {"sepal width (cm)": 3.4})


def test_a_domain_of_bounds_is_hard(model: Any, target: Path) -> None:
    declared = Declared(inputs={"sepal width (cm)": DeclaredInput(domain=Interval(3, None))})
    served = lading.load(lading.pack(model, X, Y, target, declared=declared).path)
    with pytest.raises(InputError):
        served.predict(X.iloc[0].to_dict() | {"sepal width (cm)": 2.9})


def test_numbers_outside_of_the_output_range_are_never_answered(ridge: Any, target: Path) -> None:
    declared = Declared(output_range=(-5.0, 5.0))
    served = lading.load(lading.pack(ridge, X.iloc[:, :3], path=target, declared=declared).path)
    assert served.predict([[5.0, 3.0, 1.0]]).shape == (1,)
    with pytest.raises(PredictionFailed, match="outside the declared range"):
        served.predict([[5.0, 3.0, 1e6]])


def test_an_output_range_that_synthetic_rows_leave_is_told_at_packing(ridge: Any, target: Path) -> None:
    with pytest.raises(UnsupportedModel, match=r"Ridge fails on synthetic rows: .*outside the declared range"):
        lading.pack(ridge, X.iloc[:, :3], path=target, declared=Declared(output_range=(0.0, 0.1)))
    assert list(target.parent.iterdir()) == []


def test_keywords_declare_as_lading_toml_does(model: Any, target: Path) -> None:
    manifest = lading.pack(model, X, Y, target, name="flowers", labels=["a", "b", "c"], route="/flower").manifest
    assert (manifest.name, manifest.route, manifest.model_schema.outputs[0].labels) == (
        "flowers",
        "/flower",
        ("a", "b", "c"),
    )


def test_a_misspelt_keyword_is_named_with_the_one_that_was_meant(model: Any, target: Path) -> None:
    with pytest.raises(UsageError, match=r"unknown key `label` in lading[.]pack") as caught:
        lading.pack(model, X, Y, target, label=["a"])
    assert caught.value.hint == "did you mean `labels`?"


def test_a_path_in_the_place_of_the_target_is_refused(model: Any, target: Path) -> None:
    with pytest.raises(UsageError, match="the third argument is the target"):
        lading.pack(model, X, str(target))


TOML = """
name = "flowers"
version = "2.1"
labels = ["a", "b", "c"]

[inputs."sepal width (cm)"]
domain = { min = 1, max = 6 }
description = "at its widest"

[metadata]
author = "Jo"

[serve]
port = 9000
"""


@pytest.fixture
def saved(model: Any, tmp_path: Path) -> Path:
    joblib.dump(model, tmp_path / "model.joblib")
    (tmp_path / "lading.toml").write_text(TOML)
    return tmp_path / "model.joblib"


def test_the_file_beside_the_model_declares(saved: Path, target: Path) -> None:
    manifest = lading.pack(saved, X, path=target).manifest
    assert (manifest.name, manifest.version, manifest.metadata) == ("flowers", "2.1", {"author": "Jo"})
    assert manifest.model_schema.outputs[0].labels == ("a", "b", "c")
    assert manifest.model_schema.inputs[1].domain == Interval(1, 6)


def test_options_win_over_the_file_part_by_part(saved: Path, target: Path) -> None:
    domain = DeclaredInput(domain=Interval(2, 5))
    declared = Declared(version="3", labels=("x", "y", "z"), inputs={"sepal width (cm)": domain})
    manifest = lading.pack(saved, X, path=target, declared=declared).manifest
    assert (manifest.name, manifest.version) == ("flowers", "3")
    assert manifest.model_schema.outputs[0].labels == ("x", "y", "z")
    field = manifest.model_schema.inputs[1]
    assert (field.domain, field.description) == (Interval(2, 5), "at its widest")


def test_the_file_is_for_models_that_are_served_bare_too(saved: Path) -> None:
    assert lading.load(saved).predict(X.iloc[:1]).tolist() == ["a"]


@pytest.mark.parametrize("line", ["nmae = 'x'", "name = 5", "[inputs.nothing]", "[inputs", "labels = ['a']"])
def test_a_wrong_file_beside_the_model_is_refused(line: str, saved: Path, target: Path) -> None:
    saved.with_name("lading.toml").write_text(line)
    with pytest.raises(SettingsError):
        lading.pack(saved, X, path=target)
    assert list(target.parent.iterdir()) == []


HOSTILE = [
    *("a b", "a\nRUN touch /pwn", "$(id)", "`id`", "{{7*7}}", "a;b", "a'b", "a\0b", "a/b", "..", ".hidden", "ä"),
    *("${jndi:x}", "!!python/object", "-rf", "a" * 64, "\u202eevil", "a\\b", "con:x", "a\tb"),
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("key", ["name", "version"])
def test_names_that_could_do_harm_are_refused(key: str, text: str, model: Any, target: Path) -> None:
    with pytest.raises(UsageError, match="letters, digits"):
        lading.pack(model, X, path=target, declared=Declared(**{key: text}))
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize("name", ["a\nb", "", "a\0b", "x" * 257])
def test_columns_whose_names_could_do_harm_are_refused(name: str, target: Path) -> None:
    frame = X.rename(columns={"sepal width (cm)": name})
    model = LogisticRegression(max_iter=500).fit(frame, Y)
    with pytest.raises(UsageError, match="the name of column 1"):
        lading.pack(model, frame, path=target)


@pytest.mark.parametrize(
    "name", ["a:b", 'q"t', "back\\slash", "ünï cödé", "  spaces ", "id", "proba", "{{7*7}}", "a'b"]
)
def test_columns_may_be_named_as_people_name_them(name: str, target: Path) -> None:
    frame = X.rename(columns={"sepal width (cm)": name})
    model = LogisticRegression(max_iter=500).fit(frame, Y)
    served = lading.load(lading.pack(model, frame, path=target).path)
    assert served.predict(frame.to_dict("records")).tolist() == model.predict(frame).tolist()


# --- what is written


@pytest.mark.parametrize("name", ["my model (1).joblib", "ünï.pkl", "x" * 120 + ".joblib", "a b", "model-1.0"])
def test_a_file_of_any_name_is_packed_under_one_that_is_safe(
    name: str, model: Any, tmp_path: Path, target: Path
) -> None:
    joblib.dump(model, tmp_path / "saved")
    (tmp_path / "saved").rename(tmp_path / name)
    manifest = lading.pack(tmp_path / name, X, path=target).manifest
    assert members(target)[manifest.model] == (tmp_path / name).read_bytes()
    assert lading.load(target).predict(X).tolist() == model.predict(X).tolist()


def test_the_name_and_place_come_from_the_model(model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    joblib.dump(model, tmp_path / "churn.v2.joblib")
    monkeypatch.chdir(tmp_path / "out")
    packed = lading.pack(tmp_path / "churn.v2.joblib")
    assert packed.path == Path("churn-1.0.0.lading")
    assert packed.path.stat().st_size == packed.size


def test_a_folder_that_is_not_there_is_refused(model: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot write"):
        lading.pack(model, X, path=tmp_path / "nowhere" / "m.lading")
    assert not (tmp_path / "nowhere").exists()


def test_a_failure_leaves_the_bundle_that_was_there(model: Any, target: Path) -> None:
    lading.pack(model, X, path=target)
    before = target.read_bytes()
    with pytest.raises(LadingError):
        lading.pack(model, X.iloc[:, :2], path=target)
    assert [path.name for path in target.parent.iterdir()] == ["m.lading"]
    assert target.read_bytes() == before


@pytest.mark.parametrize("name", ["model.joblib", "train.csv"])
def test_what_a_bundle_is_made_from_is_not_overwritten(name: str, model: Any, tmp_path: Path) -> None:
    joblib.dump(model, tmp_path / "model.joblib")
    csv_file(X, tmp_path)
    before = (tmp_path / name).read_bytes()
    with pytest.raises(UsageError, match="is what the bundle is made from"):
        lading.pack(tmp_path / "model.joblib", tmp_path / "train.csv", path=tmp_path / name)
    assert (tmp_path / name).read_bytes() == before


def test_a_bundle_is_not_packed_again(model: Any, target: Path, tmp_path: Path) -> None:
    lading.pack(model, X, path=target)
    with pytest.raises(UsageError, match="is a bundle already"):
        lading.pack(target, path=tmp_path / "again.lading")


def test_the_authors_file_is_in_it_byte_for_byte(model: Any, tmp_path: Path, target: Path) -> None:
    joblib.dump(model, tmp_path / "m.joblib", compress=3)
    packed = lading.pack(tmp_path / "m.joblib", X, path=target)
    assert members(target)[packed.manifest.model] == (tmp_path / "m.joblib").read_bytes()


# --- what is not


def canaries(count: int) -> list[str]:
    return [f"canary{number:03}@example.org is somebody" for number in range(count)]


def test_no_text_of_the_sample_is_in_the_bundle(target: Path) -> None:
    frame = pd.DataFrame({"about": canaries(80), "age": np.arange(80.0), "e-mail": canaries(80)})
    vectorizer = CountVectorizer(vocabulary=["example", "somebody"])
    columns = make_column_transformer((vectorizer, "about"), (StandardScaler(), ["age"]))
    model = make_pipeline(columns, LogisticRegression()).fit(frame, np.arange(80) % 2)
    packed = lading.pack(model, frame, path=target)
    manifest = msgspec.json.encode(packed.manifest)
    written = [manifest, *(data for name, data in members(target).items() if name != packed.manifest.model)]
    assert not any(b"canary" in data for data in written)


def test_golden_rows_are_nobodys(target: Path) -> None:
    frame = mixed_frame()
    model = mixed_pipeline(LogisticRegression()).fit(frame[COLUMNS], frame["churned"])
    lading.pack(model, frame, frame["churned"], target)
    golden = json.loads(members(target)[GOLDEN])
    rows = {tuple(row) for row in frame[COLUMNS].astype(object).itertuples(index=False)}
    assert golden["kind"] == "synthetic"
    assert len(golden["rows"]) >= 30
    assert rows.isdisjoint(map(tuple, golden["rows"]))


def test_the_digest_of_the_data_is_kept_and_how_many_rows(model: Any, target: Path, tmp_path: Path) -> None:
    path = csv_file(X, tmp_path)
    data = lading.pack(model, path, path=target).manifest.data
    assert data is not None
    assert (data.rows, data.sha256) == (150, hashlib.sha256(path.read_bytes()).hexdigest())


def test_each_step_is_reported(model: Any, target: Path) -> None:
    steps: list[str] = []
    lading.pack(model, X, Y, target, report=lambda step, words: steps.append(step))
    assert steps == ["loading", "schema", "engine", "golden", "wrote"]


# --- rows of the data, on request


def test_golden_rows_may_be_rows_of_the_data_and_that_is_said(target: Path) -> None:
    frame = mixed_frame()
    model = mixed_pipeline(LogisticRegression()).fit(frame[COLUMNS], frame["churned"])
    said: dict[str, str] = {}
    lading.pack(model, frame, frame["churned"], target, golden="real", report=said.__setitem__)
    golden = json.loads(members(target)[GOLDEN])
    rows = {tuple(None if cell != cell else cell for cell in row) for row in frame[COLUMNS].astype(object).to_numpy()}
    assert (golden["kind"], len(golden["rows"])) == ("real", 50)
    assert set(map(tuple, golden["rows"])) <= rows
    assert said["warning"] == "rows of the data will be in the bundle, as golden rows: they may be personal"
    assert said["golden"] == "50 rows of the data with their answers"
    assert check_golden(lading.load(target)) == 50


def test_rows_of_the_data_need_data(model: Any, target: Path) -> None:
    with pytest.raises(UsageError, match="no rows of the data without data"):
        lading.pack(model, path=target, golden="real")


def test_a_kind_of_golden_rows_that_is_none_is_refused(model: Any, target: Path) -> None:
    with pytest.raises(UsageError, match="`golden` is one of synthetic, real"):
        lading.pack(model, X, path=target, golden="some")  # type: ignore[arg-type]
