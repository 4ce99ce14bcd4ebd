"""Request ids: the caller's own, made harmless, or one that is made."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import NamedTuple

MAX_CHARS = 128
_STRANGE = re.compile(r"[^A-Za-z0-9._:/@+=-]")


class Ids(NamedTuple):
    """The id of one request, and the one by which its caller groups requests."""

    request: str
    correlation: str


def ids_of(headers: Iterable[tuple[bytes, bytes]]) -> Ids:
    """The ids in `X-Request-ID`, made where it is missing, and `X-Correlation-ID`, which is else the same."""
    request = correlation = ""
    for name, value in headers:
        if name == b"x-request-id":
            request = harmless(value)
        elif name == b"x-correlation-id":
            correlation = harmless(value)
    request = request or os.urandom(16).hex()
    return Ids(request, correlation or request)


def harmless(value: bytes) -> str:
    """The id without any character that could mean something to a log, a terminal or a header; at most 128 of them."""
    return _STRANGE.sub("", value[: 4 * MAX_CHARS].decode("latin-1"))[:MAX_CHARS]
