"""What does not fit is refused with 400, every problem with its place, and never a value."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.errors import InputError
from lading.http.oip.refusals import place_of, refusal
from lading.schema.problems import MAX_LISTED, Problem

from .conftest import IRIS, matrix, tensor

Asker = Any
Client = Any


@pytest.mark.parametrize(
    ("pointer", "place"),
    [
        ("", ""),
        ("/inputs/2/data/17", "inputs[2].data[17]"),
        ("/instances/0/sepal length (cm)", 'instances[0]["sepal length (cm)"]'),
        ("/a~1b~0c", '["a/b~c"]'),
    ],
)
def test_a_place_is_told_as_programs_say_it(pointer: str, place: str):
    assert place_of(pointer) == place


def test_of_many_problems_the_first_are_told_and_the_rest_counted():
    error = InputError([Problem("/x", "schema.null", "expected number, got null")] * 2, total=5)
    told = json.loads(bytes(refusal(error).body))["error"]
    assert told == "x: expected number, got null; x: expected number, got null; and 3 more"


# --- the body


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "the body is empty: expected JSON"),
        (b'{"inputs"', "not JSON: expecting"),
        (b"[]", "expected an object with `inputs`, got an array"),
        (b"3", "expected an object with `inputs`, got an integer"),
        (b"{}", "inputs: missing (required, a list of tensors)"),
        (b'{"inputs":[]}', "inputs: missing (required, a list of tensors)"),
        (b'{"inputs":{}}', "inputs: missing (required, a list of tensors)"),
        (b'{"inputs":[3]}', "inputs[0]: expected a tensor, which is an object, got an integer"),
        (b'{"inputs":[],"inputs":[]}', "an object has the same key twice"),
        (b'{"inputs":[{"name":"x","name":"x"}]}', "an object has the same key twice"),
        (b'{"inputs":NaN}', "NaN and Infinity are not JSON"),
        (b"[" * 99, "nested deeper than 32 levels"),
        (b'{"inputs":' + b"1" * 99 + b"}", "a number has more than 64 characters"),
        (b"\xff", "not UTF-8 text"),
    ],
)
def test_a_body_that_is_no_request(ask_double: Asker, error_of: Any, body: bytes, words: str):
    answer = ask_double.client.post(f"{ask_double.path}/infer", content=body)
    assert error_of(answer, 400).startswith(words)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": None}, "inputs[0].name: missing (required, a name)"),
        ({"name": 3}, "inputs[0].name: expected a name, got an integer"),
        ({"datatype": None}, "inputs[0].datatype: missing (required, the name of a datatype)"),
        ({"datatype": "FP"}, "inputs[0].datatype: expected one of BOOL, UINT8, "),
        ({"datatype": "FP16"}, "inputs[0].datatype: FP16 has no form in JSON: send the same numbers as FP32"),
        ({"datatype": "BF16"}, "inputs[0].datatype: BF16 has no form in JSON: send the same numbers as FP32"),
        ({"shape": None}, "inputs[0].shape: missing (required, a list of whole numbers)"),
        ({"shape": [-1]}, "inputs[0].shape: expected 1 to 4 whole numbers, each at least 1"),
        ({"shape": [1.0]}, "inputs[0].shape: expected 1 to 4 whole numbers"),
        ({"shape": []}, "inputs[0].shape: expected 1 to 4 whole numbers"),
        ({"shape": [0], "data": []}, "inputs[0].shape: expected 1 to 4 whole numbers, each at least 1"),
        ({"shape": [1] * 5}, "inputs[0].shape: expected 1 to 4 whole numbers"),
        ({"shape": [3]}, "inputs[0].data: expected as many elements as `shape` says, 3, got 2"),
        ({"shape": [10**60]}, "inputs[0].data: expected as many elements as `shape` says, got 2"),
        ({"data": None}, "inputs[0].data: missing (required, a list)"),
        ({"data": 3}, "inputs[0].data: expected a list, got an integer"),
        ({"data": [[1], [2]]}, "inputs[0].data[0]: expected"),
        ({"shape": [2, 1], "data": [[1], [2, 3]]}, "inputs[0].data[1]: expected a list of 1 by `shape`, got 2"),
        ({"shape": [2, 1], "data": [[1], 2]}, "inputs[0].data[1]: expected a list of 1 by `shape`, got an integer"),
        (
            {"shape": [2, 1], "data": [[1]]},
            "inputs[0].data: expected as many lists as the first number of `shape`, got 1",
        ),
        ({"parameters": 3}, "inputs[0].parameters: expected an object, got an integer"),
        (
            {"parameters": {"a": 1, "b": []}},
            "inputs[0].parameters: expected strings, numbers and booleans, got an array",
        ),
        (
            {"parameters": {"a": None}},
            "inputs[0].parameters: expected strings, numbers and booleans, got null as value 0",
        ),
        ({"data": None, "parameters": {"binary_data_size": 8}}, "inputs[0]: binary tensors are not taken"),
    ],
)
def test_a_tensor_that_is_none(ask_double: Asker, change: dict[str, Any], words: str):
    assert ask_double.refused(tensor("x", [1, 2]) | change).startswith(words)


# --- elements


@pytest.mark.parametrize(
    ("datatype", "element", "words"),
    [
        ("FP64", "a", "expected number, got a string"),
        ("FP64", True, "expected number, got a boolean"),
        ("FP64", None, "expected number, seen 0 to 10, got null"),
        ("FP64", {}, "expected number, got an object"),
        ("FP32", 1e39, "expected a finite number of 32 bits"),
        ("INT8", 200, "expected an integer from -128 to 127, as INT8 has"),
        ("UINT8", -1, "expected an integer from 0 to 255, as UINT8 has"),
        ("INT64", 2**63, "expected an integer from -9223372036854775808 to 9223372036854775807, as INT64 has"),
        ("INT32", 1.5, "expected integer, got a number"),
        ("INT32", 2.0, "expected integer, got a number"),
        ("BOOL", 1, "expected boolean, got an integer"),
        ("BOOL", True, "expected number, seen 0 to 10, got a boolean"),
        ("BYTES", 1, "expected string, got an integer"),
        ("BYTES", "1", "expected number, seen 0 to 10, got a string"),
    ],
)
def test_an_element_of_another_kind(ask_double: Asker, datatype: str, element: Any, words: str):
    good = {"BOOL": True, "BYTES": "a"}.get(datatype, 1)
    told = ask_double.refused(tensor("x", [good, element], datatype=datatype))
    assert f"inputs[0].data[1]: {words}" in told.split("; ")


def test_a_number_beyond_all_bits(ask_double: Asker, error_of: Any):
    body = b'{"inputs":[{"name":"x","shape":[2],"datatype":"FP64","data":[1,1e400]}]}'
    told = error_of(ask_double.client.post(f"{ask_double.path}/infer", content=body), 400)
    assert told == "inputs[0].data[1]: expected a finite number of 64 bits"


def test_every_problem_of_a_request_is_told(ask_iris: Asker):
    told = ask_iris.refused(*(tensor(name, [1, "a"], datatype="INT8") for name in IRIS))
    assert told.split("; ") == [f"inputs[{place}].data[1]: expected integer, got a string" for place in range(4)]
    many = ask_iris.refused(matrix([["a"] * 4] * 100)).split("; ")
    assert (len(many), many[-1]) == (MAX_LISTED + 1, "and 300 more")


def test_nested_elements_are_told_with_all_their_places(ask_iris: Asker):
    assert ask_iris.refused(matrix([[1, 2, 3, 4], [1, 2, "a", 4]])) == (
        "inputs[0].data[1][2]: expected number, got a string"
    )
    flat = tensor("X", [1, 2, 3, 4, 1, 2, "a", 4], shape=[2, 4])
    assert ask_iris.refused(flat) == "inputs[0].data[6]: expected number, got a string"


@pytest.mark.parametrize(("datatype", "number"), [("FP64", 2.5), ("INT8", 2), ("FP32", -1)])
def test_numbers_go_only_where_they_fit(ask_churn: Asker, datatype: str, number: float):
    inputs = [
        tensor("age", [40], datatype="INT8"),
        tensor("plan", ["pro"], datatype="BYTES"),
        tensor("is_member", [number], datatype=datatype),
    ]
    assert ask_churn.refused(*inputs).startswith("inputs[2].data[0]: expected boolean, got ")


# --- columns


def test_missing_and_unknown_columns_are_named(ask_churn: Asker):
    told = ask_churn.refused(tensor("age", [1]), tensor("plann", ["pro"], datatype="BYTES")).split("; ")
    assert told[0] == "inputs[1].name: `plann` is not a column of this model: did you mean `plan`?"
    assert told[1].startswith("inputs: `plan` is missing (required, one of basic, plus, pro")
    assert told[2] == "inputs: `is_member` is missing (required, boolean)"


def test_a_column_stands_once(ask_double: Asker):
    told = ask_double.refused(tensor("x", [1]), tensor("x", [1]))
    assert told == "inputs[1].name: another input has this name"


def test_columns_have_as_many_rows_as_each_other(ask_iris: Asker):
    inputs = [tensor(name, [1, 2]) for name in IRIS]
    inputs[2] |= {"shape": [1], "data": [1]}
    assert ask_iris.refused(*inputs) == ("inputs[2].shape: expected [n] or [n, 1], with as many rows as inputs[0]")


def test_one_tensor_has_all_columns(ask_iris: Asker):
    assert ask_iris.refused(matrix([[1, 2, 3]])) == "inputs[0].shape: expected 4 values a row, got 3"
    told = "inputs[0].shape: expected one row of all columns to have the shape [1, 4], got [4]"
    assert ask_iris.refused(tensor("predict", [1, 2, 3, 4])) == told
    assert "`predict` is not a column of this model" in ask_iris.refused(tensor("predict", [1, 2, 3]))


# --- outputs and ids


@pytest.mark.parametrize(
    ("outputs", "words"),
    [
        ([{"name": "proba"}], "outputs[0].name: `proba` is not an output of this model, which gives prediction"),
        ([{"name": "\n"}], "outputs[0].name: not an output of this model, which gives prediction"),
        ([{"name": "prediction"}] * 2, "outputs[1].name: another output has this name"),
        ([{}], "outputs[0].name: missing (required, a name)"),
        (["prediction"], "outputs[0]: expected an object with `name`, got a string"),
        ({"name": "prediction"}, "outputs: expected a list of outputs, got an object"),
        ([{"name": "prediction", "parameters": []}], "outputs[0].parameters: expected an object, got an array"),
    ],
)
def test_outputs_that_there_are_not(ask_double: Asker, outputs: Any, words: str):
    assert ask_double.refused(tensor("x", [1]), outputs=outputs) == words


@pytest.mark.parametrize("id", [3, ["a"], "a\nb", "\x1b[31m", "x" * 129])
def test_an_id_that_may_not_come_back(ask_double: Asker, id: Any):
    assert ask_double.refused(tensor("x", [1]), id=id) == ("id: expected a printable string of at most 128 characters")


# --- every other refusal


def post(client: Client, path: str = "/v2/models/model/infer", **sent: Any) -> Any:
    return client.post(path, **{"json": {"inputs": [tensor("x", [1])]}} | sent)


@pytest.mark.parametrize("kind", ["text/csv", "application/octet-stream", "application/json; charset=latin-1"])
def test_what_is_no_json(client: Client, error_of: Any, kind: str):
    for path in ("/v2/models/model/infer", "/v1/models/model:predict"):
        error_of(post(client, path, headers={"content-type": kind}), 415)


def test_a_coding_that_is_not_taken(client: Client, error_of: Any):
    answer = post(client, headers={"content-encoding": "br"})
    error_of(answer, 415)
    assert answer.headers["accept-encoding"].startswith("gzip")


def test_bounds_are_those_of_the_native_route(make_http_app: Any, double: Any, connect: Any, error_of: Any):
    client = connect(make_http_app(double, max_rows=3, max_body_bytes=1000))
    many = {"inputs": [tensor("x", [1] * 4)]}
    assert error_of(post(client, json=many), 413) == "more than 3 rows in one request"
    assert error_of(post(client, json={**many, "more": None}), 413) == "more than 3 rows in one request"
    assert error_of(post(client, content=b" " * 1001, json=None), 413) == "the body has more than 1000 bytes"
    assert error_of(post(connect(make_http_app(double, max_cells=3)), json=many), 413).startswith("more than 3 cells")


@pytest.mark.parametrize("milliseconds", ["0", "soon", "-1"])
def test_a_deadline_that_is_none(client: Client, error_of: Any, milliseconds: str):
    assert "X-Request-Timeout-Ms" in error_of(post(client, headers={"x-request-timeout-ms": milliseconds}), 400)


def test_what_the_service_refuses_is_told_with_when_to_come_again(
    make_http_app: Any, double: Any, connect: Any, error_of: Any
):
    client = connect(make_http_app(double, commit=lambda batch, done: None, request_timeout_s=0.05))
    answer = post(client)
    error_of(answer, 504)
    assert answer.headers["retry-after"] in {"1", "2", "3"}


def test_a_model_that_fails_is_an_error_of_the_server(
    make_http_app: Any, with_predict: Any, connect: Any, error_of: Any
):
    def predict(inner: Any, table: Any, proba: bool) -> Any:
        if (table.matrix == 13.0).any():
            raise ValueError("a secret")
        return inner.predict(table, proba=proba)

    client = connect(make_http_app(with_predict(predict)))
    for path, body in (
        ("/v2/models/model/infer", {"inputs": [tensor("x", [13])]}),
        ("/v1/models/model:predict", {"instances": [[13]]}),
    ):
        assert "secret" not in error_of(post(client, path, json=body), 500)


CANARY = "canary-5e1f0c"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3).map(CANARY.__add__),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "shape", "datatype", "data", "parameters", CANARY]), inner, max_size=6
        )
    ),
    max_leaves=8,
)


@given(
    inputs=VALUES, rest=st.dictionaries(st.sampled_from(["id", "outputs", "parameters", CANARY]), VALUES, max_size=3)
)
def test_nothing_of_a_refused_request_comes_back(shared_client: Client, inputs: Any, rest: Any):
    answer = shared_client.post("/v2/models/model/infer", json={"inputs": inputs, **rest})
    assert answer.status_code == 400
    assert CANARY not in answer.text.replace(f"`{CANARY}", "")
