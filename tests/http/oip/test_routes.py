"""Every route of the protocols, with and without a version, ready or not, and who may ask."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.http.roads import Road
from tests.http.test_admission import House

import lading
from lading import __version__
from lading.bundle.manifest import check_names
from lading.errors import UsageError
from lading.flavors.linear import LinearFile
from lading.http.accounts import Accounts
from lading.http.standby import make_standby

from .conftest import IRIS, tensor

Client = Any

BODY = {"inputs": [tensor("x", [1.5])]}
MODEL = "/v2/models/model"
ASKED = (f"{MODEL}/infer", f"{MODEL}/versions/1.0.0/infer", "/v1/models/model:predict")
TOLD = (
    *("/v2", "/v2/", "/v2/health/live", "/v2/health/ready", "/v2/models", MODEL, f"{MODEL}/ready"),
    *(f"{MODEL}/versions/1.0.0", f"{MODEL}/versions/1.0.0/ready", "/v1/models", "/v1/models/model"),
)


def body_of(path: str) -> Any:
    return {"instances": [[1.5]]} if path.endswith(":predict") else BODY


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/v2", {"name": "lading", "version": __version__, "extensions": []}),
        ("/v2/", {"name": "lading", "version": __version__, "extensions": []}),
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"ready": True, "live": True}),
        ("/v2/models", {"models": ["model"]}),
        (f"{MODEL}/ready", {"name": "model", "ready": True}),
        (f"{MODEL}/versions/1.0.0/ready", {"name": "model", "ready": True}),
        ("/v1/models", {"models": ["model"]}),
        ("/v1/models/model", {"name": "model", "ready": True}),
    ],
)
def test_what_is_told(client: Client, path: str, told: Any):
    assert client.get(path).json() == told
    assert client.request("HEAD", path).status_code == 200


@pytest.mark.parametrize("path", ASKED)
def test_a_model_is_asked_with_and_without_its_version(client: Client, path: str):
    answer = client.post(path, json=body_of(path)).json()
    assert answer.get("predictions") or answer["outputs"][0]["data"] == [3.0]


@pytest.mark.parametrize("path", TOLD)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_what_only_tells_takes_no_other_method(client: Client, error_of: Any, path: str, method: str):
    answer = client.request(method, path)
    error_of(answer, 405)
    assert answer.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("path", ASKED)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_what_is_asked_takes_post_alone(client: Client, error_of: Any, path: str, method: str):
    answer = client.request(method, path)
    error_of(answer, 405)
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize(
    "path",
    [
        *("/v2/models/other", "/v2/models/other/ready", "/v2/models/Model", "/v2/models/model/versions/2"),
        *("/v2/models/model/versions/2/ready", "/v2/models/other/versions/1.0.0", "/v1/models/other"),
        *("/v2/nowhere", "/v2/models/", "/v2/models/model/", "/v1/models/", "/v2/health", "/v2/repository/index"),
        *("/v2/models/model/infer/", "/v2/models/model/stats", "/v2/models/model:predict", "/v1/models/model:explain"),
    ],
)
def test_what_there_is_not_is_not_found(client: Client, error_of: Any, path: str):
    error_of(client.get(path), 404)


@pytest.mark.parametrize(
    "path",
    [
        *("/v2/models/modem/infer", "/v2/models/modem/versions/1.0.0/infer", "/v2/models/model/versions/1.0.1/infer"),
        "/v1/models/modem:predict",
    ],
)
def test_another_model_is_not_asked(client: Client, error_of: Any, path: str):
    assert error_of(client.post(path, json=body_of(path)), 404).startswith("there is no such model")


def test_beside_the_protocol_errors_are_problems(client: Client, problem_of: Any):
    for path in ("/v2x", "/v1", "/v1/model", "/nowhere"):
        problem_of(client.get(path), 404, "route.unknown")


# --- not ready


def test_while_the_model_loads_it_lives_and_is_not_ready(make_http_app: Any, connect: Any, error_of: Any):
    client = connect(make_http_app(None))
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2").status_code == 200
    for path in TOLD[3:]:
        answer = client.get(path)
        assert error_of(answer, 503) == "the model is loading"
        assert answer.headers["retry-after"] in {"1", "2", "3"}
    for path in ASKED:
        assert error_of(client.post(path, json=body_of(path)), 503) == "the model is loading"


def test_before_the_end_it_is_not_ready_and_still_answers(app: Any, client: Client, error_of: Any):
    app.service.stop()
    for path in ("/v2/health/ready", f"{MODEL}/ready", f"{MODEL}/versions/1.0.0/ready", "/v1/models/model"):
        assert error_of(client.get(path), 503) == "the service is stopping"
    for path in (*ASKED, MODEL):
        answer = client.post(path, json=body_of(path)) if path in ASKED else client.get(path)
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")


def test_at_the_end_nothing_is_answered(app: Any, client: Client, error_of: Any):
    app.service.close()
    for path in ASKED:
        assert error_of(client.post(path, json=body_of(path)), 503) == "the service has stopped"


def test_while_nobody_can_answer_it_still_lives(app: Any, connect: Any, error_of: Any):
    standby = make_standby(lambda: "no worker is ready", Accounts(app.counters), bytes, app.admission)
    client = connect(standby)
    assert client.get("/v2/health/live").json() == {"live": True}
    for path in ("/v2/health/ready", MODEL):
        assert error_of(client.get(path), 503) == "no worker is ready"
    assert error_of(client.post(ASKED[0], json=BODY), 503) == "no worker is ready"


# --- metadata


def test_metadata_name_the_columns(iris_client: Client):
    told = iris_client.get("/v2/models/iris").json()
    assert told == iris_client.get("/v2/models/iris/versions/1.0.0").json()
    assert told == {
        "name": "iris",
        "versions": ["1.0.0"],
        "platform": "lading_linear",
        "inputs": [{"name": name, "datatype": "FP64", "shape": [-1]} for name in IRIS],
        "outputs": [
            {"name": "prediction", "datatype": "BYTES", "shape": [-1]},
            {"name": "probabilities", "datatype": "FP64", "shape": [-1, 3]},
        ],
    }


def test_metadata_have_the_datatype_of_each_column(churn_client: Client):
    told = churn_client.get(MODEL).json()
    assert [each["datatype"] for each in told["inputs"]] == ["FP64", "BYTES", "BOOL"]
    assert told["platform"] == "lading_sklearn"


def test_columns_without_names_are_one_tensor(make_http_app: Any, connect: Any, tmp_path: Path):
    model = LinearFile("lading.linear/1", ("x0", "x1"), coef=((2.0, 1.0),), intercept=(0.0,))
    client = connect(make_http_app(lading.load(lading.pack(model, path=tmp_path / "two.lading").path)))
    assert client.get(MODEL).json()["inputs"] == [{"name": "X", "datatype": "FP64", "shape": [-1, 2]}]
    sent = {"inputs": [tensor("X", [[1, 2]], shape=[1, 2])]}
    assert client.post(f"{MODEL}/infer", json=sent).json()["outputs"][0]["data"] == [4.0]


def test_no_model_has_a_route_there(double: Any):
    for route in ("/v2", "/v2/models/x/infer", "/v1/models", "/v1/models/x"):
        with pytest.raises(UsageError, match="is the server's own"):
            check_names(replace(double.manifest, route=route))
    check_names(replace(double.manifest, route="/v1/score"))


def test_all_is_there_under_a_prefix(make_http_app: Any, double: Any, connect: Any, error_of: Any):
    client = connect(make_http_app(double, root_path="/models/x"))
    for prefix in ("", "/models/x"):
        assert client.post(f"{prefix}{MODEL}/infer", json=BODY).status_code == 200
        error_of(client.get(f"{prefix}/v2/nowhere"), 404)


def test_they_are_counted_by_route_and_not_by_name(client: Client):
    client.post(f"{MODEL}/infer", json=BODY)
    client.post("/v2/models/other/infer", json=BODY)
    assert 'route="/v2/models/{name}/infer"' in client.get("/metrics").text
    assert "other" not in client.get("/metrics").text


# --- access


@pytest.fixture(params=[True, False], ids=["lane", "ordinary"])
def house(double: Any, request: pytest.FixtureRequest) -> Iterator[House]:
    with asyncio.Runner() as runner:
        yield House(double, runner, lane=request.param, address_rate_limit="1000/s")


def ask(house: House, word: str, path: str) -> tuple[int, Any]:
    method = "POST" if path in ASKED else "GET"
    return house.ask(
        word, line=f"{method} {path}", body=json.dumps(body_of(path)).encode() if method == "POST" else b""
    )


@pytest.mark.parametrize("path", ["/v2/health/live", "/v2/health/ready"])
def test_health_is_nobodys_secret(house: House, path: str):
    assert [ask(house, word, path)[0] for word in ("", "wrong", "good")] == [200, 200, 200]


@pytest.mark.parametrize("path", [path for path in TOLD if "health" not in path])
def test_what_a_model_is_is_told_to_those_who_may_know(house: House, path: str):
    assert [ask(house, word, path)[0] for word in ("", "wrong", "metrics", "good")] == [401, 401, 403, 200]


@pytest.mark.parametrize("path", ASKED)
def test_predictions_are_for_those_who_may_predict(house: House, path: str):
    for word, status in (("", 401), ("wrong", 401), ("metrics", 403), ("other", 403), ("slow", 200), ("good", 200)):
        told, body = ask(house, word, path)
        assert told == status
        assert list(body) == ["error"] or status == 200


@pytest.mark.parametrize("path", ["/v2/models/other/infer", "/v2/models/model/versions/2/infer", "/v2/nowhere"])
def test_what_there_is_not_is_told_to_those_who_may_ask(house: House, path: str):
    assert [house.ask(word, line=f"POST {path}")[0] for word in ("", "good")] == [401, 404]


def test_refusals_have_the_same_fields(house: House):
    told = house.told("", line=f"POST {ASKED[0]}")
    assert b'\r\nwww-authenticate: Bearer realm="test"\r\n' in told
    answers = [house.told("modest", line=f"POST {ASKED[0]}", body=json.dumps(BODY).encode()) for _ in range(3)]
    assert [answer.split(b" ", 2)[1] for answer in answers] == [b"200", b"200", b"429"]
    for field in (b"retry-after: ", b"ratelimit: ", b"ratelimit-policy: "):
        assert b"\r\n" + field in answers[2].lower()


def test_a_rate_is_one_for_all_dialects(house: House):
    told = [ask(house, "modest", path)[0] for path in ASKED] + [house.ask("modest")[0]]
    assert told == [200, 200, 429, 429]


def test_a_route_may_have_a_rate_of_its_own(double: Any):
    limits = {"/v2/models/{name}/infer": {"rate_limit": "1/m"}}
    with asyncio.Runner() as runner:
        for lane in (True, False):
            house = House(double, runner, lane=lane, routes=limits)
            assert [ask(house, "good", ASKED[0])[0] for _ in range(2)] == [200, 429]
            assert house.ask("good")[0] == 200


# --- a name that a platform has for it

HERE = "/v2/models/churn-eu"
ASKED_HERE = (f"{HERE}/infer", f"{HERE}/versions/1.0.0/infer", "/v1/models/churn-eu:predict")


def test_a_name_that_a_platform_has_is_the_models_in_every_answer(make_http_app: Any, double: Any, connect: Any):
    client = connect(make_http_app(double, served_name="churn-eu"))
    for path in ("/v2/models", "/v1/models"):
        assert client.get(path).json() == {"models": ["churn-eu"]}
    for path in (HERE, f"{HERE}/versions/1.0.0", f"{HERE}/ready", "/v1/models/churn-eu"):
        assert client.get(path).json()["name"] == "churn-eu"
    assert client.post(f"{HERE}/infer", json=BODY).json()["model_name"] == "churn-eu"
    assert client.get("/predict?x=1.5").headers["x-model"] == "model/1.0.0"


@pytest.mark.parametrize("path", ASKED_HERE)
@pytest.mark.parametrize("lane", [True, False])
def test_both_roads_know_it_by_that_name_alone(double: Any, path: str, lane: bool):
    with asyncio.Runner() as runner:
        house = House(double, runner, lane=lane, served_name="churn-eu")
        body = json.dumps(body_of(path)).encode()
        status, answer = house.ask("good", line=f"POST {path}", body=body)
        assert (status, answer.get("model_name", "churn-eu")) == (200, "churn-eu")
        assert house.ask("good", line=f"POST {path.replace('churn-eu', 'model')}", body=body)[0] == 404


def test_whoever_may_predict_with_the_model_may_do_so_by_that_name(double: Any):
    with asyncio.Runner() as runner:
        house = House(double, runner, lane=True, served_name="churn-eu")
        body = json.dumps(BODY).encode()
        told = {word: house.ask(word, line=f"POST {ASKED_HERE[0]}", body=body)[0] for word in ("", "other", "good")}
    assert told == {"": 401, "other": 403, "good": 200}


def test_a_name_is_told_by_nobody_before_there_is_a_model(make_http_app: Any, connect: Any, error_of: Any):
    client = connect(make_http_app(None, served_name="churn-eu"))
    for path in ("/v2/models", HERE, f"{HERE}/ready", "/v1/models/churn-eu"):
        error_of(client.get(path), 503)


def test_such_a_name_takes_the_lane(double: Any, make_http_app: Any, monkeypatch: pytest.MonkeyPatch):
    with asyncio.Runner() as runner:
        road = Road(make_http_app(double, served_name="churn-eu"), lane=True)
        monkeypatch.setattr(road.config, "loaded_app", None)  # whoever took the ordinary road would fail
        body = json.dumps(BODY).encode()
        head = f"POST {ASKED_HERE[0]} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n"
        told = runner.run(road.tell([head.encode() + b"content-type: application/json\r\n\r\n" + body]))
    assert b'"model_name":"churn-eu"' in told.data
