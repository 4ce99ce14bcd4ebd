"""Files of every kind, into files of every kind: the same rows, in their order, with the same answers."""

import io
import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
from tests.batch.conftest import FRAME, IRIS, KINDS, NAMES, Predict, expected, read, write


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("written", KINDS)
@pytest.mark.parametrize("kind", KINDS)
def test_ids_stand_in_front_of_the_answers(
    kind: str, written: str, predict: Predict, files: dict[str, Path], folder: Path, iris_path: Path
):
    result = predict(files[kind], "-o", f"scored.{written}", "--columns", "id")
    assert (result.code, result.err.splitlines()[0]) == (0, f"wrote     scored.{written}   150 rows")
    scored = read(folder / f"scored.{written}")
    assert scored.to_dict("list") == {"id": FRAME["id"].tolist(), "prediction": expected(iris_path)}
    assert sorted(path.name for path in folder.glob("scored*")) == [f"scored.{written}"]


@pytest.mark.parametrize("written", KINDS)
@pytest.mark.parametrize("kind", KINDS)
def test_without_a_word_the_inputs_do(kind: str, written: str, predict: Predict, folder: Path):
    assert predict(write(IRIS, folder / f"rows.{kind}"), "-o", f"scored.{written}").code == 0
    scored = read(folder / f"scored.{written}")
    assert list(scored) == [*NAMES, "prediction"]
    assert scored[NAMES].equals(IRIS)


@pytest.mark.parametrize("written", KINDS)
def test_probabilities_are_columns(written: str, predict: Predict, folder: Path):
    assert (
        predict(write(IRIS, folder / "rows.parquet"), "-o", f"scored.{written}", "--columns", "", "--proba").code == 0
    )
    scored = read(folder / f"scored.{written}")
    names = ["probability setosa", "probability versicolor", "probability virginica"]
    assert list(scored) == ["prediction", *names]
    assert scored[names].sum(axis=1).round(9).eq(1).all()
    assert scored.groupby("prediction")["probability virginica"].mean().idxmax() == "virginica"


@pytest.mark.usefixtures("small_chunks")
def test_every_kind_gives_the_same_bytes(predict: Predict, files: dict[str, Path], folder: Path):
    files["arrows"] = write(FRAME, folder / "rows.arrows")
    for kind, path in files.items():
        assert predict(path, "-o", f"{kind}.out.csv", "--columns", "id").code == 0
    assert len({path.read_bytes() for path in folder.glob("*.out.csv")}) == 1


def test_files_are_scored_in_the_order_of_their_names(predict: Predict, folder: Path):
    for place in (2, 0, 1):
        write(FRAME.iloc[50 * place : 50 * place + 50], folder / f"part-{place}.parquet")
    assert predict("part-*.parquet", "-o", "scored.parquet", "--columns", "id").code == 0
    assert read(folder / "scored.parquet")["id"].tolist() == FRAME["id"].tolist()


def test_files_may_differ_in_the_order_of_their_columns(predict: Predict, folder: Path):
    write(FRAME.iloc[:75], folder / "a.csv")
    write(FRAME.iloc[75:, ::-1], folder / "b.csv")
    assert predict("a.csv", "b.csv", "-o", "scored.csv", "--columns", "id").code == 0
    whole = write(FRAME, folder / "c.csv")
    assert predict(whole, "-o", "whole.csv", "--columns", "id").code == 0
    assert (folder / "scored.csv").read_bytes() == (folder / "whole.csv").read_bytes()


def test_stdin_streams_to_stdout(predict: Predict, files: dict[str, Path]):
    result = predict("-", "-o", "-", "--columns", "id", "--from", "csv", stdin=files["csv"].read_bytes())
    assert (result.code, result.err) == (0, "")
    assert pd.read_csv(io.StringIO(result.out))["id"].tolist() == FRAME["id"].tolist()
    told = predict("-", "-o", "-", "--columns", "id", "--from", "jsonl", stdin=files["jsonl"].read_bytes())
    assert [json.loads(line)["id"] for line in told.out.splitlines()] == FRAME["id"].tolist()
    assert predict(files["arrow"], "-o", "-", "--to", "csv", "--columns", "id").out == result.out


def test_no_table_is_written_to_stdout(predict: Predict, files: dict[str, Path]):
    assert predict(files["csv"], "-o", "-", "--to", "parquet").code == 2


@pytest.mark.parametrize("written", KINDS)
@pytest.mark.parametrize("kind", KINDS)
def test_no_rows_give_a_file_without_any(kind: str, written: str, predict: Predict, folder: Path):
    path = write(FRAME.head(0), folder / f"rows.{kind}")
    result = predict(path, "-o", f"scored.{written}", "--columns", "id")
    assert (result.code, result.err) == (0, f"wrote     scored.{written}   0 rows\n")
    if written != "jsonl":
        assert list(read(folder / f"scored.{written}")) == ["id", "prediction"]


def test_columns_keep_their_types_in_tables(predict: Predict, folder: Path):
    days = pd.date_range("2024-02-29", periods=len(IRIS)).date
    table = pa.Table.from_pandas(IRIS.assign(number=range(150), day=days, kind=pd.Categorical(["a"] * 150)))
    nested = table.append_column("nested", [[{"a": [1]}] * 150])
    pq.write_table(nested, folder / "rows.parquet")
    assert predict("rows.parquet", "-o", "scored.parquet", "--columns", "day,number,kind,nested").code == 0
    scored = pq.read_table(folder / "scored.parquet")
    assert [str(field.type) for field in scored.schema][:3] == ["date32[day]", "int64", "string"]
    assert scored.drop_columns("prediction").to_pylist() == nested.drop_columns(NAMES).to_pylist()


@pytest.mark.parametrize("data", ["\ufeff", "\n\n", "  \n"], ids=["mark", "blank", "spaces"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_what_editors_leave_in_text_is_passed_over(data: str, ends: str, predict: Predict, folder: Path):
    text = FRAME.head(3).to_csv(index=False) + "\n"
    (folder / "rows.csv").write_bytes((data + text).replace("\n", ends).encode())
    assert predict("rows.csv", "-o", "scored.csv", "--columns", "id").code == 0
    assert read(folder / "scored.csv")["id"].tolist() == FRAME["id"].head(3).tolist()


def test_thousands_of_small_files_are_one_output(predict: Predict, folder: Path, scale: str):
    count = 10_000 if scale == "full" else 200
    for place in range(count):
        write(FRAME.iloc[[place % 150]], folder / f"{place:05}.jsonl")
    assert predict("*.jsonl", "-o", "scored.parquet", "--columns", "id").code == 0
    scored = pq.ParquetFile(folder / "scored.parquet")
    assert (scored.metadata.num_rows, scored.metadata.num_row_groups) == (count, 1)


@pytest.mark.usefixtures("small_chunks")
def test_two_workers_give_what_one_gives(predict: Predict, files: dict[str, Path], folder: Path):
    for kind in ("csv", "parquet"):
        for workers in (1, 2):
            out = folder / f"{workers}.{kind}"
            assert predict(files[kind], "-o", out, "--columns", "id", "--proba", workers=workers).code == 0
        assert (folder / f"1.{kind}").read_bytes() == (folder / f"2.{kind}").read_bytes()
