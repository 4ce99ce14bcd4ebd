"""What is answered while no worker can: that the server lives, its metrics, and to everything else `not now`."""

from __future__ import annotations

from collections.abc import Callable

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from lading.access.scopes import Operation
from lading.errors import NotReady
from lading.http.accounts import Accounts
from lading.http.admission import Admission
from lading.http.exchange import ExchangeMiddleware
from lading.http.oip import paths


def make_standby(
    reason: Callable[[], str], accounts: Accounts, exposition: Callable[[], bytes], admission: Admission
) -> ASGIApp:
    """The application that answers in the place of one that is not there yet, or no more.

    It loads nothing of the engine. Every connection is closed with its answer, so that the next request finds whoever
    is ready by then.

    Args:
        reason: says why nothing is predicted.
        accounts: where requests are counted and logged.
        exposition: the counters in Prometheus' text format.
        admission: says who may see them.
    """

    known = {"/health", "/ready", "/metrics", "/predict", paths.LIVE, paths.READY}
    alive = {"/health": b'{"status":"alive"}\n', paths.LIVE: b'{"live":true}\n'}

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        path, is_reading = scope["path"].removeprefix(scope.get("root_path", "")), scope["method"] in ("GET", "HEAD")
        scope["lading"].route = path if path in known else "unknown"
        if path in alive and is_reading:
            await Response(alive[path], media_type="application/json")(scope, receive, send)
        elif path == "/metrics" and is_reading:
            await admission.admit(scope, Operation.METRICS)
            await Response(exposition(), media_type="text/plain; version=0.0.4")(scope, receive, send)
        else:
            raise NotReady(reason())

    return ExchangeMiddleware(answer, accounts, is_closing=lambda: True)
