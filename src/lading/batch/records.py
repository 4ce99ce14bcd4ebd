"""Text in records: lines, and of CSV those line ends that stand outside of quotes (RFC 4180)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from lading.errors import BrokenInput

BLOCK_BYTES = 4 << 20
"""Read at once; where a chunk ends depends on this and on the text alone."""
MAX_RECORD_BYTES = 64 << 20
BOM = b"\xef\xbb\xbf"
# A quote opens a cell only where one begins; elsewhere it is a character, as `csv.reader` has it.
_QUOTED = re.compile(rb'(?<![^,\r\n])"[^"]*+(?:""[^"]*+)*+(?:(")|\Z)')


def blocks(file: BinaryIO, *, has_quotes: bool) -> Iterator[bytes]:
    """The text in pieces of whole records, without a byte order mark.

    Raises:
        BrokenInput: a record is endless, or a quote at the end is never closed.
    """
    rest, is_first = b"", True
    while block := file.read(BLOCK_BYTES):
        text = rest + (block.removeprefix(BOM) if is_first else block)
        is_first = False
        end = (_masked(text) if has_quotes else text).rfind(b"\n") + 1
        if end:
            yield text[:end]
        rest = text[end:]
        if len(rest) > MAX_RECORD_BYTES:
            quote = ": is a quote never closed?" if has_quotes else ""
            raise BrokenInput(f"has a record of more than {MAX_RECORD_BYTES >> 20} MiB{quote}")
    if has_quotes and _is_open(rest):
        raise BrokenInput("ends within quotes: a quote is never closed")
    if rest:
        yield rest


def records(text: bytes, *, has_quotes: bool) -> list[bytes]:
    """The records of a text, without their line ends; blank ones are passed over."""
    masked = _masked(text) if has_quotes else text
    if masked is text:
        return [record for record in text.split(b"\n") if record.strip(b" \t\r")]
    found, start = [], 0
    for line in masked.split(b"\n"):
        found.append(text[start : start + len(line)])
        start += len(line) + 1
    return [record for record in found if record.strip(b" \t\r\n")]


def _masked(text: bytes) -> bytes:
    """The text, as long as it is, without what stands in quotes."""
    return _QUOTED.sub(lambda quoted: b"x" * len(quoted[0]), text) if b'"' in text else text


def _is_open(text: bytes) -> bool:
    return any(quoted[1] is None for quoted in _QUOTED.finditer(text))
