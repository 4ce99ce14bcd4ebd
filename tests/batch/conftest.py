"""Rows in files of every kind, and `lading predict` on them in this process."""

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
from sklearn.datasets import load_iris

from lading.batch import reading, records
from lading.cli import cli
from lading.cli.failure import exit_code

IRIS = load_iris(as_frame=True).data
FRAME = IRIS.assign(id=[f"flower {place:03}" for place in range(len(IRIS))])
NAMES = list(IRIS.columns)
KINDS = ("csv", "jsonl", "parquet", "arrow")


class Result(NamedTuple):
    """How a call ended, and what it said."""

    code: int
    out: str
    err: str


Predict = Callable[..., Result]


def write(frame: pd.DataFrame, path: Path) -> Path:
    """A file of the kind that its name says, in several blocks of rows where it has such."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    elif path.suffix == ".jsonl":
        frame.to_json(path, orient="records", lines=True, double_precision=15)
    elif path.suffix == ".parquet":
        pq.write_table(table, path, row_group_size=40)
    elif path.suffix == ".arrows":
        with pa.ipc.new_stream(path, table.schema) as stream:
            stream.write_table(table, 40)
    else:
        with pa.ipc.new_file(path, table.schema) as file:
            file.write_table(table, 40)
    return path


def read(path: Path) -> pd.DataFrame:
    """What stands in a file of any kind."""
    if path.suffix == ".csv":
        return pd.read_csv(path)
    if path.suffix == ".jsonl":
        return pd.read_json(path, lines=True, precise_float=True)
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pandas()
    return pa.ipc.open_file(path).read_all().to_pandas()


@pytest.fixture
def predict(iris_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Predict:
    """`lading predict iris-1.0.0.lading ARGUMENTS`, in this process where nothing else is said."""

    def predict(*arguments: object, stdin: bytes = b"", model: object = iris_path, workers: int = 1) -> Result:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(stdin))))
        words = ["predict", model, *arguments, "--workers", workers]
        code = exit_code(lambda: cli([str(word) for word in words], "lading", standalone_mode=False))
        return Result(code, *capfd.readouterr())

    return predict


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of a few rows, so that a small file has several."""
    monkeypatch.setattr(records, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(reading, "CHUNK_ROWS", 40)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def files(folder: Path) -> dict[str, Path]:
    """The same rows in a file of each kind."""
    return {kind: write(FRAME, folder / f"rows.{kind}") for kind in KINDS}


def expected(iris_path: Path) -> list[Any]:
    """The predictions for the rows."""
    import lading

    return lading.load(iris_path).predict(IRIS).tolist()
