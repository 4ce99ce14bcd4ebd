"""The routes: each reads its request, asks the service, and writes the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn
from urllib.parse import parse_qsl

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import Receive, Scope, Send

from lading.access.scopes import Operation
from lading.errors import BrokenInput, NotReady, UsageError
from lading.http.accept import accepted
from lading.http.accounts import Exchange
from lading.http.admission import CONFIRM
from lading.http.answers import response_of
from lading.http.body import read_body
from lading.http.content import JSON, content_of
from lading.http.deadline import FIELD, timeout_s
from lading.http.leaving import unless_left
from lading.http.reading import BodyReader
from lading.schema.decode import Decoded
from lading.schema.openapi import openapi
from lading.schema.problems import suggest
from lading.service import Service
from lading.settings import words as words_of

MAX_PARAMETERS = 10_000
PREDICT_METHODS = ("GET", "HEAD", "POST")
_CONTROLS = ("proba",)
_FLAGS = {"1": True, "true": True, "0": False, "false": False}

Endpoint = Callable[[Request], Awaitable[Response]]


class Predict:
    """POST and GET where predictions are asked for, as a plain ASGI application.

    Args:
        service: what answers.
        reader: decodes bodies.
    """

    def __init__(self, service: Service, reader: BodyReader) -> None:
        self._service = service
        self._reader = reader

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a prediction request."""
        exchange: Exchange = scope["lading"]
        may_take_s = asked_timeout_s(scope, self._service)
        kind = accepted(scope["headers"])
        if scope["method"] == "POST":
            proba, decoded = await self._read_post(scope, receive, may_take_s)
        else:
            proba, decoded = self._read_query(scope)
        exchange.rows = len(decoded.rows)
        predicting = self._service.answer(decoded.rows, may_take_s, proba=proba, context=exchange.ids)
        answer = await unless_left(receive, predicting)
        response = await response_of(scope, self._service, kind, answer, is_single=decoded.is_single)
        await response(scope, receive, send)

    async def _read_post(self, scope: Scope, receive: Receive, may_take_s: float) -> tuple[bool, Decoded]:
        content = content_of(scope, self._service.decoder)
        proba = _proba(_query(scope))
        body = await received(scope, receive, self._service)
        return proba, await self._reader.read(content.decode, body, may_take_s, is_quick=content.is_quick)

    def _read_query(self, scope: Scope) -> tuple[bool, Decoded]:
        """Parameters that are columns make the row; what is left controls."""
        decoder = self._service.decoder
        names = set(self._service.schema.names)
        controls: list[tuple[str, str]] = []
        row: list[tuple[str, str]] = []
        for name, value in _query(scope):
            (controls if name in _CONTROLS and name not in names else row).append((name, value))
        return _proba(controls), decoder.query(row)


def asked_timeout_s(scope: Scope, service: Service) -> float:
    """Seconds that the answer to a request may take.

    Raises:
        HttpError: 400 where the request does not say it in milliseconds.
    """
    said = next((value for name, value in scope["headers"] if name == FIELD), b"")
    return timeout_s(said, service.settings.request_timeout_s)


async def received(scope: Scope, receive: Receive, service: Service) -> bytes:
    """The body of a request whose caller may still ask when it is there. Raises as `read_body`, and `Denied`."""
    settings = service.settings
    body = await read_body(
        scope,
        receive,
        max_bytes=settings.max_body_bytes,
        max_s=settings.body_timeout_s,
        max_expansion=settings.max_expansion,
    )
    if CONFIRM in scope:
        await scope[CONFIRM]()
    return body


class PredictRoute(BaseRoute):
    """The route of predictions, which is known as soon as there is a model: until then it is every unknown one."""

    methods = PREDICT_METHODS

    def __init__(self, service: Service, reader: BodyReader) -> None:
        self._service = service
        self._predict = Predict(service, reader)

    @property
    def path(self) -> str:
        """Where it is; empty while there is no model."""
        return self._service.route

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a request is for it, and its method one that is taken."""
        # The application may be mounted in another one, whose part of the path stands in front.
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if scope["type"] != "http" or self._service.route not in ("", path):
            return Match.NONE, {}
        return Match.FULL if scope["method"] in PREDICT_METHODS else Match.PARTIAL, {}

    def url_path_for(self, name: str, /, **path_params: Any) -> NoReturn:
        """Nothing: it has no name."""
        raise NoMatchFound(name, path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["method"] not in PREDICT_METHODS:
            raise HTTPException(405, headers={"Allow": ", ".join(PREDICT_METHODS)})
        await self._predict(scope, receive, send)


def _query(scope: Scope) -> list[tuple[str, str]]:
    try:
        text = scope["query_string"].decode("ascii")
        return parse_qsl(
            text, keep_blank_values=True, strict_parsing=bool(text), errors="strict", max_num_fields=MAX_PARAMETERS
        )
    except ValueError:
        raise BrokenInput("the query string cannot be read", code="input.query") from None


def _proba(pairs: list[tuple[str, str]]) -> bool:
    for name, _ in pairs:
        if name not in _CONTROLS:
            meant = suggest(name, _CONTROLS)
            hint = f": did you mean `{meant}`?" if meant else ""
            raise UsageError(f"an unknown query parameter{hint}", code="query.unknown")
    values = [value.lower() for _, value in pairs]
    if len(values) > 1 or any(value not in _FLAGS for value in values):
        raise UsageError("expected proba=1 or proba=0, once", code="query.proba")
    return bool(values) and _FLAGS[values[0]]


def plain_routes(service: Service, exposition: Callable[[], bytes]) -> dict[str, tuple[Endpoint, Operation]]:
    """The routes that only tell: whether it lives, whether it is ready, what it is; with what each is for access."""

    async def health(request: Request) -> Response:
        return json_response({"status": "alive"})

    async def ready(request: Request) -> Response:
        if not service.is_ready:
            raise NotReady(service.state.value)
        return json_response({"status": "ready"})

    async def metadata(request: Request) -> Response:
        return json_response(service.metadata())

    async def schema(request: Request) -> Response:
        return json_response(service.schema)

    async def openapi_json(request: Request) -> Response:
        manifest = service.manifest
        words = (manifest.name, manifest.version, manifest.class_name)
        settings = service.settings
        methods, prefix = words_of(settings.auth), settings.root_path
        return json_response(openapi(*words, service.schema, route=manifest.route, methods=methods, prefix=prefix))

    async def metrics(request: Request) -> Response:
        return Response(await asyncio.to_thread(exposition), media_type="text/plain; version=0.0.4")

    return {
        "/health": (health, Operation.HEALTH),
        "/ready": (ready, Operation.HEALTH),
        "/metadata": (metadata, Operation.DESCRIBE),
        "/schema": (schema, Operation.DESCRIBE),
        "/openapi.json": (openapi_json, Operation.DESCRIBE),
        "/metrics": (metrics, Operation.METRICS),
    }


def json_response(value: object) -> Response:
    """An answer of JSON."""
    return Response(msgspec.json.encode(value) + b"\n", media_type=JSON)
