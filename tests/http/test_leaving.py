"""Callers that leave: while they send, while they wait, at the end; nobody works for them, and nobody else notices."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.requests import ClientDisconnect

from lading.http import leaving as leaving_module
from lading.http.leaving import unless_left

pytestmark = pytest.mark.anyio


class Caller:
    """A caller that leaves when it is told to."""

    def __init__(self) -> None:
        self.leaves = asyncio.Event()
        self.is_watched = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        self.is_watched.set()
        await self.leaves.wait()
        return {"type": "http.disconnect"}


@pytest.fixture
def caller() -> Caller:
    return Caller()


async def test_an_answer_that_comes_soon_is_given_and_nobody_looked(caller: Caller):
    async def answer() -> int:
        return 7

    assert await unless_left(caller.receive, answer()) == 7
    assert not caller.is_watched.is_set()


async def test_an_answer_that_takes_long_is_given_to_who_stays(caller: Caller):
    async def answer() -> int:
        await asyncio.wait_for(caller.is_watched.wait(), 20)
        return 7

    assert await unless_left(caller.receive, answer()) == 7


async def test_the_answer_is_cancelled_for_who_leaves(caller: Caller):
    cancelled = asyncio.Event()

    async def answer() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    waiting = asyncio.create_task(unless_left(caller.receive, answer()))
    caller.leaves.set()
    with pytest.raises(ClientDisconnect):
        await asyncio.wait_for(waiting, 20)
    assert cancelled.is_set()
    assert waiting.cancelling() == 0


async def test_a_task_that_is_cancelled_from_elsewhere_stays_cancelled(caller: Caller):
    waiting = asyncio.create_task(unless_left(caller.receive, asyncio.Event().wait()))
    await asyncio.wait_for(caller.is_watched.wait(), 20)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert waiting.cancelled()


async def test_an_error_of_the_answer_is_raised(caller: Caller):
    async def answer() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await unless_left(caller.receive, answer())


async def test_nobody_is_left_watching(caller: Caller):
    async def answer() -> None:
        await asyncio.wait_for(caller.is_watched.wait(), 20)

    before = asyncio.all_tasks()
    await unless_left(caller.receive, answer())
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


# --- through the application


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Holds the model while 77 is in its batch."""
    gate = threading.Event()
    yield gate
    gate.set()


@pytest.fixture
def slow(make_http_app: Any, with_predict: Any, gate: threading.Event) -> Any:
    def predict(inner: Any, table: Any, proba: bool) -> Any:
        asked.extend(table.matrix[:, 0].tolist())
        if 77.0 in asked[-table.rows :]:
            assert gate.wait(20)
        return inner.predict(table, proba=proba)

    asked: list[float] = []
    app = make_http_app(with_predict(predict), inline_s=0.0)
    app.asked = asked
    asked.clear()
    return app


async def until(is_so: Any) -> None:
    async with asyncio.timeout(20):
        while not is_so():
            await asyncio.sleep(0.001)


async def test_who_leaves_in_the_queue_is_skipped_and_the_others_get_their_own(
    slow: Any, raw: Any, gate: threading.Event
):
    requests = [raw(b'{"x": %d}' % number) for number in (77, 5, 6)]
    first = asyncio.create_task(requests[0].run(slow.asgi))
    await until(lambda: slow.asked == [77.0])
    gone, stays = (asyncio.create_task(request.run(slow.asgi)) for request in requests[1:])
    requests[1].left.set()
    answer = await gone
    assert (answer.status, answer.body) == (0, b"")
    gate.set()
    assert b'"prediction":154.0' in (await first).body
    assert b'"prediction":12.0' in (await stays).body
    assert slow.asked == [77.0, 6.0]


async def test_who_left_is_logged_and_counted_and_nothing_is_sent(
    slow: Any, raw: Any, gate: threading.Event, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    requests = [raw(b'{"x": %d}' % number) for number in (77, 5)]
    first = asyncio.create_task(requests[0].run(slow.asgi))
    await until(lambda: slow.asked == [77.0])
    requests[1].left.set()
    await requests[1].run(slow.asgi)
    gate.set()
    await first
    await asyncio.sleep(0)
    entries = [entry for record in caplog.records for entry in getattr(record, "entries", ())]
    assert sorted(entry.status for entry in entries) == [200, 499]
    assert slow.counters.total("requests", "/predict 499") == 1


async def test_who_leaves_while_sending_is_logged_as_gone(app: Any, raw: Any):
    request = raw()
    request.messages = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    assert (await request.run(app.asgi)).status == 0
    assert app.counters.total("requests", "/predict 499") == 1


async def test_many_callers_of_whom_some_leave_get_their_own(app: Any, raw: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(leaving_module, "PATIENCE_S", 0.0)
    requests = [raw(b'{"x": %d}' % number) for number in range(64)]
    tasks = [asyncio.create_task(request.run(app.asgi)) for request in requests]
    for position, request in enumerate(requests):
        if position % 3 == 0:
            request.left.set()
            await asyncio.sleep(0)
    for position, task in enumerate(tasks):
        answer = await task
        assert answer.status in ((0, 200) if position % 3 == 0 else (200,))
        if answer.status:
            assert b'"prediction":%d.0,' % (2 * position) in answer.body


# --- a server that stops


async def test_a_request_that_is_cancelled_is_told_that_the_service_has_stopped(
    slow: Any, raw: Any, gate: threading.Event
):
    request = raw(b'{"x": 77}')
    task = asyncio.create_task(request.run(slow.asgi))
    await until(lambda: slow.asked == [77.0])
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert request.answer.status == 503
    assert b"the service has stopped" in request.answer.body
    assert request.answer.is_complete
