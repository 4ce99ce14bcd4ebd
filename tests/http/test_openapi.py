"""The OpenAPI document: valid, and what the service really answers fits it."""

import json
from typing import Any

import joblib
import numpy as np
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

import lading
from lading.engine.model import Model

Client = Any

CHURN = {"age": 40.5, "plan": "pro", "is_member": True}


def validator(document: dict[str, Any], *path: str) -> Draft202012Validator:
    """A validator for the schema at this place of the document."""
    place: Any = document
    for name in path:
        place = place[name]
    return Draft202012Validator(place | {"components": document["components"]})


def assert_fits(document: dict[str, Any], answer: Any, path: str, method: str = "get") -> None:
    """The answer is one that the document tells of, and fits what it tells."""
    told = document["paths"][path][method]["responses"]
    assert str(answer.status_code) in told, answer.text
    kind = answer.headers["content-type"].split(";")[0]
    place = ("paths", path, method, "responses", str(answer.status_code), "content", kind, "schema")
    errors = list(validator(document, *place).iter_errors(answer.json()))
    assert errors == []


@pytest.mark.parametrize("name", ["client", "iris_client", "churn_client"])
def test_the_document_is_valid(request: pytest.FixtureRequest, name: str):
    document = request.getfixturevalue(name).get("/openapi.json").json()
    validate(document)
    assert document["openapi"] == "3.1.0"


@pytest.mark.parametrize("name", ["client", "iris_client", "churn_client"])
def test_its_example_is_answered_and_fits_its_own_schema(request: pytest.FixtureRequest, name: str):
    client = request.getfixturevalue(name)
    document = client.get("/openapi.json").json()
    content = document["paths"]["/predict"]["post"]["requestBody"]["content"]
    for kind, told in content.items():
        if "example" not in told:
            continue
        body = told["example"]
        sent = {"json": body} if kind == "application/json" else {"content": body, "headers": {"content-type": kind}}
        answer = client.post("/predict", **sent)
        assert answer.status_code == 200
        assert_fits(document, answer, "/predict", "post")
    example = content["application/json"]["example"]
    assert list(validator(document, "components", "schemas", "Row").iter_errors(example)) == []


@pytest.mark.parametrize("path", ["/health", "/ready", "/metadata", "/schema"])
def test_what_tells_fits(churn_client: Client, path: str):
    document = churn_client.get("/openapi.json").json()
    assert_fits(document, churn_client.get(path), path)


@pytest.mark.parametrize(
    "body",
    [
        CHURN,
        [CHURN, CHURN | {"age": None}],
        CHURN | {"age": 500.0},
        {"instances": [CHURN]},
        {"X": [[40.5, "pro", True]]},
        {"columns": list(CHURN), "data": [list(CHURN.values())]},
        {},
        CHURN | {"age": "old"},
        CHURN | {"plan": "unheard of", "aeg": 1},
        [CHURN, {}],
        1,
    ],
    ids=str,
)
@pytest.mark.parametrize("query", ["", "?proba=1"])
def test_answers_and_problems_fit(churn_client: Client, body: Any, query: str):
    document = churn_client.get("/openapi.json").json()
    answer = churn_client.post(f"/predict{query}", json=body)
    assert answer.status_code in (200, 422)
    assert_fits(document, answer, "/predict", "post")


