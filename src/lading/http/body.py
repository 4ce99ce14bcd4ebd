"""Receiving a body within bounds: of bytes, before they are kept, and of time."""

from __future__ import annotations

import asyncio
import contextlib

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope

from lading.http.problems import HttpError

_FIRST_S = 10.0
_BYTES_A_SECOND = 256 << 10
_LINGER_S = 2.0


class BodyTooLarge(HttpError):
    """A body of more bytes than one may have; the caller may still be sending it."""

    def __init__(self, max_bytes: int) -> None:
        detail = f"the body has more than {max_bytes} bytes"
        super().__init__(413, "Too large", detail, "input.too_large", Connection="close")


async def read_body(scope: Scope, receive: Receive, *, max_bytes: int, max_s: float) -> bytes:
    """The whole body.

    It may take 10 s and one more for each 256 KiB, `max_s` at most.

    Raises:
        BodyTooLarge: it has, or says that it has, more than `max_bytes`; not a byte is kept then.
        HttpError: 408 when it takes too long.
        ClientDisconnect: the caller left.
    """
    declared = _declared_bytes(scope)
    if declared is not None and declared > max_bytes:
        raise BodyTooLarge(max_bytes)
    expected = max_bytes if declared is None else declared
    try:
        async with asyncio.timeout(min(max_s, _FIRST_S + expected / _BYTES_A_SECOND)):
            return await _collect(receive, max_bytes)
    except TimeoutError:
        raise HttpError(
            408, "Too slow", "the body took too long to arrive", "input.too_slow", Connection="close"
        ) from None


async def linger(receive: Receive) -> None:
    """Read on and keep nothing for a moment, so that a caller who still sends gets to read the refusal."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_S):
            while (message := await receive())["type"] == "http.request" and message.get("more_body"):
                pass


async def _collect(receive: Receive, max_bytes: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message: Message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part = message.get("body", b"")
        size += len(part)
        if size > max_bytes:
            raise BodyTooLarge(max_bytes)
        parts.append(part)
        if not message.get("more_body"):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def _declared_bytes(scope: Scope) -> int | None:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else None
    return None
