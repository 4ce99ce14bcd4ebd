"""The ASGI application: it only assembles."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from lading.access.access import Access
from lading.access.scopes import Operation
from lading.http.accounts import Accounts
from lading.http.admission import Admission, Secured
from lading.http.exchange import ExchangeMiddleware
from lading.http.oip.routes import protocol_routes
from lading.http.page import page
from lading.http.prefix import PrefixMiddleware
from lading.http.reading import BodyReader
from lading.http.routes import PREDICT_METHODS, Endpoint, PredictRoute, plain_routes
from lading.http.token import Grant, token_endpoint
from lading.service import Service
from lading.settings import words

TOKEN_PATH = "/oauth/token"


class Application(NamedTuple):
    """The application, and the routes that it has.

    Attributes:
        asgi: what answers.
        routes: by path and methods, with what is done there.
        admission: the door of them all.
    """

    asgi: ASGIApp
    routes: tuple[Secured, ...]
    admission: Admission


def make_app(
    service: Service,
    accounts: Accounts,
    exposition: Callable[[], bytes],
    access: Access,
    *,
    grant: Grant | None = None,
) -> Application:
    """The application that serves a service; it may be mounted anywhere.

    Args:
        service: what answers; it need not be ready yet.
        accounts: where requests are counted and logged.
        exposition: the counters in Prometheus' text format.
        access: who may ask.
        grant: gives tokens; None where there are none.
    """
    settings = service.settings
    admission = Admission(access, lambda: service.name, lambda: service.settings)

    async def home(request: Request) -> Response:
        return page(service, admission.url_of(request.scope))

    def secured(path: str, endpoint: Endpoint, operation: Operation, method: str = "GET") -> Secured:
        return Secured(Route(path, endpoint, methods=[method]), operation, admission)

    routes = [secured("/", home, Operation.DESCRIBE)]
    routes += [secured(path, *told) for path, told in plain_routes(service, exposition).items()]
    if grant is not None:
        endpoint = token_endpoint(grant, access, admission.address_of)
        routes.append(secured(TOKEN_PATH, endpoint, Operation.TOKEN, "POST"))
    reader = BodyReader()
    routes += [Secured(route, route.operation, admission) for route in protocol_routes(service, reader)]
    routes.append(Secured(PredictRoute(service, reader), Operation.PREDICT, admission))

    router = Router(routes, redirect_slashes=False)

    async def unknown(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await admission.admit(scope, None)
        await router.not_found(scope, receive, send)

    router.default = unknown
    app: ASGIApp = ExchangeMiddleware(router, accounts, is_closing=lambda: service.is_draining)
    if settings.cors_origins:
        # Around all that answers: a page that may not read a problem would be told of a broken network.
        app = CORSMiddleware(
            app,
            allow_origins=words(settings.cors_origins),
            allow_methods=PREDICT_METHODS,
            allow_headers=["authorization", "content-type", "x-api-key", "x-correlation-id", "x-request-id"],
            expose_headers=["retry-after", "x-correlation-id", "x-model", "x-request-id"],
        )
    app = PrefixMiddleware(app, settings.root_path) if settings.root_path else app
    return Application(app, tuple(routes), admission)
