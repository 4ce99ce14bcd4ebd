"""The ASGI application: it only assembles."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from lading.http.accounts import Accounts
from lading.http.exchange import ExchangeMiddleware
from lading.http.page import page
from lading.http.routes import Endpoint, PredictRoute, plain_routes
from lading.service import Service


def make_app(service: Service, accounts: Accounts, exposition: Callable[[], bytes]) -> ASGIApp:
    """The application that serves a service; it may be mounted anywhere.

    Args:
        service: what answers; it need not be ready yet.
        accounts: where requests are counted and logged.
        exposition: the counters in Prometheus' text format.
    """

    async def home(request: Request) -> Response:
        return page(service, str(request.url).partition("?")[0])

    told = {"/": home, **plain_routes(service, exposition)}
    routes = [Route(path, _named(path, endpoint), methods=["GET"]) for path, endpoint in told.items()]
    router = Router([*routes, PredictRoute(service)], redirect_slashes=False)
    return ExchangeMiddleware(router, accounts, is_closing=lambda: service.is_draining)


def _named(path: str, endpoint: Endpoint) -> Endpoint:
    """The endpoint, which says its route to the log and the counters before it runs."""

    async def named(request: Request) -> Response:
        request.scope["lading"].route = path
        return await endpoint(request)

    return named
