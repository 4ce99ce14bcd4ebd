"""The routes of the Open Inference Protocol over REST, and of KServe's V1."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from lading import __version__
from lading.access.scopes import Operation
from lading.errors import NotReady
from lading.http.content import JSON, check_json
from lading.http.dialect import Dialect
from lading.http.leaving import unless_left
from lading.http.oip import paths
from lading.http.oip.infer import Infer
from lading.http.oip.metadata import model_metadata
from lading.http.oip.predict import Predict
from lading.http.problems import HttpError
from lading.http.reading import BodyReader
from lading.http.routes import Endpoint, asked_timeout_s, json_response, received
from lading.service import Service

_SERVER = {"name": "lading", "version": __version__, "extensions": []}


class ProtocolRoute(Route):
    """A route with what is done there, for access; no name of a model in its path has a colon, as a verb has.

    Args:
        path: where it is.
        endpoint: what answers.
        operation: what is done.
        method: that it takes.
    """

    def __init__(self, path: str, endpoint: Endpoint | ASGIApp, operation: Operation, method: str = "GET") -> None:
        super().__init__(path, endpoint, methods=[method])
        self.operation = operation

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a request is for it."""
        match, found = super().matches(scope)
        return (Match.NONE, {}) if ":" in found.get("path_params", {}).get("name", "") else (match, found)


def protocol_routes(service: Service, reader: BodyReader) -> list[ProtocolRoute]:
    """All of them."""
    infer = Asking(service, reader, lambda: Infer(service))
    predict = Asking(service, reader, lambda: Predict(service))
    asked = {paths.INFER: infer, paths.INFER_VERSION: infer, paths.PREDICT: predict}
    ask = [ProtocolRoute(path, endpoint, Operation.PREDICT, "POST") for path, endpoint in asked.items()]
    return [*_server_routes(service), *ask, *_model_routes(service)]


def _server_routes(service: Service) -> list[ProtocolRoute]:
    async def server(request: Request) -> Response:
        return json_response(_SERVER)

    async def live(request: Request) -> Response:
        return json_response({"live": True})

    async def ready(request: Request) -> Response:
        _check_ready(service)
        return json_response({"ready": True, "live": True})

    async def models(request: Request) -> Response:
        return json_response({"models": [paths.name_of(service)]})

    return [
        ProtocolRoute("/v2", server, Operation.DESCRIBE),
        ProtocolRoute("/v2/", server, Operation.DESCRIBE),
        ProtocolRoute(paths.LIVE, live, Operation.HEALTH),
        ProtocolRoute(paths.READY, ready, Operation.HEALTH),
        ProtocolRoute(paths.MODELS, models, Operation.DESCRIBE),
        ProtocolRoute(paths.V1_MODELS, models, Operation.DESCRIBE),
    ]


def _model_routes(service: Service) -> list[ProtocolRoute]:
    async def metadata(request: Request) -> Response:
        check_model(request.scope, service)
        return json_response(model_metadata(paths.name_of(service), service.manifest, service.schema))

    async def ready(request: Request) -> Response:
        _check_ready(service)
        check_model(request.scope, service)
        return json_response({"name": paths.name_of(service), "ready": True})

    return [
        ProtocolRoute(paths.MODEL, metadata, Operation.DESCRIBE),
        ProtocolRoute(paths.VERSION, metadata, Operation.DESCRIBE),
        # Whoever is told whether a model is ready is told that there is one, and its version: that is no public health.
        ProtocolRoute(f"{paths.MODEL}/ready", ready, Operation.DESCRIBE),
        ProtocolRoute(f"{paths.VERSION}/ready", ready, Operation.DESCRIBE),
        ProtocolRoute(paths.V1_MODEL, ready, Operation.DESCRIBE),
    ]


_BINARY = b"inference-header-content-length"
"""https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md"""


def _check_ready(service: Service) -> None:
    if not service.is_ready:
        raise NotReady(service.state.value)


def check_model(scope: Scope, service: Service) -> None:
    """Nothing, for a path that names the model that there is, and its version if any.

    Raises:
        NotReady: there is none yet.
        HttpError: 404 for another one.
    """
    named, version = scope["path_params"], service.manifest.version
    if named["name"] != paths.name_of(service) or named.get("version", version) != version:
        detail = "there is no such model, or not in this version; /v2/models names the one there is"
        raise HttpError(404, "Not found", detail, code="model.unknown")


def _refuse_binary(scope: Scope) -> None:
    """Nothing, for a body that is JSON alone; clients of Triton put tensors behind it unless they are told not to.

    Raises:
        HttpError: 415, with what such a client is told.
    """
    if any(name == _BINARY for name, _ in scope["headers"]):
        detail = "binary tensors are not taken: send `data` as JSON; clients of Triton say binary_data=False"
        raise HttpError(415, "Content type not taken", detail, code="input.content_type")


class Asking:
    """POST where a dialect of JSON alone is spoken, as a plain ASGI application.

    Args:
        service: what answers.
        reader: decodes bodies.
        make: makes the dialect, once there is a model.
    """

    def __init__(self, service: Service, reader: BodyReader, make: Callable[[], Dialect]) -> None:
        self._service = service
        self._reader = reader
        self._make = make

    @cached_property
    def _dialect(self) -> Dialect:
        return self._make()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for predictions."""
        service, exchange = self._service, scope["lading"]
        check_model(scope, service)
        may_take_s = asked_timeout_s(scope, service)
        is_quick = not service.decoder.takes_images
        _refuse_binary(scope)
        check_json(scope)
        body = await received(scope, receive, service)
        asked = await self._reader.read(self._dialect.read, body, may_take_s, is_quick=is_quick)
        exchange.rows = len(asked.rows)
        answering = service.answer(asked.rows, may_take_s, proba=asked.proba, context=exchange.ids)
        answer = await unless_left(receive, answering)
        response = Response(self._dialect.write(answer, asked, exchange.ids.request), media_type=JSON)
        response.headers["x-model"] = service.label
        await response(scope, receive, send)
