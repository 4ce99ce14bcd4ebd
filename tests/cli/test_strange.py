"""Files that say what they like: doctor and inspect tell what is in them, run nothing, and forge no line."""

import os
import pickle
import sys
from pathlib import Path
from typing import Any

import joblib
import msgspec
import pytest
from sklearn.linear_model import LogisticRegression
from tests.mixed import COLUMNS, mixed_frame, mixed_pipeline

from lading.bundle.bundle import Bundle, write_bundle
from lading.flavors import sklearn
from lading.flavors.sklearn import SklearnFlavor
from lading.schema.words import printable


class Calls:
    """Pickles to a call that leaves a canary."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.canary}",)


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "canary"


def test_doctor_names_what_a_pickle_would_call(run: Any, tmp_path: Path, canary: Path):
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps({"model": Calls(canary)}))
    result = run("doctor", tmp_path / "evil.pkl")
    assert result.code == 1
    assert f"! it calls `{os.system.__module__}.system`, which models do not" in result.out
    assert "nothing stands in the way" not in result.out
    assert not canary.exists()


@pytest.mark.parametrize("value", [None, 5, (1, 2), [1], {"weights": [1]}, "text"])
def test_doctor_says_that_a_value_is_no_model(run: Any, tmp_path: Path, value: Any):
    (tmp_path / "value.pkl").write_bytes(pickle.dumps(value))
    result = run("doctor", tmp_path / "value.pkl")
    assert result.code == 1
    assert f"it holds a `{type(value).__name__}`, which is no model" in result.out


def test_doctor_names_nothing_strange_in_an_ordinary_model(files: dict[str, bytes]):
    assert SklearnFlavor().needs(files["model.joblib"]).strange == ()


def test_doctor_looks_into_the_member_of_a_bundle(run: Any, tmp_path: Path, canary: Path, files: dict[str, bytes]):
    (tmp_path / "model.joblib").write_bytes(files["model.joblib"])
    assert run("pack", tmp_path / "model.joblib", "--compile", "never", "-o", tmp_path / "good.lading").code == 0
    with Bundle.open(tmp_path / "good.lading") as bundle:
        manifest = bundle.manifest
    evil = {manifest.model: pickle.dumps(Calls(canary))}
    write_bundle(tmp_path / "evil.lading", manifest, evil)
    result = run("doctor", tmp_path / "evil.lading")
    assert result.code == 1
    assert "it calls `" in result.out
    write_bundle(tmp_path / "lie.lading", manifest, {manifest.model: b"a text"})
    result = run("doctor", tmp_path / "lie.lading")
    assert result.code == 1
    assert "! " in result.out
    assert not canary.exists()


def test_metadata_moves_no_cursor_and_forges_no_line(run: Any, tmp_path: Path, files: dict[str, bytes]):
    (tmp_path / "model.joblib").write_bytes(files["model.joblib"])
    assert run("pack", tmp_path / "model.joblib", "--compile", "never", "-o", tmp_path / "good.lading").code == 0
    with Bundle.open(tmp_path / "good.lading") as bundle:
        manifest, data = bundle.manifest, bundle.read(bundle.manifest.model)
    hostile = msgspec.structs.replace(manifest, metadata={"\x1b[2J": "\x1b]0;x\x07\nerror: forged"})
    write_bundle(tmp_path / "hostile.lading", hostile, {manifest.model: data})
    result = run("inspect", tmp_path / "hostile.lading")
    assert result.code == 0
    assert "\x1b" not in result.out
    assert not any(line.startswith("error: forged") for line in result.out.splitlines())


@pytest.mark.parametrize(
    ("text", "shown"), [("plain ü €", "plain ü €"), ("a\nb", "a\\nb"), ("\x1b[31m", "\\x1b[31m"), ("\u202e", "\\u202e")]
)
def test_what_a_terminal_would_act_upon_is_an_escape(text: str, shown: str):
    assert printable(text) == shown


def test_a_named_config_must_be_there(run: Any, tmp_path: Path):
    result = run("serve", tmp_path / "model.joblib", "--config", tmp_path / "nope.toml")
    assert (result.code, result.out) == (2, "")
    assert "there is no file" in result.err


def test_a_missing_pandas_is_said_as_what_it_is(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    frame = mixed_frame()
    path = tmp_path / "mixed.joblib"
    joblib.dump(mixed_pipeline(LogisticRegression()).fit(frame[COLUMNS], frame["churned"]), path)
    monkeypatch.setitem(sys.modules, "pandas", None)
    result = run("inspect", path)
    assert result.code == 4
    assert "pandas is not installed" in result.err
    assert "pip install" in result.err


def test_a_compressed_model_may_not_unpack_to_a_hundred_times_its_size(monkeypatch: pytest.MonkeyPatch):
    assert sklearn._max_bytes(b"x") == sklearn.FREE_BYTES
    monkeypatch.setattr(sklearn, "FREE_BYTES", 1000)
    assert sklearn._max_bytes(b"x" * 100) == 100 * sklearn.MAX_RATIO
