"""Predictions by every shape that people send, and what stands in the answer."""

import io
import json
from typing import Any

import httpx
import pandas
import pytest

from lading.engine.model import Model
from lading.http.content import ARROW, ARROW_FILE, PARQUET
from lading.schema.arrow import stream as arrow

ROW = {"sepal length (cm)": 5.1, "sepal width (cm)": 3.5, "petal length (cm)": 1.4, "petal width (cm)": 0.2}
OTHER = {"sepal length (cm)": 6.2, "sepal width (cm)": 2.9, "petal length (cm)": 5.4, "petal width (cm)": 2.1}
NAMES = list(ROW)
CSV = f"{','.join(NAMES)}\n{','.join(map(str, ROW.values()))}\n{','.join(map(str, OTHER.values()))}\n"

Client = Any


def cells(*rows: dict[str, float]) -> list[list[float]]:
    return [list(row.values()) for row in rows]


def test_one_object_gets_one_prediction(iris_client: Client, iris: Model):
    answer = iris_client.post("/predict", json=ROW)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"prediction": "setosa", "id": answer.headers["x-request-id"]}
    assert [answer.json()["prediction"]] == iris.predict([ROW]).tolist()


@pytest.mark.parametrize(
    "body",
    [
        [ROW, OTHER],
        {"instances": [ROW, OTHER]},
        {"instances": cells(ROW, OTHER)},
        {"X": cells(ROW, OTHER)},
        {"X": [ROW, OTHER]},
        {"columns": NAMES, "data": cells(ROW, OTHER)},
        {"columns": NAMES[::-1], "data": [line[::-1] for line in cells(ROW, OTHER)]},
        {"columns": NAMES, "index": [7, 8], "data": cells(ROW, OTHER)},
        [dict(reversed(ROW.items())), OTHER],
    ],
    ids=lambda body: json.dumps(body)[:24],
)
def test_every_shape_of_many_rows_gets_predictions(iris_client: Client, body: Any):
    answer = iris_client.post("/predict", json=body)
    assert answer.json() == {"predictions": ["setosa", "virginica"], "id": answer.headers["x-request-id"]}


@pytest.mark.parametrize("body", [[ROW], {"instances": [ROW]}, {"X": cells(ROW)}, {"X": cells(ROW)[0]}], ids=str)
def test_a_list_of_one_gets_a_list_of_one(iris_client: Client, body: Any):
    assert iris_client.post("/predict", json=body).json()["predictions"] == ["setosa"]


def test_csv_gets_predictions(iris_client: Client):
    answer = iris_client.post("/predict", content=CSV, headers={"content-type": "text/csv"})
    assert answer.json()["predictions"] == ["setosa", "virginica"]


def arrow_stream(frame: Any) -> bytes:
    import pyarrow

    table = pyarrow.Table.from_pandas(frame, preserve_index=False)
    body = io.BytesIO()
    with pyarrow.ipc.new_stream(body, table.schema) as writer:
        writer.write_table(table)
    return body.getvalue()


def test_an_arrow_stream_gets_predictions(iris_client: Client):
    columns = pandas.read_csv(io.StringIO(CSV))
    answer = iris_client.post("/predict", content=arrow_stream(columns), headers={"content-type": ARROW})
    assert answer.json()["predictions"] == ["setosa", "virginica"]


def test_many_rows_get_the_same_answer_by_every_road(churn_client: Client):
    plans = pandas.Categorical(["basic", "pro", "plus"] * 400)
    frame = pandas.DataFrame({"is_member": [True, False, True] * 400, "plan": plans, "age": [30.5, None, 99] * 400})
    split = json.loads(frame.to_json(orient="split"))
    lines = frame.to_csv(index=False)
    answers = [
        churn_client.post("/predict?proba=1", json=json.loads(frame.to_json(orient="records"))),
        churn_client.post("/predict?proba=1", json=split),
        churn_client.post("/predict?proba=1", content=lines, headers={"content-type": "text/csv"}),
        churn_client.post("/predict?proba=1", content=arrow_stream(frame), headers={"content-type": ARROW}),
    ]
    first, *others = ({**answer.json(), "id": None} for answer in answers)
    assert len(first["predictions"]) == 1200
    assert all(other == first for other in others)


