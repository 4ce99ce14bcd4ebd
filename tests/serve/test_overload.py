"""More than the model can take: what fits is answered rightly, the rest is refused at once, and all of it passes."""

import asyncio
import http.client
import json
import resource
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import joblib
import pytest
from prometheus_client.parser import text_string_to_metric_families

from lading.serve.composition import compose
from lading.serve.server import Server
from lading.settings import Settings

from .conftest import Gate
from .family import private_bytes, until

WAIT_S = 60.0
MIB = 1 << 20
QUEUE_ROWS = 4
HELD = 77
SOON = {"1", "2", "3"}


@dataclass
class Held:
    """A server whose model waits at a gate for the row that is 77."""

    server: Any
    gate: Gate

    def ask(self, x: float, **fields: str) -> http.client.HTTPConnection:
        """Send a request on a connection of its own, and do not wait for the answer."""
        connection = http.client.HTTPConnection(self.server.url.removeprefix("http://"), timeout=WAIT_S)
        head = {"content-type": "application/json"} | {name.replace("_", "-"): value for name, value in fields.items()}
        connection.request("POST", "/predict", json.dumps({"x0": x}), head)
        return connection

    def hold(self, **fields: str) -> http.client.HTTPConnection:
        """Keep the model busy until the gate lets it through."""
        for _ in range(5):  # the model is known to be quick again, however long it was held before
            assert told(self.ask(1))[0] == 200
        held = self.ask(HELD, **fields)
        self.gate.is_entered()
        return held

    def health(self) -> int:
        return httpx.get(f"{self.server.url}/health", timeout=WAIT_S).status_code

    def counted(self, name: str, **labels: str) -> float:
        """What it tells of itself under a name; 0 where that was never counted."""
        text = httpx.get(f"{self.server.url}/metrics", timeout=WAIT_S).text
        samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
        return sum(sample.value for sample in samples if sample.name == name and sample.labels == labels)

    def rows(self) -> float:
        """Rows that have reached the model."""
        return self.counted("lading_rows_total")

    def queued(self) -> float:
        return self.counted("lading_queue_rows")


def told(connection: http.client.HTTPConnection) -> tuple[int, Any, str | None]:
    """The status, what the body says, and `Retry-After`."""
    response = connection.getresponse()
    body = json.loads(response.read())
    connection.close()
    return response.status, body.get("prediction", body.get("code")), response.getheader("retry-after")


@pytest.fixture(scope="module", params=["--lane", "--no-lane"])
def held(
    request: pytest.FixtureRequest, module_start: Any, odd_models: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Held]:
    folder = tmp_path_factory.mktemp("held")
    gate = Gate(folder / "gate")
    joblib.dump(odd_models.Odd(predicts_at=str(gate.folder)).fit(None), folder / "odd.joblib")
    options = ("--inline-s", "0", "--max-queue-rows", str(QUEUE_ROWS), request.param)
    yield Held(module_start(folder / "odd.joblib", *options), gate)
    gate.close()


def test_what_fits_is_answered_rightly_and_the_rest_is_refused_at_once(held: Held):
    first, rows = held.hold(), held.rows()
    inside = [held.ask(x) for x in range(QUEUE_ROWS)]
    until(lambda: held.queued() == QUEUE_ROWS, "the queue is full")
    for x in range(50):  # the model is still held: nobody waits for it
        status, code, pause_s = told(held.ask(100 + x))
        assert (status, code) == (503, "queue_full")
        assert pause_s in SOON
        assert held.health() == 200
    held.gate.release()
    assert told(first) == (200, 2.0 * HELD, None)
    assert [told(each) for each in inside] == [(200, 2.0 * x, None) for x in range(QUEUE_ROWS)]
    assert told(held.ask(21)) == (200, 42.0, None)
    assert held.rows() - rows == 1 + QUEUE_ROWS + 1


def test_who_cannot_wait_is_told_in_time_and_its_rows_never_reach_the_model(held: Held):
    first, rows = held.hold(x_request_timeout_ms="400"), held.rows()
    late = [held.ask(x, x_request_timeout_ms="100") for x in range(QUEUE_ROWS)]
    for each in [*late, first]:
        status, code, pause_s = told(each)
        assert (status, code) == (504, "deadline_exceeded")
        assert pause_s in SOON
    assert held.queued() == 0
    held.gate.release()
    assert told(held.ask(21)) == (200, 42.0, None)
    assert held.rows() - rows == 1 + 1


def test_who_leaves_while_it_waits_makes_room_and_its_rows_never_reach_the_model(held: Held):
    first, rows = held.hold(), held.rows()
    gone = held.counted("lading_requests_total", route="/predict", status="499")
    for leaving in [held.ask(x) for x in range(QUEUE_ROWS)]:
        leaving.close()
    until(
        lambda: held.counted("lading_requests_total", route="/predict", status="499") == gone + QUEUE_ROWS,
        "it is noticed that they left",
    )
    until(lambda: held.queued() == 0, "there is room again")
    stays = [held.ask(x) for x in range(QUEUE_ROWS)]
    until(lambda: held.queued() == QUEUE_ROWS, "others wait")
    held.gate.release()
    assert told(first)[0] == 200
    assert [told(each)[:2] for each in stays] == [(200, 2.0 * x) for x in range(QUEUE_ROWS)]
    assert held.rows() - rows == 1 + QUEUE_ROWS


def test_after_a_flood_the_server_is_as_before(held: Held):
    assert told(held.ask(1))[0] == 200
    before = private_bytes(held.server.process.pid)
    for _ in range(3):
        first = held.hold()
        flood = [held.ask(x) for x in range(150)]
        assert held.health() == 200
        held.gate.release()
        assert told(first)[0] == 200
        answers = [told(each)[:2] for each in flood]
        assert all(answer in ((200, 2.0 * x), (503, "queue_full")) for x, answer in enumerate(answers))
        assert answers.count((503, "queue_full")) > 0
    assert told(held.ask(21)) == (200, 42.0, None)
    assert (held.queued(), held.counted("lading_in_flight")) == (0, 1)
    assert private_bytes(held.server.process.pid) - before < 16 * MIB


# --- connections


def test_connections_that_say_nothing_take_no_room_from_who_does_where_descriptors_are_few(
    start: Any, double_path: Path
):
    limits = (resource.RLIMIT_NOFILE, (256, 256))
    server = start(double_path, before_exec=lambda: resource.setrlimit(*limits))
    port = int(server.url.rpartition(":")[2])
    silent = [socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) for _ in range(400)]
    try:
        for x in range(5):
            answer = httpx.get(f"{server.url}/predict", params={"x": x}, timeout=WAIT_S)
            assert (answer.status_code, answer.json()["prediction"]) == (200, 2.0 * x)
            assert httpx.get(f"{server.url}/health", timeout=WAIT_S).status_code == 200
    finally:
        for connection in silent:
            connection.close()
    assert "Traceback" not in server.log()


# --- the interpreter


def test_a_model_in_its_thread_lets_the_event_loop_go_on_soon():
    server = Server(compose(Settings()))
    server.should_exit = True
    before = sys.getswitchinterval()
    try:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            asyncio.run(server.serve(sockets=[listener]))
        assert sys.getswitchinterval() < 0.001 < before
    finally:
        sys.setswitchinterval(before)
