"""The pages of a Parquet file, looked through and copied before any of them is read.

Only a page's own header says what it becomes: its size when decompressed, how many values it has, and how they are
encoded. The layout is that of `parquet.thrift` of the Parquet format. Each number that a reader makes memory of is
compared here with the file, or counted.
"""

from __future__ import annotations

from typing import NamedTuple

from lading.errors import BrokenInput, TooLarge
from lading.schema.parquet.thrift import I32, NUMBERS, STRUCT, Struct, ThriftReader, struct_bytes

MAX_PAGES = 20_000
"""Of one file, in all its columns; each takes time, even a small one."""
_MAX_HEADER_BYTES, _MAX_HEADERS_BYTES = 32 << 10, 2 << 20
"""Of one page, and of all together."""
FREE_BYTES = 64 << 20
_TIMES = 4
_BYTES_A_VALUE = 32
"""What a value of a dictionary takes beside its own bytes, at most."""
_DATA, _DICTIONARY, _DATA_V2 = 0, 2, 3
_HEADER_OF = {_DATA: 5, _DICTIONARY: 7, _DATA_V2: 8}
_ENCODING_OF = {_DATA: 2, _DICTIONARY: 2, _DATA_V2: 4}
_PLAIN, _PLAIN_DICTIONARY, _RLE, _RLE_DICTIONARY = 0, 2, 3, 8
_ENCODINGS = frozenset({_PLAIN, _PLAIN_DICTIONARY, _RLE, _RLE_DICTIONARY})
"""No value becomes longer than it stands there; of others, a few bytes may become any number."""


class _Page(NamedTuple):
    """What the header of a page says: sizes in bytes, `size` that of the page when decompressed."""

    kind: int
    size: int
    stored_size: int
    values: int
    encoding: int
    header: Struct

    def header_bytes(self) -> bytes:
        """The header with what is needed to read the page."""
        sizes = {(1, I32): self.kind, (2, I32): self.size, (3, I32): self.stored_size}
        return struct_bytes({**sizes, (_HEADER_OF[self.kind], STRUCT): self.header})


class Pages:
    """Copies pages of one file.

    Args:
        body: the whole file.

    Attributes:
        copied: the pages that were copied, as they stand one after the other, each behind a header written anew.
    """

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._limit = FREE_BYTES + _TIMES * len(body)
        self._left = len(body)
        self._pages = self._bytes = self._header_bytes = 0
        self.copied = bytearray()

    def copy(self, begin: int, size: int, rows: int) -> None:
        """Copy the pages that stand in these bytes, which are those of one column in so many rows.

        Raises:
            BrokenInput: they are encoded in a way that is not taken, or too many.
            TooLarge: the pages up to here take too much memory.
            ValueError, LookupError: they are broken.
        """
        # Columns may overlap: what is small in the file could be large, once for each column.
        self._left -= size
        if not 0 <= begin <= begin + size <= len(self._body) or self._left < 0:
            raise ValueError("pages stand beyond the file, or are longer than it")
        place, end = begin, begin + size
        while place < end:
            reader = ThriftReader(self._body[place : place + _MAX_HEADER_BYTES])
            page = _page(reader.struct())
            self._count(page, reader.place)
            rows -= 0 if page.kind == _DICTIONARY else page.values
            place += reader.place + page.stored_size
            self.copied += page.header_bytes()
            self.copied += memoryview(self._body)[place - page.stored_size : place]
        if rows or place != end:
            raise ValueError("there are other values than rows, or the last page ends elsewhere")

    def _count(self, page: _Page, header_bytes: int) -> None:
        self._pages += 1
        self._header_bytes += header_bytes
        self._bytes += page.size + (_BYTES_A_VALUE * page.values if page.kind == _DICTIONARY else 0)
        if self._pages > MAX_PAGES or self._header_bytes > _MAX_HEADERS_BYTES:
            raise unusual(f"the Parquet file has more than {MAX_PAGES} pages, or 2 MiB of their headers: write fewer")
        if self._bytes > self._limit:
            raise TooLarge(f"the columns of the Parquet file are more than {self._limit} bytes when decompressed")


def _page(header: Struct) -> _Page:
    kind = header[1, I32]
    inner = {key: value for key, value in header[_HEADER_OF[kind], STRUCT].items() if key[1] in NUMBERS}
    encoding = inner[_ENCODING_OF[kind], I32]
    page = _Page(kind, header[2, I32], header[3, I32], inner[1, I32], encoding, inner)
    if min(page.size, page.stored_size, *inner.values()) < 0:
        raise ValueError("a page has less than nothing")
    if encoding not in _ENCODINGS:
        raise unusual(
            "a column of the Parquet file has an encoding that is not taken: write it plain or by a dictionary"
        )
    return page


def unusual(message: str) -> BrokenInput:
    """The error for a file that may be right, but has what is not taken."""
    return BrokenInput(message, code="input.parquet_feature")