@pytest.mark.parametrize(
    "body",
    [CHURN, [CHURN], {"instances": [CHURN]}, {"X": [[1, "pro", True]]}, {"columns": ["a"], "data": [[1]]}],
    ids=str,
)
def test_requests_that_are_answered_fit(churn_client: Client, body: Any):
    document = churn_client.get("/openapi.json").json()
    place = ("paths", "/predict", "post", "requestBody", "content", "application/json", "schema")
    assert list(validator(document, *place).iter_errors(body)) == []


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"content": b"{"}, 400),
        ({"content": b"x" * 100}, 413),
        ({"content": b"{}", "headers": {"content-type": "text/html"}}, 415),
        ({"json": {"x": 13}}, 500),
        ({"json": {"x": 14}}, 504),
    ],
)
def test_other_refusals_fit(make_http_app: Any, with_predict: Any, connect: Any, sent: dict[str, Any], status: int):
    def predict(inner: Any, table: Any, proba: bool) -> Any:
        if (table.matrix == 13.0).any():
            raise ValueError
        return inner.predict(table, proba=proba)

    def commit(batch: Any, done: Any) -> None:
        if batch.jobs[0].rows[0] != (14.0,):
            done(None)

    # Only who is to come too late is in a hurry: on a busy machine the others would be, too.
    timeout_s = 0.05 if status == 504 else 10.0
    client = connect(
        make_http_app(with_predict(predict), commit=commit, max_body_bytes=20, request_timeout_s=timeout_s)
    )
    document = client.get("/openapi.json").json()
    answer = client.post("/predict", **{"headers": {"content-type": "application/json"}} | sent)
    assert answer.status_code == status
    assert_fits(document, answer, "/predict", "post")


def test_a_body_that_comes_too_slowly_fits(raw: Any, make_http_app: Any, double: Any, connect: Any):
    app = make_http_app(double, body_timeout_s=0.02)
    request = raw()
    request.messages = [{"type": "http.request", "body": b"{", "more_body": True}]
    answer = connect(app).run(request.run(app.asgi))
    document = connect(app).get("/openapi.json").json()
    body = json.loads(answer.body)
    place = ("paths", "/predict", "post", "responses", "408", "content", "application/problem+json", "schema")
    assert list(validator(document, *place).iter_errors(body)) == []


def test_the_query_that_it_tells_of_is_answered(churn_client: Client):
    document = churn_client.get("/openapi.json").json()
    parameters = document["paths"]["/predict"]["get"]["parameters"]
    assert [each["name"] for each in parameters] == ["age", "plan", "is_member", "proba"]
    query = {"age": "40.5", "plan": "pro", "is_member": "true", "proba": "1"}
    assert_fits(document, churn_client.get("/predict", params=query), "/predict")
    assert_fits(document, churn_client.get("/predict"), "/predict")


# --- models of every kind


def _kinds() -> dict[str, Any]:
    from sklearn.cluster import KMeans
    from sklearn.datasets import load_iris
    from sklearn.decomposition import PCA
    from sklearn.ensemble import IsolationForest
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.tree import DecisionTreeClassifier

    X, y = load_iris(return_X_y=True)
    names = np.array(["a", "b", "c"])[y]
    return {
        "true or false": LogisticRegression(max_iter=1000).fit(X, y > 0),
        "two numbers": LinearRegression().fit(X, np.column_stack([y, -y])),
        "two classes a row": DecisionTreeClassifier().fit(X, np.column_stack([y, y % 2])),
        "two names a row": DecisionTreeClassifier().fit(X, np.column_stack([names, names])),
        "outliers": IsolationForest(n_estimators=3).fit(X),
        "clusters": KMeans(3, n_init=1).fit(X),
        "numbers": PCA(2).fit(X),
    }


KINDS = ("true or false", "two numbers", "two classes a row", "two names a row", "outliers", "clusters", "numbers")


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Model]:
    folder = tmp_path_factory.mktemp("kinds")
    made = _kinds()
    for name, model in made.items():
        joblib.dump(model, folder / f"{name}.joblib")
    return {name: lading.load(folder / f"{name}.joblib") for name in made}


@pytest.mark.parametrize("kind", KINDS)
def test_answers_of_every_kind_of_model_fit(kinds: dict[str, Model], kind: str, make_http_app: Any, connect: Any):
    client = connect(make_http_app(kinds[kind]))
    document = client.get("/openapi.json").json()
    validate(document)
    rows = [[5.1, 3.5, 1.4, 0.2], [6.2, 2.9, 5.4, 2.1]]
    query = "?proba=1" if kinds[kind].schema.has_probabilities else ""
    for body in ({"X": rows}, dict(zip(("x0", "x1", "x2", "x3"), rows[0], strict=True))):
        answer = client.post(f"/predict{query}", json=body)
        assert answer.status_code == 200
        assert ("probabilities" in answer.json()) == bool(query)
        assert_fits(document, answer, "/predict", "post")
