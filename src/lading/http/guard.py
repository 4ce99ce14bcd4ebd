"""The server protocol's own rules, for every request on either road: bounds, deadlines, and no two readings.

What a head may be is decided here, before anything in it is acted upon. Where two readers could disagree about where a
request ends (RFC 9112, section 11.2: request smuggling), it is refused and the connection ends.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from lading.http.problems import HttpError

MAX_TARGET_BYTES = 8 << 10
MAX_FIELDS = 64

Fields = Sequence[tuple[bytes, bytes]]
"""Names in lower case, with their values."""

_DIGITS = re.compile(rb"[0-9]{1,18}")
_TARGET = re.compile(rb"/[!\"$-~]*|[a-z][a-z0-9+.-]*://[!\"$-~]+", re.IGNORECASE)
_HOST = re.compile(rb"[A-Za-z0-9.:\[\]_~!$&'()*+,;=%-]*")
_ONCE = frozenset({b"host", b"content-length", b"content-type", b"transfer-encoding"})
_FRAMING = frozenset({b"content_length", b"transfer_encoding"})
"""What some servers behind a proxy read as the field with a dash."""

_CONTROL = re.compile(rb"%(?:[01][0-9A-Fa-f]|7[Ff])")
"""A byte of a path that means a line end, or nothing that a path is made of."""


class Malformed(HttpError):
    """A request that could be read in two ways, or in none."""

    def __init__(self, detail: str) -> None:
        super().__init__(400, "The request cannot be read", detail, "request.malformed", Connection="close")


class TooManyBytes(HttpError):
    """A head that is larger than one may be."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(status, "Too large", detail, "request.head_too_large", Connection="close")


class TooSlow(HttpError):
    """A head that takes too long to arrive."""

    def __init__(self) -> None:
        detail = "the head of the request took too long to arrive"
        super().__init__(408, "Too slow", detail, "request.too_slow", Connection="close")


def check_head(method: bytes, target: bytes, version: str, fields: Fields) -> None:
    """Nothing, for a head that every server reads as this one does.

    Raises:
        Malformed: it is ambiguous or against RFC 9112; says why.
    """
    if version not in ("1.0", "1.1"):
        raise Malformed("the version of HTTP is neither 1.0 nor 1.1")
    _check_target(method, target)
    names = [name for name, _ in fields]
    for name in _ONCE:
        if names.count(name) > 1:
            raise Malformed(f"`{name.decode()}` stands twice")
    if not _FRAMING.isdisjoint(names):
        raise Malformed("a name with an underscore that means framing elsewhere")
    values = dict(fields)
    if version == "1.1" and b"host" not in values:
        raise Malformed("`host` is missing")
    if not _HOST.fullmatch(values.get(b"host", b"")):
        raise Malformed("`host` is not the name of a host")
    _check_framing(version, values)


def _check_target(method: bytes, target: bytes) -> None:
    if method == b"CONNECT":
        raise Malformed("this server is no proxy")
    if _CONTROL.search(target.partition(b"?")[0]):
        raise Malformed("the path holds control characters")
    if not (_TARGET.fullmatch(target) or (method == b"OPTIONS" and target == b"*")):
        raise Malformed("the target is neither a path nor an address")


def _check_framing(version: str, values: dict[bytes, bytes]) -> None:
    length, coding = values.get(b"content-length"), values.get(b"transfer-encoding")
    if length is not None and not _DIGITS.fullmatch(length):
        raise Malformed("`content-length` is not a number")
    if coding is None:
        return
    if version == "1.0":
        raise Malformed("HTTP/1.0 has no `transfer-encoding`")
    if length is not None:
        raise Malformed("`content-length` beside `transfer-encoding`")
    if coding.lower() != b"chunked":
        raise Malformed("of transfer codings only `chunked` is taken")


def check_trailer(name: bytes) -> None:
    """Nothing, for a field that may stand behind a chunked body.

    Raises:
        Malformed: it would change what has been decided already.
    """
    if name in _ONCE:
        raise Malformed(f"`{name.decode()}` stands behind the body")
