"""What the log says of a model with each request."""

from __future__ import annotations

import msgspec

from lading.bundle.manifest import Manifest

_MAX_FACTS = 16
_MAX_CHARS = 100


def about(manifest: Manifest) -> msgspec.Raw:
    """The model's name and version and the short ones of its metadata, as JSON: it is written again and again."""
    short = {name: value for name, value in manifest.metadata.items() if _is_short(value)}
    metadata = dict(list(short.items())[:_MAX_FACTS])
    told = {"name": manifest.name, "version": manifest.version, **({"metadata": metadata} if metadata else {})}
    return msgspec.Raw(msgspec.json.encode(told))


def _is_short(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= _MAX_CHARS
    return isinstance(value, bool | int | float)
