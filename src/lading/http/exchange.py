"""What surrounds every request: its ids, its log line, its counter, and that every error becomes a problem."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lading.errors import LadingError, NotReady, PredictionFailed, Refused
from lading.http.access import AccessLog, Entry
from lading.http.body import BodyTooLarge, linger
from lading.http.ids import Ids, ids_of
from lading.http.problems import HttpError, problem

if TYPE_CHECKING:
    # The engine stays out of a process that only stands by.
    from lading.service import Counters

logger = logging.getLogger(__name__)

_CLOSED_BY_CALLER = 499
"""nginx's status for a caller that left before its answer; only logged, never sent."""
_UNFORESEEN = "internal"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})


@dataclass
class Exchange:
    """One request and what is known about its answer; routes find it in `scope["lading"]`."""

    ids: Ids
    start: float
    route: str = "unknown"
    rows: int = 0
    status: int = 0
    code: str = ""


class ExchangeMiddleware:
    """The outermost layer, pure ASGI: nothing is buffered.

    Args:
        app: what is inside.
        counters: where requests are counted.
        is_closing: whether callers are to go elsewhere: their connections end with their answers.
    """

    def __init__(self, app: ASGIApp, counters: Counters, *, is_closing: Callable[[], bool]) -> None:
        self._app = app
        self._counters = counters
        self._is_closing = is_closing
        self._log = AccessLog()
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; other kinds of connection go through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(ids_of(scope["headers"]), time.perf_counter())
        scope["lading"] = exchange
        self._note_in_flight(1)
        # Starlette's router raises for an unknown route or method only within an application; else it answers itself.
        scope.setdefault("app", self)
        try:
            await self._answer(exchange, scope, receive, send)
        except ClientDisconnect:
            exchange.status = _CLOSED_BY_CALLER
        finally:
            self._close(exchange, scope["method"])

    async def _answer(self, exchange: Exchange, scope: Scope, receive: Receive, send: Send) -> None:
        sender = _Sender(exchange, send, is_closing=self._is_closing)
        try:
            await self._app(scope, receive, sender)
        except ClientDisconnect:
            raise
        except asyncio.CancelledError:
            # The server stops and waits no longer.
            if not sender.has_begun:
                await _send_problem(NotReady("the service has stopped"), exchange, scope, receive, sender)
            raise
        except Exception as error:
            if sender.has_begun:
                raise
            told = _told(error)
            exchange.code = told.code
            self._note(exchange, told, error)
            await _send_problem(told, exchange, scope, receive, sender)

    def _note(self, exchange: Exchange, told: LadingError, error: Exception) -> None:
        if isinstance(told, Refused):
            self._counters.add("refusals", told.code)
        cause = told.__cause__ if isinstance(told, PredictionFailed) else error if told.code == _UNFORESEEN else None
        if cause is not None:
            logger.error("request %s failed: %s", exchange.ids.request, frames_of(cause))

    def _note_in_flight(self, difference: int) -> None:
        self._in_flight += difference
        self._counters.set("in_flight", self._in_flight)

    def _close(self, exchange: Exchange, method: str) -> None:
        method = method if method in _METHODS else "OTHER"
        duration_s = time.perf_counter() - exchange.start
        self._note_in_flight(-1)
        self._counters.add("requests", f"{exchange.route} {exchange.status}")
        self._counters.observe("request_seconds", duration_s, exchange.route)
        self._log.add(
            Entry(
                time=time.time(),
                method=method,
                route=exchange.route,
                status=exchange.status,
                rows=exchange.rows,
                duration_ms=round(duration_s * 1000, 3),
                request_id=exchange.ids.request,
                correlation_id=exchange.ids.correlation,
                code=exchange.code,
            )
        )


class _Sender:
    """Adds to the answer's headers what every answer has, and notes its status."""

    def __init__(self, exchange: Exchange, send: Send, *, is_closing: Callable[[], bool]) -> None:
        self._exchange = exchange
        self._send = send
        self._is_closing = is_closing
        self.has_begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_begun = True
            self._exchange.status = message["status"]
            ids = self._exchange.ids
            message["headers"] = [
                *message.get("headers", ()),
                (b"x-request-id", ids.request.encode()),
                (b"x-correlation-id", ids.correlation.encode()),
            ]
            if self._is_closing():
                message["headers"].append((b"connection", b"close"))
        await self._send(message)


def _told(error: Exception) -> LadingError:
    """The error that the caller is told: its own, or for anything unforeseen only that there was one."""
    if isinstance(error, LadingError):
        return error
    if isinstance(error, HTTPException) and error.status_code == 404:
        return HttpError(
            404, "Not found", "there is no such route; / and /openapi.json name those that are", "route.unknown"
        )
    if isinstance(error, HTTPException) and error.status_code == 405:
        allowed = ", ".join(sorted((error.headers or {}).get("Allow", "").split(", ")))
        return HttpError(405, "Method not allowed", f"this route takes {allowed}", "route.method", Allow=allowed)
    return LadingError("an internal error; the log has it under this id", code=_UNFORESEEN)


async def _send_problem(
    error: LadingError, exchange: Exchange, scope: Scope, receive: Receive, sender: _Sender
) -> None:
    response = problem(error, exchange.ids.request)
    if not isinstance(error, BodyTooLarge):
        await response(scope, receive, sender)
        return
    # The refusal is complete before the rest of the body is read and thrown away, and only then does the answer end.
    await sender({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
    await sender({"type": "http.response.body", "body": response.body, "more_body": True})
    await linger(receive)
    await sender({"type": "http.response.body", "body": b"", "more_body": False})


def frames_of(error: BaseException) -> str:
    """The traceback without the messages of its exceptions, which may repeat values: kinds, files, lines."""
    seen: BaseException | None = error
    parts, told = [], set()
    while seen is not None and id(seen) not in told:
        told.add(id(seen))
        frames = "".join(traceback.format_tb(seen.__traceback__))
        parts.append(f"{type(seen).__name__}\n{frames}".rstrip())
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return "\ncaused by ".join(parts)
