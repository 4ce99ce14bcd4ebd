"""What the service at an address says of itself, read as carefully as a bundle is."""

from __future__ import annotations

from typing import Any

import msgspec

from lading.bundle.manifest import ROUTE, Manifest, check_names
from lading.errors import LadingError, UsageError
from lading.remote.wire import Headers, Reply, Request, ask
from lading.schema.fields import PREDICTION, Schema


class About(msgspec.Struct, frozen=True):
    """What a service says of itself.

    Attributes:
        schema: what it takes and gives.
        route: where it predicts.
        digest: of what it serves; empty where it does not say.
        keys: columns by which it looks others up.
    """

    schema: Schema
    route: str
    digest: str = ""
    keys: tuple[str, ...] = ()


def about_service(url: str, headers: Headers | None = None) -> About:
    """What the service at an address says of itself.

    Raises:
        LadingError: nothing answers there, or what answers is no service of Lading.
    """
    schema = _get(url, "/schema", headers).json
    metadata = _get(url, "/metadata", headers).object
    known = {"name": "live", "version": "0", "flavor": "", "model": "", "class_name": ""}
    try:
        manifest = msgspec.convert(known | {"schema": schema, "route": metadata.get("route", ROUTE)}, Manifest)
        # What a bundle may not have is not taken from a service either.
        check_names(manifest)
    except (msgspec.ValidationError, UsageError):
        message = "what /schema and /metadata say cannot be read"
        raise LadingError(message, hint="is it a service of Lading, and of this version?") from None
    digest = metadata.get("digest")
    return About(manifest.model_schema, manifest.route, digest if isinstance(digest, str) else "", _keys(metadata))


def _keys(metadata: dict[str, Any]) -> tuple[str, ...]:
    try:
        lookups = msgspec.convert(metadata.get("features", {}), dict[str, dict[str, Any]])
    except msgspec.ValidationError:
        return ()
    return tuple(str(lookup.get("key")) for lookup in lookups.values())


def answer_key(schema: Schema, *, is_single: bool) -> str:
    """The member of an answer that has the prediction: an author's name for it is the same for one row and for many."""
    name = schema.outputs[0].name
    return "predictions" if name == PREDICTION and not is_single else name


def _get(url: str, path: str, headers: Headers | None) -> Reply:
    reply = ask(url, Request("GET", path), headers)
    if reply.status != 200:
        raise LadingError(f"expected 200 from {path}, got {reply}", hint="is it a service of Lading, and is it ready?")
    return reply
