"""Rows that do not fit are set aside with all of their reasons, and nothing else is lost by that."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.batch.conftest import FRAME, NAMES, Predict, read, write

import lading
from lading.batch import scorer
from lading.errors import PredictionFailed

LENGTH, WIDTH = NAMES[:2]


def rejects(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "scored.rejects.jsonl").read_bytes().splitlines()]


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "arrow"])
def test_a_bad_row_is_set_aside_with_its_reasons(kind: str, predict: Predict, folder: Path):
    frame = FRAME.copy()
    frame.loc[[7, 41, 149], LENGTH] = np.nan
    frame.loc[41, WIDTH] = np.nan
    path = write(frame, folder / f"rows.{kind}")
    result = predict(path.name, "-o", "scored.csv", "--columns", "id")
    assert result.code == 0
    wrote, first = result.err.splitlines()
    assert wrote == "wrote     scored.csv   147 rows; 3 set aside in scored.rejects.jsonl"
    assert first.startswith("  the first: rows.")
    told = rejects(folder)
    assert [(each["file"], each["row"]) for each in told] == [(path.name, 7), (path.name, 41), (path.name, 149)]
    assert [[error["column"] for error in each["errors"]] for each in told] == [[LENGTH], [LENGTH, WIDTH], [LENGTH]]
    assert told[0]["errors"][0]["code"] == "schema.null"
    assert told[0]["input"]["id"] == "flower 007"
    assert read(folder / "scored.csv")["id"].tolist() == FRAME["id"].drop([7, 41, 149]).tolist()


def test_rows_are_counted_in_their_own_file(predict: Predict, folder: Path):
    for name in ("a.csv", "b.csv"):
        write(FRAME.head(3).assign(**{LENGTH: [1.0, 2.0, np.nan]}), folder / name)
    assert predict("a.csv", "b.csv", "-o", "scored.csv", "--columns", "id").code == 0
    assert [(each["file"], each["row"]) for each in rejects(folder)] == [("a.csv", 2), ("b.csv", 2)]


def test_more_bad_rows_than_problems_are_listed_are_all_told(predict: Predict, folder: Path):
    frame = pd.concat([FRAME] * 10, ignore_index=True)
    bad = frame.index[frame.index % 3 != 0]
    frame.loc[bad, NAMES] = np.nan
    assert predict(write(frame, folder / "rows.parquet"), "-o", "scored.csv", "--columns", "id").code == 0
    told = rejects(folder)
    assert [each["row"] for each in told] == bad.tolist()
    assert {len(each["errors"]) for each in told} == {4}


def test_where_no_row_fits_the_exit_code_says_so(predict: Predict, folder: Path):
    write(FRAME.head(3).assign(**{LENGTH: np.nan}), folder / "rows.csv")
    result = predict("rows.csv", "-o", "scored.csv", "--columns", "id")
    assert result.code == 1
    assert "error: no row has an answer; rows.csv, row 0: sepal length (cm): expected number" in result.err
    assert len(rejects(folder)) == 3


def test_without_a_bad_row_there_is_no_file_of_them(predict: Predict, files: dict[str, Path], folder: Path):
    (folder / "scored.rejects.jsonl").write_text("of an earlier run")
    assert predict(files["csv"], "-o", "scored.csv", "--columns", "id").code == 0
    assert not (folder / "scored.rejects.jsonl").exists()


def test_a_record_that_is_none_is_set_aside_as_it_was(predict: Predict, folder: Path):
    lines = FRAME.head(4).to_csv(index=False).splitlines()
    lines[2:4] = ["1,2", '5.1,3.5,"1.4"x,0.2,odd']
    (folder / "rows.csv").write_text("\n".join(lines))
    assert predict("rows.csv", "-o", "scored.csv", "--columns", "id").code == 0
    assert [(each["row"], each["errors"][0]["code"], each["input"]) for each in rejects(folder)] == [
        (1, "input.not_csv", "1,2"),
        (2, "input.not_csv", '5.1,3.5,"1.4"x,0.2,odd'),
    ]


@pytest.mark.parametrize("line", ["nothing", "[1]", '{"a":', "5", '{"a":1},{"a":2}', '"\\ud800"', "[" * 5000, "\xff"])
def test_a_line_that_is_no_object_is_set_aside_as_it_was(line: str, predict: Predict, folder: Path):
    lines = FRAME.head(3).to_json(orient="records", lines=True).splitlines()
    lines.insert(1, line)
    (folder / "rows.jsonl").write_bytes("\n".join(lines).encode("latin-1"))
    assert predict("rows.jsonl", "-o", "scored.csv", "--columns", "id").code == 0
    assert [each["row"] for each in rejects(folder)] == [1]
    assert read(folder / "scored.csv")["id"].tolist() == FRAME["id"].head(3).tolist()


def test_two_lines_never_make_one_row(predict: Predict, folder: Path):
    first, second, *_ = FRAME.head(4).to_json(orient="records", lines=True).splitlines()
    half = first.index(",")
    lines = [first, first[:half], first[half + 1 :], f"{first},{second}", second]
    (folder / "rows.jsonl").write_text("\n".join(lines))
    assert predict("rows.jsonl", "-o", "scored.csv", "--columns", "id").code == 0
    assert [each["row"] for each in rejects(folder)] == [1, 2, 3]


def test_an_unknown_key_in_a_later_line_is_of_that_row(predict: Predict, folder: Path):
    lines = [json.dumps(row) for row in FRAME.head(2).to_dict("records")]
    (folder / "rows.jsonl").write_text(lines[0] + "\n" + lines[1][:-1] + ', "extra": 1}')
    assert predict("rows.jsonl", "-o", "scored.csv", "--columns", "id").code == 0
    assert rejects(folder)[0]["errors"][0]["code"] == "schema.unknown_column"


@pytest.fixture
def picky(folder: Path) -> Path:
    """A model that fails on some rows, and gives numbers that may not leave for others."""
    (folder / "picky.py").write_text(
        "def answer(x: float) -> float:\n"
        "    if x == 3:\n        raise ValueError('three')\n"
        "    return float('nan') if x == 5 else 2 * x\n"
    )
    return lading.pack("picky.py:answer", path=folder / "picky.lading").path


def test_rows_without_an_answer_are_set_aside(predict: Predict, folder: Path, picky: Path):
    write(pd.DataFrame({"x": np.arange(100.0)}), folder / "rows.parquet")
    assert predict("rows.parquet", "-o", "scored.csv", model=picky).code == 0
    told = [(each["row"], each["errors"][0]["code"], each["input"]) for each in rejects(folder)]
    assert told == [(3, "model.failed", {"x": 3.0}), (5, "output.not_finite", {"x": 5.0})]
    assert read(folder / "scored.csv")["prediction"].tolist() == [2.0 * x for x in range(100) if x not in (3, 5)]


def test_what_training_never_saw_is_summed_up(predict: Predict, folder: Path, churn_path: Path):
    frame = pd.DataFrame({"age": [40.0, 400.0, 500.0], "plan": ["basic"] * 3, "is_member": [True] * 3})
    for name in ("a.csv", "b.csv"):
        write(frame, folder / name)
    result = predict("a.csv", "b.csv", "-o", "scored.csv", model=churn_path)
    assert result.code == 0
    assert next(line for line in result.err.splitlines() if line.startswith("warning")).endswith("in 4 rows")


def test_on_stdout_the_first_reasons_are_words(predict: Predict, folder: Path):
    write(FRAME.head(30).assign(**{LENGTH: [np.nan] * 29 + [5.0]}), folder / "rows.csv")
    result = predict("rows.csv", "-o", "-", "--columns", "id")
    assert (result.code, result.out.count("\n")) == (0, 2)
    assert result.err.startswith("wrote     1 row; 29 set aside\n  rows.csv, row 0: sepal length (cm): expected")
    assert len(result.err.splitlines()) == 11


def test_only_what_is_of_the_rows_sets_rows_aside():
    assert PredictionFailed in scorer.OF_THE_ROWS


def test_broken_lines_are_not_one_row_together(predict: Predict, folder: Path):
    row = FRAME.drop(columns="id").iloc[0].to_dict()
    good = json.dumps({"id": "a", **row})
    lines = [good, '{"id":[{}', "{}]," + json.dumps(row)[1:], f"{good},{good}", good]
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n")
    result = predict("rows.jsonl", "-o", "scored.csv", "--columns", "id")
    assert "2 rows; 3 set aside" in result.err
    aside = [json.loads(line)["row"] for line in (folder / "scored.rejects.jsonl").read_text().splitlines()]
    assert aside == [1, 2, 3]
