"""The parts of a form with files (`multipart/form-data`, RFC 7578), as curl -F and browsers send them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from lading.errors import BrokenInput, TooLarge

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

# It warns of each broken form, with a byte of what it was sent; the caller is told, and the log has the request's line.
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)

_HEADER_BYTES = 1024
_OPTIONS = 16


class Part(NamedTuple):
    """One part of a form.

    Attributes:
        name: of the field.
        file: name of the file; None where the part is a value.
        kind: its content type; empty where it says none.
        data: what it holds.
    """

    name: str
    file: str | None
    kind: str
    data: bytes


def parts_of(body: bytes, boundary: bytes, *, max_parts: int) -> list[Part]:
    """The parts of a whole form.

    Raises:
        BrokenInput: it cannot be read.
        TooLarge: it has more than `max_parts`.
    """
    form = _Form(max_parts)
    try:
        parser = MultipartParser(boundary, form.callbacks, max_size=max(1, len(body)), max_header_size=_HEADER_BYTES)
        parser.write(body)
        parser.finalize()
        if not form.is_whole:
            raise _broken()
        return [_part(headers, data) for headers, data in form.parts]
    except (FormParserError, UnicodeDecodeError):
        raise _broken() from None


def boundary_of(content_type: bytes) -> bytes:
    """The boundary that a content type names; empty where it names none."""
    return parse_options_header(content_type)[1].get(b"boundary", b"")


def _broken() -> BrokenInput:
    return BrokenInput("the form cannot be read: send it as curl -F file=@NAME does", code="input.not_multipart")


class _Form:
    """Collects what the parser tells."""

    def __init__(self, max_parts: int) -> None:
        self.parts: list[tuple[dict[bytes, bytes], bytearray]] = []
        self.is_whole = False
        self._max_parts = max_parts
        self._name, self._value = bytearray(), bytearray()
        self.callbacks: MultipartCallbacks = {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._name.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._end_header,
            "on_part_data": lambda data, start, end: self.parts[-1][1].extend(memoryview(data)[start:end]),
            "on_end": self._end,
        }

    def _begin(self) -> None:
        if len(self.parts) == self._max_parts:
            raise TooLarge(f"more than {self._max_parts} parts in one form")
        self.parts.append(({}, bytearray()))

    def _end_header(self) -> None:
        self.parts[-1][0][bytes(self._name).lower()] = bytes(self._value)
        self._name, self._value = bytearray(), bytearray()

    def _end(self) -> None:
        self.is_whole = True


def _part(headers: dict[bytes, bytes], data: bytearray) -> Part:
    header = headers.get(b"content-disposition", b"")
    if header.count(b";") > _OPTIONS:  # of which each takes the parser longer
        raise _broken()
    disposition, options = parse_options_header(header)
    if disposition != b"form-data" or b"name" not in options:
        raise _broken()
    file = options.get(b"filename")
    kind = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
    return Part(options[b"name"].decode(), None if file is None else file.decode("utf-8", "replace"), kind, bytes(data))
