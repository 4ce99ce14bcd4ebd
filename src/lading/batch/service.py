"""A running service that answers rows: asked in requests of bounded size, over several connections, and patiently."""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from lading.engine.answers import Answer
from lading.errors import BrokenInput, InputError, LadingError, PredictionFailed
from lading.remote.about import About, answer_key
from lading.remote.wire import Connection, Headers, Reply, Request, post
from lading.schema.problems import Problem
from lading.schema.table import Row
from lading.schema.unusual import Warning
from lading.schema.values import plain_row

REQUEST_ROWS = 500
TIMEOUT_S = 60.0
TRIES = 8
MAX_WAIT_S = 30.0
_LONGEST_WAIT_S = 8.0
_GOES_ON = "the same command goes on from here"
_FIRST_WAIT_S = 0.2
_AGAIN = frozenset({0, 408, 429, 502, 503, 504})
"""Statuses after which the same request may be answered: 0 is none."""
_OF_ALL = frozenset({401, 403, 404, 405, 406, 415})
"""Statuses that any request would get; so is one of another server, to which nobody is sent on."""


class ServiceAnswering:
    """Asks the service at an address; for any number of threads."""

    most_rows = REQUEST_ROWS

    def __init__(self, url: str, headers: Headers, about: About, concurrency: int) -> None:
        self.schema = about.schema
        self._url, self._headers = url, headers
        self._path = about.route
        self._key = answer_key(about.schema, is_single=False)
        self._threads = ThreadPoolExecutor(concurrency, "lading-ask")
        self._idle: deque[Connection] = deque()
        self._is_closed = threading.Event()

    def answer(self, rows: Sequence[Row], *, proba: bool) -> Answer:
        """The service's answer, as the model gave it there."""
        body = {"columns": self.schema.names, "data": [plain_row(row) for row in rows]}
        reply = self._ask(post(f"{self._path}?proba=1" if proba else self._path, body))
        if reply.status != 200:
            raise _error(reply)
        answer = reply.object
        predictions: Any = answer.get(self._key)
        probabilities = answer.get("probabilities") if proba else None
        if not _is_list_of(predictions, len(rows)) or (proba and not _is_list_of(probabilities, len(rows))):
            raise LadingError(f"the service gave another number of answers than the {len(rows)} rows it was asked for")
        return Answer(predictions, probabilities, _warnings(answer))

    def map(self, fn: Callable[[Any], Any], values: Iterable[Any]) -> Iterator[Any]:
        """All values at once, as far as there are connections."""
        return self._threads.map(fn, values)

    def close(self) -> None:
        """Ask nothing more; what is being asked is waited for."""
        self._is_closed.set()
        self._threads.shutdown(cancel_futures=True)
        while self._idle:
            self._idle.pop().close()

    def _ask(self, request: Request) -> Reply:
        """The reply, asked for again while that may help."""
        why = ""
        for attempt in range(TRIES):
            try:
                reply = self._ask_once(request)
            except LadingError as error:
                if attempt == TRIES - 1:
                    raise LadingError(error.message, hint=_GOES_ON) from None
                why, wait_s = error.message, backoff_s(attempt, None)
            else:
                if reply.status not in _AGAIN:
                    return reply
                why, wait_s = str(reply), backoff_s(attempt, reply.headers.get("retry-after"))
            if attempt < TRIES - 1 and self._is_closed.wait(wait_s):
                break
        raise LadingError(f"the service does not answer: {why}, {TRIES} times", hint=_GOES_ON)

    def _ask_once(self, request: Request) -> Reply:
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = Connection(self._url, self._headers, timeout_s=TIMEOUT_S)
        try:
            return connection.ask(request)
        finally:
            self._idle.append(connection)


def backoff_s(attempt: int, retry_after: str | None) -> float:
    """Seconds to wait before the next try: at least what the service says, within bounds, and never the same twice."""
    said = float(retry_after) if retry_after and retry_after.isdecimal() and len(retry_after) < 10 else 0.0
    longest = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2**attempt)
    return min(said, MAX_WAIT_S) + random.uniform(longest / 2, longest)


def _is_list_of(value: Any, count: int) -> bool:
    return isinstance(value, list) and len(value) == count


def _error(reply: Reply) -> LadingError:
    """Why these rows have no answer, or why none will have one."""
    code = reply.object.get("code")
    code = code if isinstance(code, str) else None
    detail = reply.object.get("detail")
    detail = detail if isinstance(detail, str) else f"the service answered {reply.status}"
    if reply.status in _OF_ALL or reply.status < 400:
        return LadingError(f"the service refuses to be asked: {reply}", hint="a key goes into --header")
    if reply.status == 422 and (problems := _problems(reply)):
        total = reply.object.get("total")
        return InputError(problems, total=total if isinstance(total, int) else None)
    return PredictionFailed(detail, code=code) if reply.status >= 500 else BrokenInput(detail, code=code)


def _problems(reply: Reply) -> list[Problem]:
    try:
        return msgspec.convert(reply.problems, list[Problem])
    except msgspec.ValidationError:
        return []


def _warnings(answer: dict[str, Any]) -> list[Warning]:
    try:
        return msgspec.convert(answer.get("warnings", []), list[Warning])
    except msgspec.ValidationError:
        return []
