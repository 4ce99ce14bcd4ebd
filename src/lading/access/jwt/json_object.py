"""JSON that somebody else wrote: one object, read so that nobody else reads it in another way."""

from __future__ import annotations

import json
from typing import Any, NoReturn


def parse_object(text: bytes) -> dict[str, Any]:
    """The object that these bytes are.

    Raises:
        ValueError: they are none, or a name stands twice in one; says nothing of what is in them.
    """
    try:
        value = json.loads(text.decode(), object_pairs_hook=_once, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise ValueError("expected one JSON object") from None
    if not isinstance(value, dict):
        raise ValueError("expected one JSON object")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice")
    return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError("NaN and Infinity are no JSON")
