"""The command line without a process for each call, a folder to work in, and files in it."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import lading
from lading.cli import cli
from lading.cli.failure import exit_code

IRIS = load_iris(as_frame=True)


class Result(NamedTuple):
    """How a call ended, and what it said on stdout and on stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Result]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """`lading ARGUMENTS`, as `python -m lading` runs it."""

    def run(*arguments: object, stdin: str = "") -> Result:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(stdin.encode()))))
        words = [str(argument) for argument in arguments]
        code = exit_code(lambda: cli(words, "lading", standalone_mode=False))
        return Result(code, *capfd.readouterr())

    return run


@pytest.fixture(scope="session")
def model() -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(IRIS.data, IRIS.target)


@pytest.fixture(scope="session")
def files(model: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("files")
    joblib.dump(model, folder / "model.joblib")
    lading.pack(folder / "model.joblib", IRIS.data, path=folder / "iris.lading")
    IRIS.frame.to_csv(folder / "train.csv", index=False)
    IRIS.data.head(3).to_csv(folder / "rows.csv", index=False)
    IRIS.data.head(3).to_json(folder / "rows.json", orient="records")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def folder(files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with `model.joblib`, `iris.lading`, `train.csv`, `rows.csv` and `rows.json` in it."""
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    monkeypatch.chdir(tmp_path)
    return tmp_path
