"""A service whose columns are looked up: every road of a request, and everything that it says of itself."""

import asyncio
import io
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import openapi_spec_validator
import pyarrow
import pytest

import lading
from lading.engine.model import Model
from lading.errors import UsageError
from lading.monitor.counters import SharedCounters
from lading.monitor.slots import Slots
from lading.serve.composition import compose
from lading.service import Service
from lading.settings import Settings

SRC = Path(lading.__file__).parents[1]


class Client:
    """A client of a service, in an event loop of its own."""

    def __init__(self, model: Model, **settings: Any) -> None:
        self.composition = compose(Settings(**settings))
        self.composition.service.start(lambda: model)
        transport = httpx.ASGITransport(self.composition.app)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://testserver")
        self._runner = asyncio.Runner()

    def get(self, path: str) -> httpx.Response:
        return self._runner.run(self._client.get(path))

    def post(self, body: Any, **rest: Any) -> httpx.Response:
        said = {"content": body} if isinstance(body, bytes | str) else {"json": body}
        return self._runner.run(self._client.post("/predict", **said, **rest))

    def close(self) -> None:
        self._runner.run(self._client.aclose())
        self._runner.close()
        self.composition.service.close()


@pytest.fixture
def connect() -> Iterator[Callable[..., Client]]:
    clients: list[Client] = []

    def make(model: Model, **settings: Any) -> Client:
        clients.append(Client(model, **settings))
        return clients[-1]

    yield make
    for each in clients:
        each.close()


@pytest.fixture
def client(connect: Callable[..., Client], homes: Model, url: str) -> Client:
    return connect(homes, features_url=url)


@pytest.fixture
def bundle(pack_homes: Callable[..., Path]) -> Path:
    return pack_homes()


def arrow(**columns: list[Any]) -> bytes:
    body, table = io.BytesIO(), pyarrow.table(columns)
    with pyarrow.ipc.new_stream(body, table.schema) as writer:
        writer.write_table(table)
    return body.getvalue()


CSV = {"content-type": "text/csv"}
ARROW = {"content-type": "application/vnd.apache.arrow.stream"}
GOOD = [
    ([{"district_id": "M1", "rooms": 2}, {"rooms": 1, "district_id": "M2"}], {}),
    ({"instances": [["M1", 2], ["M2", 1]]}, {}),
    ({"X": [["M1", 2], ["M2", 1]]}, {}),
    ({"columns": ["rooms", "district_id"], "data": [[2, "M1"], [1, "M2"]]}, {}),
    (b"rooms,district_id\n2,M1\n1,M2\n", CSV),
    (arrow(rooms=[2, 1], district_id=["M1", "M2"]), ARROW),
]


@pytest.mark.parametrize(("body", "headers"), GOOD)
def test_rows_are_completed_in_every_shape(client: Client, body: Any, headers: dict[str, str]):
    answer = client.post(body, headers=headers)
    assert answer.json()["predictions"] == [432.0, 651.0]


def test_one_row_is_completed_and_one_of_query_parameters(client: Client):
    assert client.post({"district_id": "M1", "rooms": 2}).json()["prediction"] == 432.0
    assert client.get("/predict?district_id=M2&rooms=1").json()["prediction"] == 651.0


UNKNOWN = [
    ({"district_id": "canary", "rooms": 2}, {}, [0]),
    (
        [{"district_id": f"canary{n}" if n else "M1", "rooms": n} for n in range(3)],
        {},
        [1, 2],
    ),
    ({"instances": [["M1", 2], ["canary", 1]]}, {}, [1]),
    ({"X": ["canary", 2]}, {}, [0]),
    ({"columns": ["rooms", "district_id"], "data": [[2, "canary"], [1, "M2"]]}, {}, [0]),
    (b"rooms,district_id\n2,M1\n1,canary\n", CSV, [1]),
    (arrow(rooms=[2, 1], district_id=["canary", "M2"]), ARROW, [0]),
]


@pytest.mark.parametrize(("body", "headers", "rows"), UNKNOWN)
def test_keys_that_are_not_known_are_told_with_their_rows(client: Client, body: Any, headers: Any, rows: Any):
    answer = client.post(body, headers=headers)
    told = answer.json()
    assert (answer.status_code, told["code"], told["total"]) == (422, "schema.invalid", len(rows))
    assert [problem["row"] for problem in told["errors"]] == rows
    assert {(problem["code"], problem["column"]) for problem in told["errors"]} == {
        ("features.unknown_key", "district_id")
    }
    assert "canary" not in answer.text


def test_keys_that_are_not_known_are_told_of_query_parameters_and_of_many_rows(client: Client):
    assert client.get("/predict?district_id=M9&rooms=1").json()["errors"][0]["row"] == 0
    told = client.post([{"district_id": f"K{n}", "rooms": n} for n in range(5000)]).json()
    assert (told["total"], len(told["errors"])) == (5000, 100)


def test_a_column_that_is_looked_up_is_none_of_the_request(client: Client):
    answer = client.post({"district_id": "M1", "rooms": 2, "crime_rate": 1})
    (problem,) = answer.json()["errors"]
    assert (problem["code"], problem["column"]) == ("schema.unknown_column", "crime_rate")
    assert client.post({"distric_id": "M1", "rooms": 2}).json()["errors"][0]["suggestion"] == "district_id"


