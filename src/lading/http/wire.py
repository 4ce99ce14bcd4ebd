"""Answers as bytes, for where no ASGI server writes them."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from lading.http.ids import Ids

Fields = Iterable[tuple[bytes, bytes]]

CLOSE = b"connection: close\r\n"


def response_bytes(response: Response, before: Fields, ids: Ids, *, is_closing: bool, after: bytes = b"") -> bytes:
    """A whole answer, with the fields in the order in which the application's own server writes them.

    Args:
        response: what is answered.
        before: fields of the server's own.
        ids: of the request.
        is_closing: the connection ends with this answer.
        after: the last fields, as bytes.
    """
    has_close = False
    parts = [STATUS_LINE[response.status_code]]
    for name, value in (*before, *response.raw_headers):
        has_close = has_close or name == b"connection"
        parts += (name, b": ", value, b"\r\n")
    parts.append(ids_bytes(ids))
    if is_closing and not has_close:
        parts.append(CLOSE)
    parts += (after, b"\r\n", bytes(response.body))
    return b"".join(parts)


def ids_bytes(ids: Ids) -> bytes:
    """The fields that every answer has."""
    return b"x-request-id: %b\r\nx-correlation-id: %b\r\n" % (ids.request.encode(), ids.correlation.encode())
