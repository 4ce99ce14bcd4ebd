"""How a server stops: what is in flight is answered, and nothing keeps it when it is told twice."""

import http.client
import json
import signal
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

WAIT_S = 60.0


def ask(server: Any, pool: ThreadPoolExecutor, x: float) -> "Future[httpx.Response]":
    """A request in flight, on a connection of its own."""
    return pool.submit(httpx.get, f"{server.url}/predict", params={"x0": x}, timeout=WAIT_S)


@pytest.fixture
def pool() -> Any:
    with ThreadPoolExecutor(8) as pool:
        yield pool


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_signal_ends_it_with_zero_and_no_word(start: Any, double_path: Path, number: signal.Signals):
    server = start(double_path)
    with server.client() as client:
        assert client.get("/predict?x=1").status_code == 200
        server.signal(number)
        assert server.wait() == 0
    assert "Traceback" not in server.log()
    assert "error" not in server.log()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_is_in_the_model_and_in_the_queue_is_answered_before_the_end(
    start: Any, odd_path: Path, gate: Any, pool: ThreadPoolExecutor, number: signal.Signals
):
    server = start(odd_path, "--inline-s", "0")
    in_model = ask(server, pool, 77)
    gate.is_entered()
    in_queue = http.client.HTTPConnection("127.0.0.1", int(server.url.rpartition(":")[2]), timeout=WAIT_S)
    in_queue.request("GET", "/predict?x0=4")
    with server.client() as client:
        for _ in range(2):  # whoever came before has been read when these are answered
            client.get("/health")
    server.signal(number)
    until_refused(server)
    gate.release()
    assert in_model.result(WAIT_S).json()["prediction"] == 154.0
    answer = in_queue.getresponse()
    assert (answer.status, json.loads(answer.read())["prediction"]) == (200, 8.0)
    in_queue.close()
    assert server.wait() == 0


def until_refused(server: Any) -> None:
    """Wait until nobody new is listened to."""
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        try:
            httpx.get(f"{server.url}/health", timeout=WAIT_S)
        except httpx.TransportError:
            return
    raise AssertionError("it still listens")


def test_nobody_is_refused_on_an_open_connection_while_it_stops(start: Any, double_path: Path):
    server = start(double_path)
    statuses: list[int] = []
    begun = threading.Event()

    def hammer() -> None:
        with server.client() as client:
            while True:
                try:
                    statuses.append(client.get("/predict?x=1").status_code)
                except httpx.TransportError:
                    return
                if len(statuses) > 20:
                    begun.set()

    threads = [threading.Thread(target=hammer, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert begun.wait(WAIT_S)
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    for thread in threads:
        thread.join(WAIT_S)
    assert set(statuses) == {200}


def test_a_second_signal_ends_it_at_once_while_the_model_hangs(
    start: Any, odd_path: Path, gate: Any, pool: ThreadPoolExecutor
):
    server = start(odd_path, "--inline-s", "0", "--request-timeout-s", "1000", "--shutdown-s", "1000")
    hanging = ask(server, pool, 77)
    gate.is_entered()
    server.signal(signal.SIGTERM)
    until_refused(server)
    assert server.process.poll() is None
    server.signal(signal.SIGTERM)
    assert server.wait() == 1
    assert "error: stopped before 1 request was answered" in server.log()
    assert "Traceback" not in server.log()
    assert isinstance(hanging.exception(WAIT_S), httpx.TransportError) or hanging.result().status_code == 503


def test_the_grace_ends_too_and_who_still_waits_is_told(
    start: Any, odd_path: Path, gate: Any, pool: ThreadPoolExecutor
):
    server = start(odd_path, "--inline-s", "0", "--request-timeout-s", "1000", "--shutdown-s", "1")
    hanging = ask(server, pool, 77)
    gate.is_entered()
    server.signal(signal.SIGTERM)
    assert server.wait() == 1
    assert hanging.result(WAIT_S).status_code == 503
    assert hanging.result().json()["detail"] == "the service has stopped"


def test_a_signal_while_the_model_loads_does_not_wait_for_it(
    start: Any, waiting_path: Path, gate: Any, a_free_port: Any
):
    server = start(waiting_path, is_awaited=False, port=a_free_port())
    gate.is_entered()
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    assert "Traceback" not in server.log()


def test_a_deadline_is_kept_while_the_model_hangs_and_probes_are_answered(
    start: Any, odd_path: Path, gate: Any, pool: ThreadPoolExecutor
):
    server = start(odd_path, "--inline-s", "0", "--request-timeout-s", "0.2")
    hanging = ask(server, pool, 77)
    gate.is_entered()
    waiting = ask(server, pool, 4)
    with server.client() as client:
        assert client.get("/health").status_code == client.get("/ready").status_code == 200
    assert hanging.result(WAIT_S).status_code == waiting.result(WAIT_S).status_code == 504
    assert hanging.result().json()["detail"] == "the deadline passed in the model"
    assert waiting.result().json()["detail"] == "the deadline passed in the queue"
    gate.release()
    assert ask(server, pool, 5).result(WAIT_S).json()["prediction"] == 10.0