def test_without_pyarrow_an_arrow_stream_is_refused_with_the_extra(
    client: Client, problem_of: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(arrow, "is_installed", lambda: False)
    answer = client.post("/predict", content=b"", headers={"content-type": ARROW})
    assert 'pip install "lading[arrow]"' in problem_of(answer, 415, "input.content_type")["detail"]
    assert answer.headers["accept"] == "application/json, text/csv, multipart/form-data"


def test_a_query_gets_one_prediction(iris_client: Client):
    assert iris_client.get("/predict", params=ROW).json()["prediction"] == "setosa"


def test_columns_of_all_kinds_come_by_every_road(churn_client: Client):
    row = {"age": None, "plan": "pro", "is_member": True}
    by_json = churn_client.post("/predict?proba=1", json=row).json()
    lines = "age,plan,is_member\n,pro,true\n"
    by_csv = churn_client.post("/predict?proba=1", content=lines, headers={"content-type": "text/csv"}).json()
    query = {"age": "", "plan": "pro", "is_member": "true", "proba": "1"}
    by_query = churn_client.get("/predict", params=query).json()
    assert by_json["prediction"] in ("leaves", "stays")
    assert by_csv["predictions"] == [by_json["prediction"]]
    assert by_csv["probabilities"] == [by_json["probabilities"]]
    assert (by_query["prediction"], by_query["probabilities"]) == (by_json["prediction"], by_json["probabilities"])


def test_answers_equal_the_model_exactly(churn_client: Client, churn: Model):
    rows = [{"age": 20.0 + n, "plan": "plus", "is_member": n % 2 == 0} for n in range(40)]
    answer = churn_client.post("/predict?proba=1", json=rows).json()
    assert answer["predictions"] == churn.predict(rows).tolist()
    assert [list(each.values()) for each in answer["probabilities"]] == churn.predict_proba(rows).tolist()


# --- probabilities


@pytest.mark.parametrize("flag", ["1", "true", "TRUE", "True"])
def test_probabilities_come_when_asked_for(iris_client: Client, flag: str):
    one = iris_client.post(f"/predict?proba={flag}", json=ROW).json()
    assert list(one["probabilities"]) == ["setosa", "versicolor", "virginica"]
    assert sum(one["probabilities"].values()) == pytest.approx(1)
    assert max(one["probabilities"], key=one["probabilities"].get) == one["prediction"]
    many = iris_client.post(f"/predict?proba={flag}", json=[ROW, OTHER]).json()
    assert many["probabilities"][0] == pytest.approx(one["probabilities"], rel=1e-12)
    assert len(many["probabilities"]) == 2


@pytest.mark.parametrize("flag", ["0", "false"])
def test_no_probabilities_come_when_declined(iris_client: Client, flag: str):
    assert "probabilities" not in iris_client.post(f"/predict?proba={flag}", json=ROW).json()


@pytest.mark.parametrize("query", ["proba", "proba=", "proba=2", "proba=yes", "proba=1&proba=1", "proba=1&proba=0"])
def test_a_flag_that_is_none_is_refused(iris_client: Client, problem_of: Any, query: str):
    answer = iris_client.post(f"/predict?{query}", json=ROW)
    code = "input.query" if query == "proba" else "query.proba"
    problem_of(answer, 400, code)


def test_an_unknown_parameter_is_refused_with_the_one_that_was_meant(iris_client: Client, problem_of: Any):
    body = problem_of(iris_client.post("/predict?prob=1", json=ROW), 400, "query.unknown")
    assert body["detail"] == "an unknown query parameter: did you mean `proba`?"
    assert "?" not in problem_of(iris_client.post("/predict?zzz=1", json=ROW), 400, "query.unknown")["detail"]


def test_probabilities_of_a_model_that_gives_none_are_refused(client: Client, problem_of: Any):
    problem_of(client.post("/predict?proba=1", json={"x": 1}), 400, "proba.unsupported")
    problem_of(client.get("/predict?x=1&proba=1"), 400, "proba.unsupported")


@pytest.mark.parametrize("query", ["%", "x=1&&proba=1", "a=%FF", "proba=1&x"])
def test_a_query_that_cannot_be_read_is_refused(client: Client, problem_of: Any, query: str):
    problem_of(client.get(f"/predict?{query}"), 400, "input.query")


def test_too_many_parameters_are_refused_quickly(client: Client, problem_of: Any):
    problem_of(client.get("/predict?" + "&".join(["x=1"] * 10_001)), 400, "input.query")
    problem_of(client.get("/predict?" + "&".join(f"proba={n}" for n in range(5000))), 400, "query.proba")


def test_a_parameter_that_stands_twice_is_refused(client: Client, problem_of: Any):
    problem_of(client.get("/predict?x=1&x=2"), 400, "input.duplicate_key")


def test_an_unknown_column_in_the_query_is_a_problem_of_the_input(client: Client, problem_of: Any):
    body = problem_of(client.get("/predict?y=1"), 422, "schema.invalid")
    assert [error["code"] for error in body["errors"]] == ["schema.unknown_column", "schema.missing_column"]


# --- what else stands in an answer


def test_what_training_had_not_is_a_warning(client: Client):
    answer = client.post("/predict", json=[{"x": 5}, {"x": 11}, {"x": -1}]).json()
    assert answer["predictions"] == [10.0, 22.0, -2.0]
    assert answer["warnings"] == [
        {
            "column": "x",
            "code": "range.outside_seen",
            "detail": "outside the range seen in training, 0 to 10",
            "rows": 2,
            "first_row": 1,
        }
    ]


def test_head_is_answered_as_get_is(client: Client):
    assert client.request("HEAD", "/predict?x=1").status_code == 200


@pytest.mark.parametrize("number", ["5e-324", "1.7976931348623157e308", "0.1", "123456789012345680000"])
def test_numbers_come_back_to_the_last_bit(client: Client, number: str):
    answer = client.post("/predict", content=f'{{"x": {float(number) / 2!r}}}', headers=JSON)
    assert repr(answer.json()["prediction"]) == repr(float(number) / 2 * 2)


JSON = {"content-type": "application/json"}


# --- content types


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "application/json; charset=utf-8; profile=x",
        "application/json; profile=x; charset=utf8",
        "application/vnd.api+json",
        "application/ld+json; profile=x",
    ],
)
def test_json_by_its_names_is_taken(client: Client, kind: str):
    assert client.post("/predict", content=b'{"x": 1}', headers={"content-type": kind}).status_code == 200


