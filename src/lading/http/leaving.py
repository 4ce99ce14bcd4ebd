"""Callers that leave: nobody computes an answer for them that has not begun."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import Receive

PATIENCE_S = 0.05
"""How long an answer may take before anybody looks whether its caller is still there."""

T = TypeVar("T")


async def unless_left(receive: Receive, answer: Awaitable[T]) -> T:
    """The answer, which is cancelled when its caller leaves first; the request's body must have been read.

    Raises:
        ClientDisconnect: the caller left.
    """
    answering = asyncio.current_task()
    assert answering is not None
    watch = _Watch(receive, answering)
    try:
        return await answer
    except asyncio.CancelledError:
        if watch.has_left and answering.uncancel() == 0:
            raise ClientDisconnect from None
        raise
    finally:
        watch.stop()


class _Watch:
    """Waits beside a task, and cancels it when the caller leaves; most tasks are done before it begins."""

    def __init__(self, receive: Receive, task: asyncio.Task[object]) -> None:
        self.has_left = False
        self._receive = receive
        self._task = task
        self._waiting: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(PATIENCE_S, self._begin)

    def stop(self) -> None:
        self._timer.cancel()
        if self._waiting is not None:
            self._waiting.cancel()

    def _begin(self) -> None:
        self._waiting = asyncio.create_task(self._wait())

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.has_left = True
        self._task.cancel()
