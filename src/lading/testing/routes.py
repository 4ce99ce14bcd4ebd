"""Cases of the routes: that it lives and is ready, that its documents fit together, and what no route takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from lading.bundle.manifest import ROUTE
from lading.remote.wire import Reply, Request, post_json
from lading.schema.fields import Schema
from lading.testing.case import Case, refusal
from lading.testing.subject import Subject

_DOCUMENTS = ("/metadata", "/schema", "/openapi.json")


def route_cases(subject: Subject) -> Iterator[Case]:
    """That it lives, is ready, and says of itself what it is."""
    for path in ("/health", "/ready"):
        yield Case(f"GET {path}", f"GET {path}", "200", (Request("GET", path),), _is_ok)
    requests = tuple(Request("GET", path) for path in _DOCUMENTS)
    expects = "documents that agree on the route, the columns, the name and the version"
    yield Case("documents", "GET " + ", ".join(_DOCUMENTS), expects, requests, _Documents(subject))
    if subject.digest:
        yield _bundle_case(subject)


def _is_ok(replies: Sequence[Reply]) -> str | None:
    return next((str(reply) for reply in replies if reply.status != 200), None)


class _Documents:
    """Judges what the service says of itself, in three places."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject

    def __call__(self, replies: Sequence[Reply]) -> str | None:
        if (bad := _is_ok(replies)) is not None:
            return bad
        metadata, schema, openapi = (reply.object for reply in replies)
        if schema_in(schema) != self._subject.schema:
            return "another schema from /schema"
        return self._metadata(metadata) or self._openapi(openapi, metadata)

    def _metadata(self, metadata: dict[str, Any]) -> str | None:
        if metadata.get("route", ROUTE) != self._subject.route:
            return "another route in /metadata"
        inputs = metadata.get("inputs")
        names = [field.get("name") for field in inputs if isinstance(field, dict)] if isinstance(inputs, list) else []
        return None if tuple(names) == self._subject.schema.names else "other columns in /metadata"

    def _openapi(self, openapi: dict[str, Any], metadata: dict[str, Any]) -> str | None:
        if not isinstance(_member(openapi, "paths", self._subject.route, "post"), dict):
            return f"no POST {self._subject.route} in /openapi.json"
        columns = _member(openapi, "components", "schemas", "Row", "properties")
        missing = [name for name in self._subject.schema.names if not isinstance(columns, dict) or name not in columns]
        if missing:
            return f"no column `{missing[0]}` in /openapi.json"
        told = [_member(openapi, "info", key) for key in ("title", "version")]
        return None if told == [metadata.get("name"), metadata.get("version")] else "another name in /openapi.json"


def _member(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def schema_in(value: object) -> Schema | None:
    """The schema that `/schema` told; None where it cannot be read."""
    try:
        return msgspec.convert(value, Schema)
    except msgspec.ValidationError:
        return None


def _bundle_case(subject: Subject) -> Case:
    def judge(replies: Sequence[Reply]) -> str | None:
        (reply,) = replies
        is_same = reply.object.get("digest") == f"sha256:{subject.digest}"
        return _is_ok(replies) or (None if is_same else "another digest: another bundle is served there")

    expects = f"the digest of the bundle, {subject.digest[:12]}…"
    return Case("the bundle", "GET /metadata", expects, (Request("GET", "/metadata"),), judge)


def unreadable_cases(subject: Subject) -> Iterator[Case]:
    """Requests that cannot be read at all, or go where nothing is."""
    route = subject.route
    name = msgspec.json.encode(subject.schema.names[0])
    twice = b"{" + name + b":1," + name + b":1}"
    not_json = "application/octet-stream"
    yield refusal("broken JSON", "half an object", post_json(route, b"{" + name), 400, "input.not_json")
    yield refusal("an empty body", "no byte", post_json(route, b""), 400, "input.empty")
    yield refusal("a key twice", "an object with a key twice", post_json(route, twice), 400, "input.duplicate_key")
    request = post_json(route, b"{}", not_json)
    yield refusal("another content type", f"a body of {not_json}", request, 415, "input.content_type")
    request = Request("GET", "/no-such-route-of-lading")
    yield refusal("an unknown route", "GET to a route that is none", request, 404, "route.unknown")
    yield refusal("another method", f"DELETE {route}", Request("DELETE", route), 405, "route.method")