def test_everything_that_it_says_of_itself_is_of_requests(client: Client, canary: str):
    schema, metadata, openapi = (client.get(path).json() for path in ("/schema", "/metadata", "/openapi.json"))
    assert [field["name"] for field in schema["inputs"]] == ["district_id", "rooms"]
    assert [field["name"] for field in metadata["inputs"]] == ["district_id", "rooms"]
    assert metadata["features"] == {"district": {"key": "district_id", "columns": ["crime_rate", "school_score"]}}
    assert openapi["components"]["schemas"]["Row"]["required"] == ["district_id", "rooms"]
    openapi_spec_validator.validate(openapi)
    page = client.get("/").text
    assert "district_id" in page
    assert "SELECT" not in page + str(metadata) + str(schema) + str(openapi)


def test_a_store_that_is_down_is_503_and_what_is_remembered_is_answered(client: Client, database: Path):
    client.post({"district_id": "M1", "rooms": 2})
    database.unlink()
    answer = client.post({"district_id": "M2", "rooms": 2})
    assert (answer.status_code, answer.json()["code"]) == (503, "features.unavailable")
    assert int(answer.headers["retry-after"]) >= 1
    assert client.post({"district_id": "M1", "rooms": 1}).json()["prediction"] == 431.0
    assert client.get("/ready").status_code == 200
    metrics = client.get("/metrics").text
    assert 'lading_features_hits_total{lookup="district"} 1.0' in metrics
    assert 'lading_features_failures_total{lookup="district"} 1.0' in metrics
    assert 'lading_refusals_total{code="features.unavailable"} 1.0' in metrics


def test_a_store_that_never_answers_is_over_with_the_deadline(
    connect: Callable[..., Client], homes: Model, silent_port: int
):
    client = connect(homes, features_url=f"postgresql://127.0.0.1:{silent_port}/db", features_timeout_s=0.2)
    body = {"district_id": "M1", "rooms": 2}
    assert client.post(body).json()["code"] == "features.unavailable"
    late = client.post(body, headers={"x-request-timeout-ms": "50"})
    assert (late.status_code, late.json()["code"]) == (504, "deadline_exceeded")


def test_a_value_that_does_not_fit_is_500_with_the_column(connect: Callable[..., Client], pack_homes: Any, url: str):
    sql = "SELECT district_id, 'canary' AS crime_rate, 1 AS school_score FROM districts WHERE district_id IN (:keys)"
    client = connect(lading.load(pack_homes(sql=sql)), features_url=url)
    answer = client.post({"district_id": "M1", "rooms": 2})
    assert (answer.status_code, answer.json()["code"]) == (500, "features.invalid")
    assert "`crime_rate`" in answer.json()["detail"]
    assert "canary" not in answer.text


def test_a_service_that_nobody_gave_a_store_does_not_start(homes: Model):
    with pytest.raises(UsageError, match="looks features up"):
        Service(Settings(), SharedCounters(Slots.create(1), 0)).start(lambda: homes)


def test_predictions_offline_are_asked_with_the_models_own_columns(homes: Model):
    assert homes.predict({"rooms": 2, "crime_rate": 3, "school_score": 4}).tolist() == [432.0]


# --- as processes


def environment(**extra: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LADING_")}
    return kept | {"PYTHONPATH": str(SRC), "LADING_DRAIN_S": "0"} | extra


@pytest.fixture
def run_lading() -> Callable[..., Any]:
    def run(*arguments: object, **extra: str) -> Any:
        command = [sys.executable, "-m", "lading", *map(str, arguments)]
        return subprocess.run(command, env=environment(**extra), capture_output=True, text=True, timeout=60)

    return run


@pytest.mark.parametrize("workers", [1, 2])
def test_without_an_address_it_does_not_start_and_says_what_is_missing(
    bundle: Path, run_lading: Callable[..., Any], workers: int
):
    done = run_lading("serve", bundle, "--port", 0, "--workers", workers)
    assert done.returncode == 2
    assert done.stderr.endswith(
        "error: the model looks features up in a database, and `features_url` does not say where that is\n"
        "  --features-url sqlite:///features.db, or LADING_FEATURES_URL=postgresql://…\n"
    )


def test_two_workers_look_up_and_keep_their_contract(
    bundle: Path, postgresql: Any, run_lading: Callable[..., Any], canary: str
):
    command = [sys.executable, "-m", "lading", "serve", str(bundle), "--port", "0", "--workers", "2"]
    surroundings = environment(LADING_FEATURES_URL=postgresql.url)
    with subprocess.Popen(command, env=surroundings, stdout=-1, stderr=-1, text=True) as server:
        watchdog = threading.Timer(60, server.kill)
        watchdog.start()
        try:
            assert server.stdout is not None
            printed = ""
            while not printed.rstrip().endswith("}'"):
                printed += (line := server.stdout.readline())
                assert line, server.communicate()
            address = printed.split("  open      ")[1].split()[0]
            asked = [httpx.post(f"{address}/predict", json={"district_id": "M1", "rooms": 2}) for _ in range(8)]
            assert {answer.json()["prediction"] for answer in asked} == {432.0}
            live = run_lading("check", "--http", address)
            both = run_lading("check", bundle, "--http", address)
            told = "".join(httpx.get(f"{address}{path}").text for path in ("/metadata", "/metrics", "/", "/schema"))
            postgresql.kill()
            refused = httpx.post(f"{address}/predict", json={"district_id": "M2", "rooms": 2})
        finally:
            watchdog.cancel()
            server.terminate()
            rest, log = server.communicate(timeout=60)
    assert "features  crime_rate, school_score by district_id" in printed
    assert (live.returncode, both.returncode) == (0, 0), live.stdout + both.stdout
    assert refused.json()["code"] == "features.unavailable"
    assert canary not in printed + told + rest + log + refused.text
    assert server.returncode == 0
