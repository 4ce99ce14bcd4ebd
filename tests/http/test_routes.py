"""Every route by every method, ready or not."""

import shlex
from html import unescape
from typing import Any

import pytest

import lading
from lading.errors import FormatError

Client = Any

ROUTES = ("/predict", "/health", "/ready", "/metadata", "/schema", "/openapi.json", "/metrics", "/")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")


def allowed(route: str) -> tuple[str, ...]:
    return ("GET", "HEAD", "POST") if route == "/predict" else ("GET", "HEAD")


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("method", METHODS)
def test_each_route_takes_its_methods_and_no_other(client: Client, problem_of: Any, route: str, method: str):
    url = f"{route}?x=1" if route == "/predict" and method != "POST" else route
    answer = client.request(method, url, json={"x": 1} if method == "POST" else None)
    if method in allowed(route):
        assert answer.status_code == 200
    else:
        problem_of(answer, 405, "route.method")
        assert answer.headers["allow"] == ", ".join(allowed(route))


@pytest.mark.parametrize("path", ["/predict/", "/PREDICT", "/docs", "/..%2f..%2fetc%2fpasswd", "/%00", "/a\\b"])
def test_any_other_path_is_not_found(client: Client, problem_of: Any, path: str):
    for method in ("GET", "POST"):
        body = problem_of(client.request(method, path), 404, "route.unknown")
        assert body["detail"] == "there is no such route; / and /openapi.json name those that are"


def test_health_says_that_the_process_is_alive(client: Client):
    assert client.get("/health").json() == {"status": "alive"}


def test_ready_says_that_predictions_are_answered(client: Client):
    assert client.get("/ready").json() == {"status": "ready"}


def test_metadata_and_schema_tell_what_the_model_is(iris_client: Client):
    metadata, schema = iris_client.get("/metadata").json(), iris_client.get("/schema").json()
    assert (metadata["name"], metadata["version"]) == ("iris", "1.0.0")
    assert metadata["inputs"] == schema["inputs"]
    assert schema["inputs"][0]["name"] == "sepal length (cm)"
    assert schema["outputs"][0]["classes"] == ["setosa", "versicolor", "virginica"]


# --- not ready


@pytest.fixture
def loading(make_http_app: Any) -> Any:
    return make_http_app(None)


@pytest.fixture
def failed(make_http_app: Any) -> Any:
    def load() -> Any:
        raise FormatError("the file /secret/model.joblib is broken")

    app = make_http_app(None)
    with pytest.raises(FormatError):
        app.service.start(load)
    return app


@pytest.mark.parametrize("state", ["loading", "failed"])
def test_while_there_is_no_model_only_health_and_metrics_are_answered(
    request: pytest.FixtureRequest, connect: Any, problem_of: Any, state: str
):
    client = connect(request.getfixturevalue(state))
    assert client.get("/health").status_code == client.get("/metrics").status_code == 200
    told = {"loading": "the model is loading", "failed": "the model failed to load"}[state]
    for route in ("/ready", "/metadata", "/schema", "/openapi.json", "/predict?x=1"):
        answer = client.get(route)
        assert problem_of(answer, 503, "not_ready")["detail"] == told
        assert answer.headers["retry-after"] in {"1", "2", "3"}
    problem_of(client.post("/predict", json={"x": 1}), 503, "not_ready")


@pytest.mark.parametrize("state", ["loading", "failed"])
def test_while_there_is_no_model_the_page_says_so(request: pytest.FixtureRequest, connect: Any, state: str):
    answer = connect(request.getfixturevalue(state)).get("/")
    assert answer.status_code == 503
    assert answer.headers["content-type"].startswith("text/html")
    assert "the model" in answer.text


def test_before_the_end_ready_is_false_and_predictions_are_still_answered(app: Any, client: Client, problem_of: Any):
    app.service.stop()
    problem_of(client.get("/ready"), 503, "not_ready")
    assert client.post("/predict", json={"x": 1}).json()["prediction"] == 2.0


def test_at_the_end_nothing_is_predicted(app: Any, client: Client, problem_of: Any):
    app.service.close()
    body = problem_of(client.post("/predict", json={"x": 1}), 503, "not_ready")
    assert body["detail"] == "the service has stopped"


# --- the page


def test_the_page_tells_the_inputs_and_a_request_that_can_be_pasted(iris_client: Client):
    answer = iris_client.get("/", params={"a": "1"})
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "curl http://testserver/predict " in answer.text
    assert "sepal length (cm)" in answer.text


@pytest.mark.parametrize("host", ['"><script>', "a'b", "[", "$(id)", "example.org:99999"])
def test_a_strange_host_cannot_change_the_page(client: Client, host: str):
    answer = client.get("/", headers={"host": host})
    assert answer.status_code == 200
    assert "<script>" not in answer.text
    command = unescape(answer.text.partition("<pre>")[2].partition("</pre>")[0]).replace("\\\n", "")
    words = shlex.split(command)
    assert (words[0], words[2::2]) == ("curl", ["-H", "-d"])
    assert shlex.join(words).split() == command.split()


def test_names_of_columns_cannot_change_the_page(make_http_app: Any, connect: Any, tmp_path: Any):
    from lading.flavors.linear import LinearFile

    model = LinearFile("lading.linear/1", ("<b>'x'</b>",), coef=((1.0,),), intercept=(0.0,))
    path = lading.pack(model, path=tmp_path / "m.lading").path
    text = connect(make_http_app(lading.load(path))).get("/").text
    assert "<b>" not in text
    assert "&lt;b&gt;" in text
