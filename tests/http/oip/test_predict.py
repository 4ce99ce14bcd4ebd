"""KServe's V1: `{"instances": […]}` is asked, and `{"predictions": […]}` answered."""

import base64
from typing import Any

import pytest

Client = Any

PATH = "/v1/models/iris:predict"
ROWS = [[5.1, 3.5, 1.4, 0.2], [6.3, 3.3, 6.0, 2.5]]
NAMES = ("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)")


@pytest.mark.parametrize(
    "body",
    [
        {"instances": ROWS},
        {"instances": [dict(zip(NAMES, row, strict=True)) for row in ROWS]},
        {"signature_name": "serving_default", "instances": ROWS},
        {"instances": ROWS, "parameters": {"deep": [1]}},
    ],
)
def test_rows_are_answered(iris_client: Client, body: Any):
    answer = iris_client.post(PATH, json=body)
    assert (answer.status_code, answer.text) == (200, '{"predictions":["setosa","virginica"]}\n')
    assert answer.headers["x-model"] == "iris/1.0.0"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ([], "expected an object with `instances`, got an array"),
        ({}, "instances: missing (required, a list of rows)"),
        ({"instances": 3}, "instances: expected a list of rows, got an integer"),
        ({"instances": {}}, "instances: expected a list of rows, got an object"),
        ({"instances": []}, "expected at least one row, got none"),
        ({"X": ROWS}, "instances: missing (required, a list of rows)"),
        ({"instances": [[5.1, "3.5", 1.4, 0.2]]}, "instances[0][1]: expected number, seen 2 to 4.4, got a string"),
        ({"instances": [[5.1]], "more": 1}, "instances[0]: expected 4 values, got 1 values"),
        (
            {"instances": [dict(zip(NAMES, ROWS[0], strict=True)) | {NAMES[0]: "a"}]},
            'instances[0]["sepal length (cm)"]: expected number, seen 4.3 to 7.9, got a string',
        ),
        (
            {"instances": [dict(zip(NAMES[1:], ROWS[0][1:], strict=True))]},
            "instances[0]: `sepal length (cm)` is missing (required, number, seen 4.3 to 7.9)",
        ),
    ],
)
def test_what_does_not_fit_is_refused(iris_client: Client, error_of: Any, body: Any, words: str):
    assert error_of(iris_client.post(PATH, json=body), 400) == words


def test_a_key_twice_is_refused(iris_client: Client, error_of: Any):
    body = b'{"instances":[[5.1,3.5,1.4,0.2]],"instances":[]}'
    assert error_of(iris_client.post(PATH, content=body), 400) == "an object has the same key twice"


def test_bounds_are_those_of_the_native_route(make_http_app: Any, double: Any, connect: Any, error_of: Any):
    client = connect(make_http_app(double, max_rows=3))
    for more in ({}, {"more": 1}):
        sent = {"instances": [[1]] * 4, **more}
        assert error_of(client.post("/v1/models/model:predict", json=sent), 413).startswith("more than 3 rows")


def test_a_model_whose_column_is_called_instances(make_http_app: Any, connect: Any, tmp_path: Any):
    import lading
    from lading.flavors.linear import LinearFile

    model = LinearFile("lading.linear/1", ("instances",), coef=((2.0,),), intercept=(0.0,))
    client = connect(make_http_app(lading.load(lading.pack(model, path=tmp_path / "m.lading").path)))
    sent = {"instances": [{"instances": 4}]}
    assert client.post("/v1/models/model:predict", json=sent).json() == {"predictions": [8.0]}
    assert client.post("/v1/models/model:predict", json={"instances": 4}).status_code == 400


def test_images_are_taken(digits_client: Client, seven: bytes, error_of: Any):
    path, text = "/v1/models/digits:predict", base64.b64encode(seven).decode()
    for instance in ({"image": text}, {"b64": text}, {"image": {"b64": text}}):
        assert digits_client.post(path, json={"instances": [instance]}).json() == {"predictions": [7]}
    told = error_of(digits_client.post(path, json={"instances": [{"image": "!"}]}), 400)
    assert told == "instances[0]: expected an image in base64"
