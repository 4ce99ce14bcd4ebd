"""A route, an output and columns that their author named, on both roads."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.http.roads import Road

import lading
from lading.bundle.declared import Declared

Client = Any
ROUTE = "/api/score"


@pytest.fixture(scope="module")
def score(tmp_path_factory: pytest.TempPathFactory, make_http_app: Any) -> lading.Model:
    """The demo's model, called by names of its author's."""
    model = Path(lading.__file__).with_name("flavors") / "iris.linear.json"
    declared = Declared(
        route=ROUTE, output="species", labels=("A", "B", "C"), metadata={"author": "Jo", "long": "x" * 101}
    )
    path = tmp_path_factory.mktemp("score") / "score.lading"
    return lading.load(lading.pack(model, path=path, declared=declared).path)


@pytest.fixture
def scored(score: lading.Model, make_http_app: Any, connect: Callable[..., Client]) -> Client:
    return connect(make_http_app(score))


FLOWER = [5.1, 3.5, 1.4, 0.2]


def test_the_answer_stands_alone_under_its_name(scored: Client):
    one, many = scored.post(ROUTE, json={"X": [FLOWER]}), scored.post(ROUTE, json={"X": [FLOWER, FLOWER]})
    assert (one.json(), many.json()) == ({"species": ["A"]}, {"species": ["A", "A"]})
    assert len(one.headers["x-request-id"]) == 32


def test_only_the_declared_route_predicts(scored: Client, problem_of: Any):
    problem_of(scored.post("/predict", json={"X": [FLOWER]}), 404, "route.unknown")
    problem_of(scored.request("PUT", ROUTE), 405, "route.method")


def test_what_the_service_says_of_itself_names_route_and_output(scored: Client):
    document = scored.get("/openapi.json").json()
    assert ROUTE in document["paths"]
    assert "/predict" not in document["paths"]
    assert document["components"]["schemas"]["Answer"]["required"] == ["species"]
    assert scored.get("/metadata").json()["route"] == ROUTE
    assert f"{ROUTE} -H" in scored.get("/").text


def test_while_it_loads_no_route_is_unknown(make_http_app: Any, connect: Callable[..., Client], problem_of: Any):
    loading = connect(make_http_app(None))
    problem_of(loading.post("/any/route", json={}), 503, "not_ready")
    assert loading.get("/health").status_code == 200


def test_it_is_the_same_where_it_is_mounted(score: lading.Model, make_http_app: Any, connect: Callable[..., Client]):
    from starlette.applications import Starlette
    from starlette.routing import Mount

    outer = connect(Starlette(routes=[Mount("/models", make_http_app(score).asgi)]))
    assert outer.post(f"/models{ROUTE}", json={"X": [FLOWER]}).json() == {"species": ["A"]}


@pytest.mark.parametrize("lane", [True, False], ids=["lane", "app"])
@pytest.mark.anyio
async def test_both_roads_say_the_same(score: lading.Model, make_http_app: Any, lane: bool):
    app = make_http_app(score)
    body = json.dumps({"X": [FLOWER]})
    head = f"POST {ROUTE} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    told = await Road(app, lane=lane).tell([(head + body).encode()])
    assert told.data.startswith(b"HTTP/1.1 200 OK\r\n")
    assert told.data.endswith(b'\r\n\r\n{"species":["A"]}\n')
    assert app.counters.total("rows") == 1


def test_the_log_says_which_model_answered_with_its_short_facts(score: lading.Model, make_http_app: Any):
    about = msgspec.json.decode(make_http_app(score).service.about)
    assert about == {"name": "iris", "version": "1.0.0", "metadata": {**about["metadata"], "author": "Jo"}}
    assert "long" not in about["metadata"]


@pytest.mark.parametrize(
    "route", ["/metrics", "/v2/models", "predict", "/a//b", "/a b", "/" + "a" * 100, "/é", "/.git"]
)
def test_a_route_that_cannot_be_is_refused_at_packing(route: str, tmp_path: Path):
    model = Path(lading.__file__).with_name("flavors") / "iris.linear.json"
    with pytest.raises(lading.LadingError, match="route"):
        lading.pack(model, path=tmp_path / "m.lading", declared=Declared(route=route))
    assert not (tmp_path / "m.lading").exists()


@pytest.mark.parametrize("output", ["", "id", "warnings", "probabilities", "a\nb", '"', "x" * 64])
def test_an_output_name_that_cannot_be_is_refused_at_packing(output: str, tmp_path: Path):
    model = Path(lading.__file__).with_name("flavors") / "iris.linear.json"
    with pytest.raises(lading.LadingError, match="output's name"):
        lading.pack(model, path=tmp_path / "m.lading", declared=Declared(output=output))


@pytest.mark.parametrize("lane", [True, False], ids=["lane", "app"])
@pytest.mark.anyio
async def test_an_answer_that_cannot_be_written_is_an_error_on_both_roads(
    with_predict: Any, make_http_app: Any, monkeypatch: pytest.MonkeyPatch, lane: bool
):
    app = make_http_app(with_predict(lambda inner, table, proba: inner.predict(table, proba=proba)))
    monkeypatch.setattr(app.service.format, "json", lambda *rest, **named: "\ud800".encode())
    head = b"POST /predict HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 8\r\n\r\n"
    told = await Road(app, lane=lane).tell([head + b'{"x": 1}'])
    assert told.data.startswith(b"HTTP/1.1 500 ")
    assert app.counters.total("in_flight") == 0
