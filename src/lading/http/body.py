"""Receiving a body within bounds: of bytes, before they are kept, and of time."""

from __future__ import annotations

import asyncio
import contextlib
import math

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope

from lading.errors import TooLarge
from lading.http.coding import Expansion, expansion_of
from lading.http.problems import HttpError

_FIRST_S = 10.0
_BYTES_A_SECOND = 256 << 10
_LINGER_S = 2.0


class BodyTooLarge(HttpError):
    """A body of more bytes than one may have; the caller may still be sending it."""

    def __init__(self, detail: str) -> None:
        super().__init__(413, "Too large", detail, "input.too_large", Connection="close")


async def read_body(scope: Scope, receive: Receive, *, max_bytes: int, max_s: float, max_expansion: float) -> bytes:
    """The whole body, expanded where it was sent compressed.

    It may take 10 s and one more for each 256 KiB, `max_s` at most.

    Args:
        scope: of the request.
        receive: gives its body.
        max_bytes: that it may have, both as it was sent and when it is expanded.
        max_s: that it may take to arrive.
        max_expansion: how many times its size a compressed one may become.

    Raises:
        BodyTooLarge: it has, or says that it has, more than it may; not a byte is kept then.
        HttpError: 408 when it takes too long, 415 for a content coding that is not taken.
        BrokenInput: it is compressed, and broken.
        ClientDisconnect: the caller left.
    """
    expansion = expansion_of(scope, max_bytes=max_bytes, max_expansion=max_expansion)
    declared = _declared_bytes(scope)
    if declared is not None and declared > max_bytes:
        raise _too_large(max_bytes)
    expected = max_bytes if declared is None else declared
    try:
        async with asyncio.timeout(min(max_s, _FIRST_S + expected / _BYTES_A_SECOND)):
            return await _collect(receive, max_bytes, expansion)
    except TimeoutError:
        raise HttpError(
            408, "Too slow", "the body took too long to arrive", "input.too_slow", Connection="close"
        ) from None


async def linger(receive: Receive, max_bytes: float = math.inf) -> None:
    """Read on and keep nothing for a moment, so that a caller who still sends gets to read the refusal."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_S):
            left = max_bytes
            while left > 0 and (message := await receive())["type"] == "http.request" and message.get("more_body"):
                left -= len(message.get("body", b""))


async def _collect(receive: Receive, max_bytes: int, expansion: Expansion | None) -> bytes:
    parts: list[bytes] = []
    try:
        await _collect_in(parts, receive, max_bytes, expansion)
        return parts[0] if len(parts) == 1 else b"".join(parts)
    finally:
        parts.clear()  # an error remembers where it was raised, and lives until its answer has been read


async def _collect_in(parts: list[bytes], receive: Receive, max_bytes: int, expansion: Expansion | None) -> None:
    size = 0
    while True:
        message: Message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part = message.get("body", b"")
        size += len(part)
        if size > max_bytes:
            raise _too_large(max_bytes)
        if expansion is None:
            parts.append(part)
        else:
            await _expand(expansion, part, parts)
        if not message.get("more_body"):
            break
    if expansion is not None:
        expansion.finish()


async def _expand(expansion: Expansion, part: bytes, parts: list[bytes]) -> None:
    try:
        for portion in expansion.feed(part):
            parts.append(portion)
            await asyncio.sleep(0)  # for everybody else: all of it may take a while
    except TooLarge as error:
        raise BodyTooLarge(error.message) from None


def _too_large(max_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(f"the body has more than {max_bytes} bytes")


def _declared_bytes(scope: Scope) -> int | None:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else None
    return None
