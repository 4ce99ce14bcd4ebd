"""Parquet files as columns, read with pyarrow where it is installed.

A body is anybody's bytes, and pyarrow ends the process on some of them. So it never gets the file: it gets a small one
that is written from it, with metadata of which each number was checked, and the pages of the columns that are needed.
Texts are read as a dictionary, so that one that stands in many rows is one in memory too.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lading.errors import BrokenInput, TooLarge
from lading.schema.arrow.column import ArrowColumn
from lading.schema.arrow.stream import is_flat
from lading.schema.arrow.table import ArrowTable
from lading.schema.parquet.pages import Pages, unusual
from lading.schema.parquet.thrift import BINARY, I32, I64, LIST, NUMBERS, STRUCT, Struct, ThriftReader, struct_bytes

_MAGIC, _ENCRYPTED = b"PAR1", b"PARE"
_END = struct.Struct("<I4s")
_FREE_BYTES, _BYTES_A_COLUMN = 64 << 10, 1 << 10
_CODECS = frozenset({0, 1})
"""Uncompressed and Snappy; what is compressed by another may become a thousand times as much."""
_REPEATED = 2
_TEXTS = 6
"""The physical type of texts, `BYTE_ARRAY`."""


class ParquetFile:
    """A Parquet file of which only the metadata were read.

    Args:
        body: the whole file.
        columns: how many are expected, by which the metadata are bounded.

    Attributes:
        names: of its columns, in its order.
        rows: how many there are.

    Raises:
        BrokenInput: it cannot be read, or has something that is not taken.
    """

    def __init__(self, body: bytes, columns: int) -> None:
        self._body = body
        metadata = _read(lambda: ThriftReader(_metadata(body, columns)).struct())
        self._elements: Sequence[Struct] = _read(lambda: _columns(metadata))
        self._groups: Sequence[Struct] = _read(lambda: _groups(metadata))
        self.names: Sequence[str] = _read(lambda: [element[4, BINARY].decode() for element in self._elements])
        self.rows: int = metadata[3, I64]
        self._types: Sequence[Any] = _read(lambda: _arrow_types(self._elements))

    def is_taken(self, place: int) -> bool:
        """Whether a column is of numbers, booleans, texts, dates or gaps."""
        import pyarrow.types

        return is_flat(pyarrow.types, self._types[place])

    def columns(self, places: Sequence[int]) -> list[ArrowColumn]:
        """These columns, all of which are taken; the others are not looked at."""
        return ArrowTable(_read(lambda: self._table(places))).columns(range(len(places)))

    def _table(self, places: Sequence[int]) -> Any:
        import pyarrow.parquet

        elements = [_renamed(self._elements[place], place) for place in places]
        texts = [element[4, BINARY].decode() for element in elements if element[1, I32] == _TEXTS]
        pages = Pages(self._body)
        groups = [_copied(group, dict(zip(places, elements, strict=True)), pages) for group in self._groups]
        source = pyarrow.BufferReader(_file(elements, pages.copied, self.rows, groups))
        file = pyarrow.parquet.ParquetFile(source, read_dictionary=texts, pre_buffer=False)
        table = file.read(use_threads=False)
        table.validate(full=True)
        if table.num_rows != self.rows:
            raise _broken()
        return table


def _read(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except (BrokenInput, TooLarge):
        raise
    # Of a broken file pyarrow raises nearly anything, and what stands in its metadata may be of any type.
    except Exception:
        raise _broken() from None


def _broken() -> BrokenInput:
    return BrokenInput("the body is not a Parquet file that can be read", code="input.not_parquet")


# --- the file that came


def _metadata(body: bytes, columns: int) -> bytes:
    size, magic = _END.unpack(body[-_END.size :])
    if magic == _ENCRYPTED:
        raise unusual("the Parquet file is encrypted: write it without encryption")
    if (body[:4], magic) != (_MAGIC, _MAGIC) or size > len(body) - len(_MAGIC) - _END.size:
        raise _broken()
    limit = _FREE_BYTES + _BYTES_A_COLUMN * columns
    if size > limit:
        raise unusual(f"the metadata of the Parquet file are more than {limit} bytes: write fewer groups of rows")
    return body[-_END.size - size : -_END.size]


def _columns(metadata: Struct) -> Sequence[Struct]:
    elements: Sequence[Struct] = metadata[2, LIST][1:]
    # What has children has no type; of what is repeated, a row has several.
    if any((1, I32) not in element or element.get((3, I32)) == _REPEATED for element in elements):
        raise unusual("a column of the Parquet file is nested: leave it out")
    return elements


def _groups(metadata: Struct) -> Sequence[Struct]:
    """The groups of rows, of which each has some."""
    groups = [group for group in metadata[4, LIST] if group[3, I64]]
    rows = [group[3, I64] for group in groups]
    if min(rows, default=0) < 0 or sum(rows) != metadata[3, I64]:
        raise _broken()
    return groups


# --- the file that is read


def _renamed(element: Struct, place: int) -> dict[tuple[int, int], Any]:
    """What is needed of a column's type, under a name of ours."""
    kept = {key: value for key, value in element.items() if key[1] in NUMBERS or key == (10, STRUCT)}
    return {**kept, (4, BINARY): str(place).encode()}


def _arrow_types(elements: Sequence[Struct]) -> Sequence[Any]:
    import pyarrow.parquet

    renamed = [_renamed(element, place) for place, element in enumerate(elements)]
    schema = pyarrow.parquet.ParquetFile(pyarrow.BufferReader(_file(renamed, b"", 0, []))).schema_arrow
    return [field.type for field in schema]


def _copied(group: Struct, elements: Mapping[int, Struct], pages: Pages) -> Struct:
    """A group of rows with some of its columns, whose pages are copied."""
    rows = group[3, I64]
    stored = group[1, LIST]
    chunks = [_copied_chunk(stored[place][3, STRUCT], element, rows, pages) for place, element in elements.items()]
    return {(1, LIST): chunks, (2, I64): 0, (3, I64): rows}


def _copied_chunk(stored: Struct, element: Struct, rows: int, pages: Pages) -> Struct:
    if stored[4, I32] not in _CODECS:
        raise unusual('the Parquet file is compressed by other than Snappy: write it with compression="snappy"')
    begins = len(_MAGIC) + len(pages.copied)
    # Where there is a dictionary, its page is the first; 0 stands for none.
    first = min(filter(None, (stored[9, I64], stored.get((11, I64)))))
    pages.copy(first, stored[7, I64], rows)
    size = len(_MAGIC) + len(pages.copied) - begins
    meta = {
        (1, I32): element[1, I32],
        (2, LIST): [],
        (3, LIST): [element[4, BINARY]],
        (4, I32): stored[4, I32],
        (5, I64): rows,
        (6, I64): size,
        (7, I64): size,
        (9, I64): begins,
    }
    return {(2, I64): 0, (3, STRUCT): meta}


def _file(elements: Sequence[Struct], pages: bytes | bytearray, rows: int, groups: Sequence[Struct]) -> bytes:
    root = {(4, BINARY): b"schema", (5, I32): len(elements)}
    metadata = struct_bytes({(1, I32): 1, (2, LIST): [root, *elements], (3, I64): rows, (4, LIST): groups})
    return b"".join((_MAGIC, pages, metadata, _END.pack(len(metadata), _MAGIC)))
