"""Within another application: `lading.asgi(path)` mounted anywhere answers as it does alone."""

from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

import lading
from lading.errors import LadingError
from lading.settings import Settings

Client = Any
ROW = {"sepal length (cm)": 5.1, "sepal width (cm)": 3.5, "petal length (cm)": 1.4, "petal width (cm)": 0.2}


async def home(request: Request) -> PlainTextResponse:
    return PlainTextResponse("home")


@pytest.fixture(scope="module")
def mounted(iris_path: Path) -> Any:
    """An application with a model in it, twice, beside a route of its own."""
    model = lading.asgi(iris_path)
    return Starlette(routes=[Route("/", home), Mount("/models/iris", model), Mount("/again", model)])


@pytest.fixture
def outer(mounted: Any, connect: Any) -> Client:
    return connect(mounted)


@pytest.mark.parametrize("prefix", ["/models/iris", "/again"])
def test_predictions_are_answered_under_the_path(outer: Client, prefix: str):
    answer = outer.post(f"{prefix}/predict?proba=1", json=ROW, headers={"X-Request-ID": "mine"})
    assert (answer.status_code, answer.json()["prediction"], answer.json()["id"]) == (200, "setosa", "mine")
    assert outer.get(f"{prefix}/predict", params=ROW).json()["prediction"] == "setosa"


@pytest.mark.parametrize("route", ["/health", "/ready", "/metadata", "/schema", "/openapi.json", "/metrics", "/"])
def test_every_route_is_there_under_the_path(outer: Client, route: str):
    assert outer.get(f"/models/iris{route}").status_code == 200


def test_refusals_are_problems_under_the_path(outer: Client, problem_of: Any):
    problem_of(outer.get("/models/iris/nowhere"), 404, "route.unknown")
    problem_of(outer.request("DELETE", "/models/iris/predict"), 405, "route.method")
    problem_of(outer.post("/models/iris/predict", json={}), 422, "schema.invalid")


def test_the_page_names_its_own_place(outer: Client):
    assert "curl http://testserver/models/iris/predict " in outer.get("/models/iris/").text


def test_the_rest_of_the_application_is_untouched(outer: Client):
    assert outer.get("/").text == "home"
    answer = outer.get("/nowhere")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/plain; charset=utf-8")
    assert "x-request-id" not in answer.headers


def test_the_settings_are_its_own(iris_path: Path, connect: Any, problem_of: Any):
    client = connect(lading.asgi(iris_path, settings=Settings(max_rows=1)))
    problem_of(client.post("/predict", json=[ROW, ROW]), 413, "input.too_large")


def test_a_model_that_cannot_be_served_is_said_at_once(tmp_path: Path):
    path = tmp_path / "model.joblib"
    path.write_text("no model")
    with pytest.raises(LadingError, match=r"model\.joblib"):
        lading.asgi(path)


def test_a_websocket_is_refused_and_a_lifespan_is_answered(iris_path: Path, connect: Any):
    asgi = lading.asgi(iris_path)
    sent: list[str] = []

    async def send(message: Any) -> None:
        sent.append(message["type"])

    async def receive() -> Any:
        return incoming.pop(0)

    incoming: list[Any] = [{"type": "websocket.connect"}]
    websocket = {"type": "websocket", "path": "/predict", "headers": [], "query_string": b"", "subprotocols": []}
    connect(asgi).run(asgi(websocket, receive, send))
    incoming = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    connect(asgi).run(asgi({"type": "lifespan", "state": {}}, receive, send))
    assert sent == ["websocket.close", "lifespan.startup.complete", "lifespan.shutdown.complete"]
