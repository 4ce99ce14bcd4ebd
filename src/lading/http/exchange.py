"""What surrounds every request: its ids, its log line, its counter, and that every error is told."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lading.errors import Denied, LadingError, NotReady, RateLimited
from lading.http.accounts import CLOSED_BY_CALLER, Accounts, Exchange, told
from lading.http.body import BodyTooLarge, linger
from lading.http.ids import ids_of
from lading.http.oip.refusals import refuser_of
from lading.http.problems import HttpError

_MANY_BYTES = 64 << 10


class ExchangeMiddleware:
    """The outermost layer, pure ASGI: nothing is buffered.

    Args:
        app: what is inside.
        accounts: where requests are counted and logged.
        is_closing: whether callers are to go elsewhere: their connections end with their answers.
    """

    def __init__(self, app: ASGIApp, accounts: Accounts, *, is_closing: Callable[[], bool]) -> None:
        self._app = app
        self._accounts = accounts
        self._is_closing = is_closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; other kinds of connection go through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = self._accounts.open(ids_of(scope["headers"]))
        scope["lading"] = exchange
        # Starlette's router raises for an unknown route or method only within an application; else it answers itself.
        scope.setdefault("app", self)
        try:
            await self._answer(exchange, scope, receive, send)
        except ClientDisconnect:
            exchange.status = CLOSED_BY_CALLER
        finally:
            self._accounts.close(exchange, scope["method"])

    async def _answer(self, exchange: Exchange, scope: Scope, receive: Receive, send: Send) -> None:
        sender = _Sender(exchange, send, self._is_closing, lambda: self._accounts.close(exchange, scope["method"]))
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
            refusal = _told(error)
            self._accounts.fail(exchange, refusal, error)
            await _send_problem(refusal, exchange, scope, receive, sender)


class _Sender:
    """Adds to the answer's headers what every answer has, and notes its status and its end."""

    def __init__(
        self, exchange: Exchange, send: Send, is_closing: Callable[[], bool], close: Callable[[], None]
    ) -> None:
        self._exchange = exchange
        self._send = send
        self._is_closing = is_closing
        self._close = close
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
        elif not message.get("more_body", False):
            self._close()
        await self._send(message)


def _told(error: Exception) -> LadingError:
    """The error that the caller is told: its own, or for anything unforeseen only that there was one."""
    if isinstance(error, HTTPException) and error.status_code == 404:
        return HttpError(
            404, "Not found", "there is no such route; / and /openapi.json name those that are", "route.unknown"
        )
    if isinstance(error, HTTPException) and error.status_code == 405:
        allowed = ", ".join(sorted((error.headers or {}).get("Allow", "").split(", ")))
        return HttpError(405, "Method not allowed", f"this route takes {allowed}", "route.method", Allow=allowed)
    return told(error)


def _leaves_body(error: LadingError, scope: Scope) -> bool:
    """Whether a body is unread that is too large to be read only to be thrown away, for the sake of the connection."""
    if isinstance(error, BodyTooLarge):
        return True
    return isinstance(error, Denied | RateLimited) and _body_bytes(scope) > _MANY_BYTES


def _body_bytes(scope: Scope) -> float:
    """How many bytes the body has, as far as the head tells."""
    fields = dict(scope["headers"])
    if b"transfer-encoding" in fields:
        return math.inf
    length = fields.get(b"content-length", b"")
    return int(length) if length.isdigit() else 0


async def _send_problem(
    error: LadingError, exchange: Exchange, scope: Scope, receive: Receive, sender: _Sender
) -> None:
    response = refuser_of(scope)(error, exchange.ids.request)
    if not _leaves_body(error, scope):
        await response(scope, receive, sender)
        return
    # The refusal is complete before the rest of the body is read and thrown away, and only then does the answer end.
    headers = [field for field in response.raw_headers if field[0] != b"connection"] + [(b"connection", b"close")]
    await sender({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await sender({"type": "http.response.body", "body": response.body, "more_body": True})
    await linger(receive, max_bytes=math.inf if isinstance(error, BodyTooLarge) else _MANY_BYTES)
    await sender({"type": "http.response.body", "body": b"", "more_body": False})
