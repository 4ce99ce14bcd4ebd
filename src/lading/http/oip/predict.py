"""KServe's first protocol: `{"instances": […]}` is asked, and `{"predictions": […]}` answered."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from starlette.responses import Response

from lading.engine.answers import Answer
from lading.errors import InputError, LadingError
from lading.http.dialect import Asked
from lading.http.oip.refusals import refusal
from lading.http.oip.tensors import wrong
from lading.schema.strict import parse_json
from lading.service import Service

_BEGINS = re.compile(rb'\s*\{\s*"instances"\s*:\s*\[')
_encode = msgspec.json.Encoder().encode


class Predict:
    """The dialect of `:predict`; see `lading.http.dialect.Dialect`.

    Args:
        service: what answers; it has its model.
    """

    def __init__(self, service: Service) -> None:
        self._decoder = service.decoder

    def read(self, body: bytes) -> Asked:
        """What a request asks for."""
        if _BEGINS.match(body):
            try:
                decoded = self._decoder.json(body)
                if not decoded.is_single:
                    return Asked(decoded.rows)
            except InputError:  # there may be other keys behind it, which are ignored
                pass
        return Asked(self._decoder.value({"instances": _instances(parse_json(body))}).rows)

    def write(self, answer: Answer, asked: Asked, request_id: str) -> bytes:
        """The predictions."""
        return b'{"predictions":%b}\n' % _encode(answer.predictions)

    def refuse(self, error: LadingError, request_id: str) -> Response:
        """The error, in the words of the protocol."""
        return refusal(error, request_id)


def _instances(value: Any) -> list[Any]:
    found = value.get("instances") if isinstance(value, dict) else None
    if isinstance(found, list):
        return found
    spot = ("instances",) if isinstance(value, dict) else ()
    raise InputError(
        [wrong(spot, "a list of rows" if spot else "an object with `instances`", found if spot else value)]
    )
