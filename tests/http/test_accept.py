"""Answers in the media type that the request accepts; the same numbers in each."""

import csv
import io
import time
from typing import Any

import numpy as np
import pandas
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.engine.answers import Answer
from lading.http.accept import accepted
from lading.http.answers import table_bytes
from lading.http.content import ARROW, ARROW_FILE, CSV, JSON, PARQUET
from lading.schema.arrow import stream as arrow_stream
from lading.schema.fields import Field, Output, Schema

Client = Any
READ = {
    CSV: lambda body: pyarrow.csv.read_csv(io.BytesIO(body)).to_pandas(),
    ARROW: lambda body: pa.ipc.open_stream(body).read_pandas(),
    PARQUET: lambda body: pandas.read_parquet(io.BytesIO(body)),
}
ROWS = pandas.DataFrame({"age": [30.5, None, 60.0, 41.0], "plan": list("abca"), "is_member": [True, False, True, True]})
ROWS["plan"] = ROWS["plan"].map({"a": "basic", "b": "pro", "c": "plus"})


def kind_of(accept: str | None) -> str:
    return accepted([] if accept is None else [(b"accept", accept.encode("latin-1"))])


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("application/json", JSON),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", JSON),
        ("application/json, text/plain, */*", JSON),
        ("application/problem+json", JSON),
        ("text/css", JSON),
        ("text/csv;q=0", JSON),
        ("application/json;q=0", JSON),
        ("text/csv", CSV),
        ("Text/CSV ; charset=utf-8; header=present", CSV),
        ("text/*", CSV),
        ("text/csv, */*", CSV),
        ("*/*, text/csv", CSV),
        ("text/csv, application/json", CSV),
        ("application/json, text/csv", JSON),
        ("application/json;q=0.5, text/csv;q=0.6", CSV),
        ("application/json;q=0.5, text/csv;q=0.4", JSON),
        ("text/*;q=0.3, text/csv;q=0.9, */*;q=0.8", CSV),
        ("text/csv;q=0.1, text/*, */*;q=0.5", JSON),
        ("application/json;q=0, */*", CSV),
        (ARROW, ARROW),
        (PARQUET, PARQUET),
        (f"{PARQUET};q=0.9, {ARROW};q=1.000", ARROW),
        (f"{PARQUET}, application/json;q=0.9", PARQUET),
        (ARROW_FILE, JSON),
        ("text/csv;q=2", JSON),
        ("text/csv;q=x, text/csv;q=0.5", CSV),
        ("text/csv;q=0.5;q=0", CSV),
        (",;,q=1,/,", JSON),
        ("x/y," * 70 + "text/csv", JSON),
    ],
)
def test_the_kind_is_the_one_that_is_wanted_most(accept: str | None, kind: str):
    assert kind_of(accept) == kind


def test_several_fields_are_one():
    assert accepted([(b"accept", b"text/css"), (b"x", b"y"), (b"accept", b"text/csv")]) == CSV


@given(st.text(st.sampled_from("abc/*+;,=q.015 \"'\\") | st.characters(max_codepoint=255), max_size=60))
def test_any_value_gives_a_kind(accept: str):
    assert kind_of(accept) in (JSON, CSV, ARROW, PARQUET)


@pytest.mark.parametrize("value", ["," * 60_000, ";" * 60_000, "q=" * 30_000, "a;q=1," * 10_000, "text/csv;" * 7000])
def test_a_hostile_value_is_read_quickly(value: str):
    begin = time.process_time()
    kind_of(value)
    assert time.process_time() - begin < 1


@pytest.mark.parametrize("kind", READ)
@pytest.mark.parametrize("query", ["", "?proba=1"])
def test_a_table_has_what_json_has(churn_client: Client, kind: str, query: str):
    body, headers = ROWS.to_parquet(), {"content-type": PARQUET}
    as_json = churn_client.post(f"/predict{query}", content=body, headers=headers)
    told = as_json.json()
    answer = churn_client.post(f"/predict{query}", content=body, headers={**headers, "accept": kind})
    assert answer.status_code == 200
    table = READ[kind](answer.content)
    assert table["prediction"].tolist() == told["predictions"]
    probabilities = table.drop(columns="prediction").rename(columns=lambda name: name.removeprefix("probability "))
    assert probabilities.to_dict("records") == told.get("probabilities", [{}] * len(ROWS))
    names = ("content-type", "vary", "x-warnings", "x-model")
    assert [answer.headers[name] for name in names] == [kind, "accept", "0", as_json.headers["x-model"]]
    assert answer.headers["x-request-id"]


def test_a_frame_goes_as_parquet_and_comes_back_as_parquet(double: Any, client: Client):
    frame = pandas.DataFrame({"x": np.random.default_rng(0).uniform(0, 10, 5000)})
    headers = {"content-type": PARQUET, "accept": PARQUET}
    answer = client.post("/predict", content=frame.to_parquet(index=False), headers=headers)
    table = pq.read_table(io.BytesIO(answer.content))
    assert table.schema.types == [pa.float64()]
    assert table["prediction"].to_pylist() == (frame["x"] * 2).tolist()


