"""Inferences that are answered: every way to send a tensor, and what comes back."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.http.conftest import DOUBLE

from lading.http.oip.infer import Infer

from .conftest import IRIS, ROWS, matrix, tensor

Asker = Any
Client = Any


def columns(rows: Any = ROWS, **rest: Any) -> list[dict[str, Any]]:
    return [tensor(name, list(column), **rest) for name, column in zip(IRIS, zip(*rows, strict=True), strict=True)]


# --- what comes back


def test_an_answer_is_named_and_has_every_output(ask_iris: Asker):
    answer = ask_iris.infer(matrix(), id="order-17")
    assert answer.headers["x-model"] == "iris/1.0.0"
    body = answer.json()
    prediction, probabilities = body.pop("outputs")
    assert body == {"model_name": "iris", "model_version": "1.0.0", "id": "order-17"}
    assert prediction == tensor("prediction", ["setosa", "virginica"], datatype="BYTES")
    assert (probabilities["name"], probabilities["shape"], probabilities["datatype"]) == (
        "probabilities",
        [2, 3],
        "FP64",
    )


@pytest.mark.parametrize("inputs", [[matrix()], columns()], ids=["one tensor", "columns"])
def test_numbers_are_those_of_the_native_route(ask_iris: Asker, inputs: Any):
    native = ask_iris.client.post("/predict?proba=1", json={"X": ROWS}).json()
    outputs = ask_iris.outputs(*inputs)
    assert outputs["prediction"] == native["predictions"]
    assert outputs["probabilities"] == [share for row in native["probabilities"] for share in row.values()]


def test_only_the_outputs_that_are_asked_for_come(ask_iris: Asker):
    for names in (["prediction"], ["probabilities"], ["probabilities", "prediction"]):
        assert list(ask_iris.outputs(matrix(), outputs=[{"name": name} for name in names])) == names
    for nothing in ([], None):
        assert list(ask_iris.outputs(matrix(), outputs=nothing)) == ["prediction", "probabilities"]


def test_a_model_without_probabilities_gives_what_it_has(ask_double: Asker):
    assert ask_double.outputs(tensor("x", [1, 2.5])) == {"prediction": [2.0, 5.0]}


@pytest.mark.parametrize("id", ["", "a", "über 17", "x" * 128])
def test_an_id_comes_back(ask_double: Asker, id: str):
    assert ask_double.infer(tensor("x", [1]), id=id).json()["id"] == id


@pytest.mark.parametrize("rest", [{}, {"id": None}])
def test_without_one_it_is_the_id_of_the_request(ask_double: Asker, rest: dict[str, Any]):
    answer = ask_double.infer(tensor("x", [1]), **rest)
    assert answer.json()["id"] == answer.headers["x-request-id"]


def test_warnings_are_counted(ask_iris: Asker):
    answer = ask_iris.infer(matrix([[5.1, 3.5, 14, 20]])).json()
    assert answer["parameters"] == {"warnings": 2}


def test_a_model_with_several_targets_gives_the_probabilities_of_each(make_http_app: Any, connect: Any, tmp_path: Any):
    import joblib
    import numpy as np
    from sklearn.datasets import load_iris
    from sklearn.tree import DecisionTreeClassifier

    import lading

    X, y = load_iris(return_X_y=True)
    joblib.dump(DecisionTreeClassifier().fit(X, np.column_stack([y, y % 2])), tmp_path / "two.joblib")
    client = connect(make_http_app(lading.load(tmp_path / "two.joblib")))
    answer = client.post("/v2/models/two/infer", json={"inputs": [matrix()]}).json()
    assert [(each["name"], each["shape"], each["data"]) for each in answer["outputs"]] == [
        ("prediction", [2, 2], [0, 0, 2, 0]),
        ("probabilities.0", [2, 3], [1, 0, 0, 0, 0, 1]),
        ("probabilities.1", [2, 2], [1, 0, 1, 0]),
    ]


def test_an_output_has_the_name_that_its_author_gives(make_http_app: Any, connect: Any, tmp_path: Any):
    import lading

    model = lading.load(lading.pack(DOUBLE, path=tmp_path / "score.lading", name="score", output="score").path)
    body = connect(make_http_app(model)).post("/v2/models/score/infer", json={"inputs": [tensor("x", [1])]}).json()
    assert [each["name"] for each in body["outputs"]] == ["score"]


# --- tensors


@pytest.mark.parametrize(
    "sent",
    [
        matrix(),
        matrix(name="input-0", datatype="FP32"),
        matrix(name=IRIS[0]),
        tensor("X", [cell for row in ROWS for cell in row], shape=[2, 4]),
    ],
)
def test_all_columns_may_come_in_one_tensor(ask_iris: Asker, sent: dict[str, Any]):
    assert ask_iris.outputs(sent)["prediction"] == ["setosa", "virginica"]


def test_a_column_is_a_tensor_wherever_it_stands(ask_iris: Asker):
    for shape in ([2], [2, 1]):
        assert ask_iris.outputs(*reversed(columns(shape=shape)))["prediction"] == ["setosa", "virginica"]
    nested = [tensor(each["name"], [[cell] for cell in each["data"]], shape=[2, 1]) for each in columns()]
    assert ask_iris.outputs(*nested)["prediction"] == ["setosa", "virginica"]


@pytest.mark.parametrize(("name", "shape"), [("x", [2]), ("x", [2, 1]), ("predict", [2]), ("predict", [2, 1])])
def test_of_one_column_both_readings_agree(ask_double: Asker, name: str, shape: list[int]):
    assert ask_double.outputs(tensor(name, [1, 2], shape=shape))["prediction"] == [2.0, 4.0]


def test_columns_of_every_kind_and_gaps_are_taken(ask_churn: Asker):
    inputs = [
        tensor("age", [40.5, None], datatype="FP32"),
        tensor("plan", ["pro", "basic"], datatype="BYTES"),
        tensor("is_member", [True, False], datatype="BOOL"),
    ]
    native = [{"age": 40.5, "plan": "pro", "is_member": True}, {"age": None, "plan": "basic", "is_member": False}]
    told = ask_churn.client.post("/predict", json=native).json()["predictions"]
    assert ask_churn.outputs(*inputs)["prediction"] == told
    inputs[2] = tensor("is_member", [1, 0], datatype="UINT8")
    assert ask_churn.outputs(*inputs)["prediction"] == told


@pytest.mark.parametrize(
    ("datatype", "number"),
    [
        ("UINT8", 255),
        ("UINT16", 2**16 - 1),
        ("UINT32", 2**32 - 1),
        ("UINT64", 2**64 - 1),
        ("INT8", -128),
        ("INT16", -(2**15)),
        ("INT32", -(2**31)),
        ("INT64", -(2**63)),
        ("FP32", 3.4028234663852886e38),
        ("FP32", 3),
        ("FP64", 1e307),
    ],
)
def test_numbers_of_every_datatype_are_taken(ask_double: Asker, datatype: str, number: float):
    assert ask_double.outputs(tensor("x", [number], datatype=datatype))["prediction"] == [2.0 * number]


# --- clients


@pytest.mark.parametrize(
    "rest",
    [
        {"parameters": {"content_type": "pd"}},
        {"parameters": {"binary_data_output": True, "priority": 3, "timeout": 0.5}},
        {"parameters": None, "outputs": None, "id": None},
        {"model_name": "another", "headers": [{"deep": {}}]},
        {"outputs": [{"name": "prediction", "parameters": {"binary_data": True}}]},
    ],
)
def test_what_clients_send_beside_is_ignored(ask_double: Asker, rest: dict[str, Any]):
    for sent in (tensor("x", [1]), tensor("x", [1], parameters={"content_type": "np"}), tensor("x", [1], other=3)):
        assert ask_double.outputs(sent, **rest) == {"prediction": [2.0]}


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", None])
def test_a_body_is_json_also_where_nobody_says_so(ask_double: Asker, kind: str | None):
    body = b'{"inputs":[{"name":"x","shape":[1],"datatype":"FP64","data":[1]}]}'
    headers = {"content-type": kind} if kind else {}
    assert ask_double.client.post(f"{ask_double.path}/infer", content=body, headers=headers).status_code == 200


def test_an_answer_is_json_whatever_is_accepted(ask_double: Asker):
    answer = ask_double.client.post(
        f"{ask_double.path}/infer", json={"inputs": [tensor("x", [1])]}, headers={"accept": "text/csv"}
    )
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")


# --- the quick way and the strict one


NUMBERS = st.sampled_from([0, 1, -1, 2.5, 200, 1e39, 2**70, 3.0, None, "a", True, [1], "a:b"])
NAMES = st.sampled_from(["x", "age", "plan", "is_member", "predict"])
TENSORS = st.fixed_dictionaries(
    {
        "name": NAMES,
        "shape": st.sampled_from([[1], [2], [1, 1], [2, 1], [1, 3], [2, 3], [0], [1, 3, 1], []]),
        "datatype": st.sampled_from(["FP64", "FP32", "INT64", "INT8", "BOOL", "BYTES", "FP16"]),
        "data": st.lists(NUMBERS, max_size=6) | st.lists(st.lists(NUMBERS, min_size=1, max_size=3), max_size=2),
    },
    optional={
        "parameters": st.sampled_from([{}, {"content_type": "np"}, {"a": None}, {"b": "c:d"}]),
        "more": st.none(),
    },
)
REQUESTS = st.fixed_dictionaries(
    {"inputs": st.lists(TENSORS, max_size=3)},
    optional={
        "id": st.sampled_from(["a", "a:b", "\n", "x" * 200, None]),
        "outputs": st.lists(st.fixed_dictionaries({"name": st.sampled_from(["prediction", "probabilities", "x"])})),
        "parameters": st.sampled_from([{}, {"content_type": "pd"}, {"a": [1]}]),
    },
)
PLAIN = [
    tensor("age", [40.5], datatype="FP64"),
    tensor("plan", ["pro"], datatype="BYTES"),
    tensor("is_member", [True], datatype="BOOL"),
]


@given(asked=REQUESTS | st.permutations(PLAIN).map(lambda inputs: {"inputs": inputs}))
def test_the_quick_way_takes_nothing_that_the_strict_one_does_not(quick_and_strict: Any, asked: dict[str, Any]):
    for quick, strict in quick_and_strict:
        assert quick(asked) == strict(asked)


@pytest.mark.parametrize(
    "inputs",
    [
        [tensor("x", [1.5])],
        [tensor("predict", [[1], [2]], shape=[2, 1], datatype="FP32")],
        [tensor("predict", [1, 2], shape=[2, 1], parameters={"content_type": "np"})],
    ],
)
def test_plain_requests_take_the_quick_way(double: Any, make_http_app: Any, inputs: Any):
    quick = Infer(make_http_app(double).service)._quick
    assert quick is not None
    for rest in ({}, {"id": "a"}, {"parameters": {"a": 1}}, {"outputs": [{"name": "prediction"}]}):
        assert quick.read(json.dumps({"inputs": inputs, **rest}).encode()) is not None
