"""Request ids: the caller's own, made harmless, or one that is made."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

import msgspec

MAX_CHARS = 128
_STRANGE = re.compile(r"[^A-Za-z0-9._:/@+=-]")


class Ids(msgspec.Struct, frozen=True, gc=False):
    """The id of one request, and the one by which its caller groups requests."""

    request: str
    correlation: str


def ids_of(headers: Iterable[tuple[bytes, bytes]], *, make: bool = True) -> Ids:
    """The ids in `X-Request-ID`, made where it is missing, and `X-Correlation-ID`, which is else the same.

    Without `make` those that are missing are empty.
    """
    request = correlation = ""
    for name, value in headers:
        if name == b"x-request-id":
            request = harmless(value)
        elif name == b"x-correlation-id":
            correlation = harmless(value)
    if not make:
        return Ids(request, correlation)
    request = request or new_id()
    return Ids(request, correlation or request)


_ID_CHARS = 32
_POOL_IDS = 128
_pool: list[str] = []


def new_id() -> str:
    """A random id, 128 bits in hex; many are drawn at once, because each draw asks the system."""
    try:
        return _pool.pop()
    except IndexError:
        drawn = os.urandom(_POOL_IDS * _ID_CHARS // 2).hex()
        _pool.extend(drawn[start : start + _ID_CHARS] for start in range(0, len(drawn), _ID_CHARS))
        return _pool.pop()


# A worker must not give the ids that its master drew, nor those of its siblings.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.clear)


def harmless(value: bytes) -> str:
    """The id without any character that could mean something to a log, a terminal or a header; at most 128 of them."""
    return _STRANGE.sub("", value[: 4 * MAX_CHARS].decode("latin-1"))[:MAX_CHARS]