def test_what_came_out_as_arrow_or_parquet_goes_in_again(client: Client):
    for kind in (ARROW, PARQUET):
        answer = client.post("/predict", json=[{"x": 1.5}, {"x": 2}], headers={"accept": kind}).content
        frame = READ[kind](answer).rename(columns={"prediction": "x"})
        again = client.post("/predict", content=frame.to_parquet(), headers={"content-type": PARQUET})
        assert again.json()["predictions"] == [6.0, 8.0]


def test_one_row_is_a_table_of_one(client: Client):
    answer = client.get("/predict?x=1.5", headers={"accept": CSV})
    assert answer.content == b"prediction\r\n3.0\r\n"


def test_warnings_are_counted(client: Client):
    assert client.post("/predict", json={"x": 11}, headers={"accept": CSV}).headers["x-warnings"] == "1"


def test_caches_are_told_what_the_answer_depends_on(client: Client):
    assert client.get("/predict?x=1").headers["vary"] == "accept"
    assert client.post("/predict", json={"x": 1}, headers={"accept": CSV}).headers["vary"] == "accept"


@pytest.mark.parametrize("kind", READ)
def test_a_problem_is_a_problem_whatever_is_accepted(client: Client, problem_of: Any, kind: str):
    problem_of(client.post("/predict", json={"x": "a"}, headers={"accept": kind}), 422, "schema.invalid")


def test_a_head_is_answered_without_a_table(client: Client):
    assert client.request("HEAD", "/predict?x=1", headers={"accept": PARQUET}).status_code == 200


def test_without_pyarrow_there_are_json_and_csv(client: Client, problem_of: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(arrow_stream, "is_installed", lambda: False)
    for accept, kind in ((f"{PARQUET}, */*;q=0.1", JSON), (f"{ARROW}, text/csv", CSV), ("*/*", JSON)):
        assert client.post("/predict", json={"x": 1}, headers={"accept": accept}).headers["content-type"] == kind
    for accept in (PARQUET, f"{ARROW}, text/html"):
        answer = client.post("/predict", json={"x": 1}, headers={"accept": accept})
        detail = problem_of(answer, 406, "request.not_acceptable")["detail"]
        assert detail.startswith("there are application/json, text/csv;")
        assert 'pip install "lading[arrow]"' in detail


# --- what stands in a table


def table(output: Output, predictions: list[Any], kind: str = ARROW) -> Any:
    schema = Schema("unknown", (Field("x"),), (output,))
    body = table_bytes(kind, schema, Answer(predictions))
    return pa.ipc.open_stream(body).read_all() if kind == ARROW else list(csv.reader(io.StringIO(body.decode())))


@pytest.mark.parametrize(
    ("output", "predictions", "type_"),
    [
        (Output("score"), [1.5, 2.0], pa.float64()),
        (Output("score"), [1, 2.5], pa.float64()),
        (Output("n", "INT64"), [1, 2], pa.int64()),
        (Output("is_fraud", "BOOL"), [True, False], pa.bool_()),
        (Output("name", "BYTES"), ["ü", ""], pa.string()),
        (Output("name", "INT64", classes=(0, 1), labels=("no", "yes")), ["no", "yes"], pa.string()),
    ],
)
def test_columns_have_the_type_of_the_output(output: Output, predictions: list[Any], type_: Any):
    assert table(output, predictions).to_pydict() == {output.name: predictions}
    assert table(output, predictions).schema.types == [type_]


@pytest.mark.parametrize(
    ("datatype", "predictions", "texts"),
    [
        ("FP64", [1.5, "none"], ["1.5", "none"]),
        ("BYTES", ["a", 1, True], ["a", "1", "true"]),
        ("INT64", [1, 2**80], ["1", str(2**80)]),
        ("FP64", [1.0, 2**60 + 1], ["1.0", str(2**60 + 1)]),
    ],
)
def test_what_has_no_one_type_is_text(datatype: Any, predictions: list[Any], texts: list[str]):
    assert table(Output("p", datatype), predictions).to_pydict() == {"p": texts}


def test_several_outputs_are_several_columns():
    output = Output("p", shape=(-1, 2), columns=("a", "b"))
    assert table(output, [[1.0, 2.0], [3.0, 4.0]]).to_pydict() == {"p a": [1.0, 3.0], "p b": [2.0, 4.0]}


def test_csv_is_as_rfc_4180_says():
    texts = ["a,b", 'say "x"', "two\nlines", "", "=cmd|' /C calc'!A0", "ü"]
    output = Output("a, or b", "BYTES")
    assert table(output, texts, CSV) == [["a, or b"], *([text] for text in texts)]
    body = table_bytes(CSV, Schema("unknown", (Field("x"),), (output,)), Answer(texts[:2]))
    assert body == b'"a, or b"\r\n"a,b"\r\n"say ""x"""\r\n'


def test_csv_has_numbers_to_the_last_bit_and_truths_as_json_has_them():
    numbers = [0.1, 5e-324, 1.7976931348623157e308, 1 / 3]
    assert [float(text) for (text,) in table(Output("p"), numbers, CSV)[1:]] == numbers
    assert table(Output("p", "BOOL"), [True, False], CSV)[1:] == [["true"], ["false"]]
