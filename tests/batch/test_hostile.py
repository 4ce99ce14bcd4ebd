"""What is refused before anything is done, in one clear line that names the file."""

import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from tests.batch.conftest import FRAME, IRIS, NAMES, Predict, write


def parquet_cut(folder: Path) -> None:
    data = write(FRAME, folder / "rows.parquet").read_bytes()
    (folder / "rows.parquet").write_bytes(data[: len(data) // 2])


def open_quote(folder: Path) -> None:
    (folder / "rows.csv").write_text(FRAME.to_csv(index=False) + '1,2,3,4,"open\n' + "1,2,3,4,x\n" * 9)


def columns_twice(folder: Path) -> None:
    FRAME.assign(more=1).set_axis([*NAMES, "id", "id"], axis=1).to_csv(folder / "rows.csv", index=False)


CASES: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "an unknown column": (
        lambda folder: write(FRAME.assign(extra=1), folder / "rows.csv"),
        "rows.csv",
        "rows.csv does not fit the model: 1 problem with its columns\n  extra   not a column of this model\n"
        "  put it through: --columns extra",
    ),
    "a misspelt column": (
        lambda folder: write(FRAME.rename(columns={NAMES[0]: "sepal lenth (cm)"}), folder / "rows.parquet"),
        "rows.parquet",
        "did you mean `sepal length (cm)`?",
    ),
    "no such column": (
        lambda folder: write(IRIS, folder / "rows.csv"),
        "rows.csv",
        "rows.csv has no column `id` to put through",
    ),
    "columns twice": (columns_twice, "rows.csv", "expected the names of the columns, each once"),
    "text of another type": (
        lambda folder: pq.write_table(
            pq.read_table(write(FRAME, folder / "rows.parquet")).set_column(0, NAMES[0], [[[1.0]] * 150]),
            folder / "rows.parquet",
        ),
        "rows.parquet",
        "is of an Arrow type that is not taken",
    ),
    "an empty CSV": (lambda folder: (folder / "rows.csv").touch(), "rows.csv", "rows.csv is empty"),
    "an empty Parquet": (lambda folder: (folder / "rows.parquet").touch(), "rows.parquet", "rows.parquet is not"),
    "an empty Arrow": (lambda folder: (folder / "rows.arrow").touch(), "rows.arrow", "rows.arrow is not arrow"),
    "half a Parquet": (parquet_cut, "rows.parquet", "rows.parquet is not parquet that can be read"),
    "an open quote": (open_quote, "rows.csv", "rows.csv ends within quotes"),
    "line ends of CR": (
        lambda folder: (folder / "rows.csv").write_text(FRAME.to_csv(index=False).replace("\n", "\r")),
        "rows.csv",
        "line ends of CR alone",
    ),
    "no match": (lambda folder: None, "*.csv", "no file matches *.csv"),
    "no such file": (lambda folder: None, "rows.csv", "cannot read rows.csv: No such file"),
    "an unknown kind": (lambda folder: (folder / "rows.xlsx").touch(), "rows.xlsx", "rows.xlsx is of an unknown kind"),
    "a folder": (lambda folder: (folder / "rows.csv").mkdir(), "rows.csv", "rows.csv is a folder"),
    "a name with a line end": (
        lambda folder: (folder / "a\n\x1b[2J.csv").touch(),
        "a\n\x1b[2J.csv",
        "error: a\\n\\x1b[2J.csv is empty",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_cannot_be_scored_is_said(name: str, predict: Predict, folder: Path):
    make, data, words = CASES[name]
    make(folder)
    before = sorted(folder.iterdir())
    result = predict(data, "-o", "scored.csv", "--columns", "id")
    assert result.code in (1, 2)
    assert words in result.err
    assert "Traceback" not in result.err
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["rows.csv", "-o", "rows.csv"], "rows.csv is read and would be written"),
        (["rows.csv", "-o", "./rows.csv"], "rows.csv is read and would be written"),
        (["rows.csv", "-o", "nowhere/scored.csv"], "cannot write nowhere/scored.csv: No such file or directory"),
        (["rows.csv", "-o", "scored.xlsx"], "scored.xlsx is of an unknown kind"),
        (["rows.csv", "-o", "folder.csv"], "folder.csv is a folder"),
        (["rows.csv", "more.jsonl", "-o", "scored.csv"], "the files are of several kinds"),
        (["rows.csv", "-", "-o", "scored.csv"], "stdin is read alone"),
        (["rows.csv", "more.jsonl"], "say where to write"),
        (["more.jsonl"], "say where to write"),
        (["rows.csv", "-o", "scored.csv", "--columns", "id,id"], "`id` is named twice"),
        (["rows.csv", "-o", "scored.csv", "--header", "a: b"], "--header is sent to a service"),
    ],
)
def test_what_makes_no_sense_is_wrong_usage(arguments: list[str], words: str, predict: Predict, folder: Path):
    write(FRAME, folder / "rows.csv")
    write(FRAME, folder / "more.jsonl")
    (folder / "folder.csv").mkdir()
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    columns = [] if "--columns" in arguments or "-o" not in arguments else ["--columns", "id"]
    result = predict(*arguments, *columns)
    assert (result.code, result.out) == (2, "")
    assert words in result.err
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_a_column_that_is_called_as_the_answer_is_refused(predict: Predict, folder: Path):
    write(IRIS.assign(prediction="mine"), folder / "rows.csv")
    result = predict("rows.csv", "-o", "scored.csv", "--columns", "prediction")
    assert result.code == 2
    assert "`prediction` is a column of the answers too" in result.err


def test_files_with_other_columns_are_named_before_anything_is_done(predict: Predict, folder: Path):
    write(FRAME, folder / "a.csv")
    write(FRAME.drop(columns=NAMES[0]), folder / "b.csv")
    result = predict("a.csv", "b.csv", "-o", "scored.csv", "--columns", "id")
    assert result.err.startswith("error: b.csv does not fit the model: 1 problem with its columns")
    assert not list(folder.glob("scored*"))


def test_a_full_disk_is_one_line(predict: Predict, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch):
    def full(number: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", lambda number: None)
    monkeypatch.setattr("lading.batch.output.flush", full)
    result = predict(files["csv"], "-o", "scored.csv", "--columns", "id")
    assert result.code == 1
    assert "error: cannot write scored.csv: No space left on device\n  make room" in result.err


def test_a_column_of_text_that_the_model_never_saw_may_be_any(predict: Predict, folder: Path):
    frame = pd.DataFrame(IRIS).assign(**{"a,b": ['x "y"\nz, w'] * 150})
    write(frame, folder / "rows.csv")
    assert predict("rows.csv", "-o", "scored.csv", "--columns", '"a,b"').code == 0
    assert pd.read_csv(folder / "scored.csv")["a,b"].tolist() == frame["a,b"].tolist()
