"""`lading doctor`: what is installed, what a file needs, what will not work, and the command that mends it."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn
from tests.cli.test_check import rewrite

from lading.bundle.manifest import Requirement

OLD = Path(__file__).parents[1] / "data" / "iris-sklearn-1.5.2.pkl"


def test_without_a_file_it_tells_what_is_installed(run: Any) -> None:
    result = run("doctor")
    assert (result.code, result.err) == (0, "")
    assert f"numpy          {np.__version__}" in result.out
    assert run("doctor", "--json").json["installed"]["scikit-learn"] == sklearn.__version__


@pytest.mark.parametrize("name", ["iris.lading", "model.joblib"])
def test_a_good_file_has_nothing_in_its_way(name: str, run: Any, folder: Path) -> None:
    result = run("doctor", name)
    assert result.code == 0
    assert f"nothing stands in the way: lading serve {name}" in result.out
    assert run("doctor", name, "--json").json["differences"] == []


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_another_version_has_a_command_that_mends_it(flags: list[str], run: Any) -> None:
    result = run("doctor", OLD, *flags)
    assert result.code == 4
    assert "1.5.2" in result.out
    assert "scikit-learn==1.5.2" in result.out
    assert "nothing stands in the way" not in result.out


def test_a_bundle_is_compared_too(run: Any, folder: Path) -> None:
    rewrite(folder / "iris.lading", requirements=(Requirement("no-such-thing", "2.0"),))
    result = run("doctor", "iris.lading")
    assert result.code == 4
    assert 'pip install "no-such-thing==2.0"' in result.out


def test_a_missing_module_is_said(run: Any, folder: Path) -> None:
    (folder / "m.pkl").write_bytes(b"\x80\x04\x8c\x0bmy_features\x8c\x05Model\x93)\x81.")
    result = run("doctor", "m.pkl")
    assert result.code == 4
    assert "! the module `my_features` is not here" in result.out
    assert run("doctor", "m.pkl", "--json").json["modules"] == ["my_features"]


def test_names_of_the_notebook_are_said_and_nothing_is_run(run: Any, folder: Path) -> None:
    data = b"\x80\x04\x8c\x08__main__\x8c\x0fget_last_column\x93."
    (folder / "m.pkl").write_bytes(data)
    result = run("doctor", "m.pkl")
    assert result.code == 1
    assert "! m.pkl needs `get_last_column` from the notebook or script that saved it" in result.out
    assert "lading serve m.pkl --code FILE" in result.out


class Canary:
    """Its pickle makes a file when it is loaded."""

    def __reduce__(self) -> Any:
        return Path.touch, (Path("canary"),)


def test_nothing_in_the_file_is_run(run: Any, folder: Path) -> None:
    (folder / "m.pkl").write_bytes(pickle.dumps(Canary()))
    assert "pathlib.Path.touch" in run("doctor", "m.pkl", "--json").json["names"]
    assert not (folder / "canary").exists()


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [("m.pkl", b"\x80\x04\x95", 1), ("m.joblib", b"hello", 1), ("m.lading", b"hello", 3), ("m.pkl", b"", 1)],
)
def test_a_broken_file_is_told(name: str, data: bytes, code: int, run: Any, folder: Path) -> None:
    (folder / name).write_bytes(data)
    result = run("doctor", name)
    assert result.code == code
    assert "nothing stands in the way" not in result.out + result.err
