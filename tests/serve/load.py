"""Clients that ask without a pause, each on a connection that it keeps as long as the server lets it."""

import contextlib
import http.client
import json
import threading
from collections import Counter
from collections.abc import Iterator


class Load:
    """What a number of clients were answered.

    Attributes:
        answers: how often each (status, `x-model`) came.
        failures: requests without an answer.
        wrong: answers that are not the double of what was asked.
    """

    def __init__(self, url: str, clients: int) -> None:
        self.answers: Counter[tuple[int, str | None]] = Counter()
        self.failures: list[str] = []
        self.wrong: list[float] = []
        self._address = url.removeprefix("http://")
        self._is_over = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._ask, args=(n,), daemon=True) for n in range(clients)]

    def _ask(self, number: int) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=60)
        asked = 0
        while not self._is_over.is_set():
            asked += 1
            x = number * 1e6 + asked
            try:
                connection.request("POST", "/predict", json.dumps({"x": x}), {"content-type": "application/json"})
                response = connection.getresponse()
                body = json.loads(response.read())
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                self._note(failure=f"{type(error).__name__}: {error}")
                continue
            if response.status == 200 and body["prediction"] != 2 * x:
                self.wrong.append(x)
            self._note(answer=(response.status, response.headers["x-model"]))
        connection.close()

    def _note(self, *, answer: tuple[int, str | None] | None = None, failure: str | None = None) -> None:
        with self._lock:
            if answer is not None:
                self.answers[answer] += 1
            if failure is not None:
                self.failures.append(failure)

    def statuses(self) -> set[int]:
        return {status for status, _ in self.answers}

    def answered(self) -> int:
        return sum(self.answers.values())

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join(60)


@contextlib.contextmanager
def loaded(url: str, clients: int = 4) -> Iterator[Load]:
    """Clients that ask while the block runs."""
    load = Load(url, clients)
    load.start()
    try:
        yield load
    finally:
        load.stop()