@pytest.mark.parametrize("kind", ["text/csv", "text/csv; charset=utf-8", "text/csv; header=present"])
def test_csv_by_its_names_is_taken(client: Client, kind: str):
    assert client.post("/predict", content=b"x\n1\n", headers={"content-type": kind}).json()["predictions"] == [2.0]


@pytest.mark.parametrize(
    "kind",
    [
        "application/vnd.bentoml+pickle",
        "application/x-pickle",
        "application/x-python-serialize",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
        "application/xml",
        "multipart/mixed; boundary=x",
        "text/plain",
        "text/json; charset=utf-7",
        "application/json; charset=utf-7",
        "application/json; charset=latin-1",
        "text/csv; charset=utf-16",
        "application/jsonl",
        "json",
        "*/*",
        "",
    ],
)
def test_any_other_content_type_is_refused(client: Client, problem_of: Any, kind: str):
    answer = client.post("/predict", content=b'{"x": 1}', headers={"content-type": kind})
    problem_of(answer, 415, "input.content_type")
    taken = ("application/json", "text/csv", "multipart/form-data", ARROW, ARROW_FILE, PARQUET)
    assert answer.headers["accept"] == ", ".join(taken)


def test_no_content_type_is_refused(client: Client, problem_of: Any):
    request = httpx.Request("POST", "http://testserver/predict", content=b'{"x": 1}')
    problem_of(client.send(request), 415, "input.content_type")


@pytest.mark.parametrize("name", ["payload-container", "x-format", "bentoml-payload-container"])
def test_headers_that_promise_a_pickle_mean_nothing(client: Client, name: str):
    assert client.post("/predict", json={"x": 1}, headers={name: "pickle"}).json()["prediction"] == 2.0
