"""Compressed bodies, expanded as they arrive and within bounds (RFC 9110, 8.4): gzip, deflate and, where it is, zstd.

Nothing is expanded that is not kept: each portion is asked for with the number of bytes that there is room for. A body
may become as large as any other, and, beyond the first `FLOOR_BYTES`, so many times as large as it was sent.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

from starlette.types import Scope

from lading.errors import BrokenInput, TooLarge
from lading.http.problems import HttpError

FLOOR_BYTES = 64 << 10
_PORTION_BYTES = 64 << 10
"""Expanding as many takes less than a millisecond."""
_TAKEN_BYTES = 16 << 10
"""Of a part that arrived, taken at once: no more than these count for the next portion."""
_MAX_MEMBERS = 256


class Decompressor(Protocol):
    """Expands one member, as those of the standard library do."""

    @property
    def eof(self) -> bool:
        """Whether its end was reached."""

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes without more data."""

    @property
    def unused_data(self) -> bytes:
        """What follows its end."""

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """At most so many of the bytes that these give; what is left over is kept for the next call."""


class _Zlib:
    """That of zlib, which keeps nothing for the next call, with the manners of the others."""

    def __init__(self, window_bits: int) -> None:
        self._inner = zlib.decompressobj(window_bits)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        """Whether its end was reached."""
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        """What follows its end."""
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """At most so many of the bytes that these give."""
        portion = self._inner.decompress(self._inner.unconsumed_tail + data, max_length)
        # A full portion may have more behind it although all input was taken.
        self.needs_input = len(portion) < max_length and not self._inner.unconsumed_tail
        return portion


_DECOMPRESSORS: dict[str, Callable[[], Decompressor]] = {
    "gzip": lambda: _Zlib(16 + zlib.MAX_WBITS),
    "deflate": lambda: _Zlib(zlib.MAX_WBITS),
}
_OF_MEMBERS = {"gzip", "zstd"}
"""Of which several may follow one another (RFC 1952, 2.2; RFC 8878, 3.1)."""
_ERRORS: tuple[type[Exception], ...] = (zlib.error,)
if sys.version_info >= (3, 14):
    from compression import zstd

    # RFC 9659: no more than 8 MiB are needed to expand a body.
    _WINDOW: dict[int, int] = {zstd.DecompressionParameter.window_log_max: 23}
    _DECOMPRESSORS["zstd"] = lambda: zstd.ZstdDecompressor(options=_WINDOW)
    _ERRORS = (zlib.error, zstd.ZstdError)

CODINGS = tuple(_DECOMPRESSORS)
"""What is taken, beside a body as it is."""


class Expansion:
    """One body that is being expanded.

    Args:
        coding: one of `CODINGS`.
        max_bytes: that it may become.
        max_expansion: how many times its size it may become.
    """

    def __init__(self, coding: str, *, max_bytes: int, max_expansion: float) -> None:
        self._coding = coding
        self._max_bytes = max_bytes
        self._max_expansion = max_expansion
        self._taken = self._produced = 0
        self._members = 1
        self._member = _DECOMPRESSORS[coding]()

    def feed(self, part: bytes) -> Iterator[bytes]:
        """What a part of the body becomes, in portions that take next to no time each.

        Raises:
            BrokenInput: it cannot be expanded.
            TooLarge: it becomes more than it may.
        """
        for start in range(0, len(part), _TAKEN_BYTES):
            data = part[start : start + _TAKEN_BYTES]
            self._taken += len(data)
            yield from self._expand(data)

    def finish(self) -> None:
        """Nothing, for a body that is whole.

        Raises:
            BrokenInput: its end is missing.
        """
        if not self._member.eof:
            raise _broken(self._coding)

    def _expand(self, data: bytes) -> Iterator[bytes]:
        while data or not (self._member.eof or self._member.needs_input):
            if self._member.eof:
                self._open_next()
            yield self._portion(data)
            data = self._member.unused_data if self._member.eof else b""

    def _portion(self, data: bytes) -> bytes:
        allowed = min(self._max_bytes, max(FLOOR_BYTES, int(self._max_expansion * self._taken)))
        room = allowed - self._produced
        try:
            portion = self._member.decompress(data, min(_PORTION_BYTES, room + 1))
        except _ERRORS:
            raise _broken(self._coding) from None
        if len(portion) > room:
            raise self._too_large(allowed)
        self._produced += len(portion)
        return portion

    def _too_large(self, allowed: int) -> TooLarge:
        if allowed == self._max_bytes:
            return TooLarge(f"the body has more than {self._max_bytes} bytes when it is expanded")
        return TooLarge(f"the body becomes more than {self._max_expansion:g} times as large when it is expanded")

    def _open_next(self) -> None:
        self._members += 1
        if self._coding not in _OF_MEMBERS or self._members > _MAX_MEMBERS:
            raise _broken(self._coding)
        self._member = _DECOMPRESSORS[self._coding]()


def expansion_of(scope: Scope, *, max_bytes: int, max_expansion: float) -> Expansion | None:
    """What expands the body of a request; None for one that is sent as it is.

    Raises:
        HttpError: 415 for a coding that is not taken, and for several.
    """
    fields = b",".join(value for name, value in scope["headers"] if name == b"content-encoding")
    names = (name.strip(" \t").lower() for name in fields.decode("latin-1").split(","))
    codings = ["gzip" if name == "x-gzip" else name for name in names if name not in ("", "identity")]
    if not codings:
        return None
    if len(codings) > 1 or codings[0] not in _DECOMPRESSORS:
        detail = f"of content codings one of {', '.join(CODINGS)} is taken, once, or none"
        taken = ", ".join((*CODINGS, "identity"))
        raise HttpError(415, "Content coding not taken", detail, "input.content_coding", Accept_Encoding=taken)
    return Expansion(codings[0], max_bytes=max_bytes, max_expansion=max_expansion)


def _broken(coding: str) -> BrokenInput:
    return BrokenInput(f"the body is not {coding}, as `content-encoding` says, or is broken", code="input.coding")
