"""Typed JSON of which nothing is overlooked: every key is known, none stands there twice."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from lading.errors import BrokenInput
from lading.schema.strict import parse_json

_Struct = TypeVar("_Struct", bound=msgspec.Struct)
_MAX_REASON_CHARS = 200


class NotAsExpected(ValueError):
    """It is not JSON, or not of this form; says why in one line."""


def read_strictly(data: bytes, kind: type[_Struct]) -> _Struct:
    """The struct in these bytes.

    Raises:
        NotAsExpected: they are no JSON, or JSON of another form.
    """
    try:
        return msgspec.convert(parse_json(data), kind, strict=True)
    except (BrokenInput, msgspec.ValidationError) as error:
        reason = str(error)[:_MAX_REASON_CHARS]
        raise NotAsExpected(reason if reason.isprintable() else "it has strange characters") from None
