"""The quick way from a JSON body to checked rows; None wherever it cannot vouch for the body.

It vouches for what decodes by the schema's types, has no more colons than its keys need, so that no key stands twice,
and no run of digits that is too long.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from lading.schema.fields import Schema
from lading.schema.strict import MAX_NUMBER_CHARS
from lading.schema.table import Row, Tables
from lading.schema.typed import UNREADABLE, TypedRows, row_type

_LONG_NUMBER = re.compile(rb"[0-9.eE+-]{%d}" % (MAX_NUMBER_CHARS + 1))
_WRAPPER = re.compile(rb'\s*\{\s*"(instances|X|columns|data|index)"\s*:\s*\[\s*(\[?)')
_QUICK_NAME = re.compile(r'[^:"\\\x00-\x1f]*')
"""Names that the quick way can tell apart: no colon, and nothing that JSON escapes."""
_AS_RUNS = bytes(ord("0") if byte in b"0123456789.eE+-" else ord(" ") for byte in range(256))
_LONG_RUN = b"0" * (MAX_NUMBER_CHARS + 1)
_FEW = 64
_SHORT_BYTES = 4096
_CHUNK_BYTES = 1 << 18


class QuickJson:
    """Typed decoding for the plain shapes; made once from the schema."""

    def __init__(self, schema: Schema, rows: TypedRows) -> None:
        names = schema.names
        self._names = names
        self._rows = rows
        self._width = len(names)
        self._texts = [place for place, field in enumerate(schema.inputs) if field.value_kind in ("text", "date")]
        # A shorter object has no room for a number that is too long beside its names.
        self._short_bytes = MAX_NUMBER_CHARS + sum(len(name.encode()) + len('"":,') for name in names)
        row: Any = row_type(schema.inputs)
        self._object = msgspec.json.Decoder(row)
        self._objects = msgspec.json.Decoder(list[row])
        self._instances: Any = msgspec.json.Decoder(_wrapper("instances", list[row]))
        self._lines: Any = msgspec.json.Decoder(_wrapper("instances", rows.lines_type))
        self._matrix: Any = msgspec.json.Decoder(_wrapper("X", rows.lines_type))
        split = _split_type(rows.lines_type if rows.is_uniform else msgspec.Raw)
        self._columns_data: Any = msgspec.json.Decoder(split)
        tables = Tables(schema.inputs)
        self._tables = tables if tables.are_floats and rows.is_finished else None

    @staticmethod
    def suits(schema: Schema) -> bool:
        """Whether the names of the columns are ones that it can tell apart."""
        return all(map(_QUICK_NAME.fullmatch, schema.names))

    def one(self, body: bytes) -> Row | None:
        """The row of an object, as most requests have it."""
        try:
            row = _astuple(self._object.decode(body))
            if body.count(b":") != self._width or (len(body) > self._short_bytes and _LONG_NUMBER.search(body)):
                return None
            return self._rows.finish([row])[0]
        except UNREADABLE:
            return None

    def many(self, body: bytes) -> Sequence[Row] | None:
        """The rows of a list, or of an object that holds one."""
        try:
            rows, colons = self._typed(body)
            if has_long_number(body) or not self._has_colons(body, colons, rows):
                return None
            return rows if self._rows.is_finished else self._rows.finish(list(rows))
        except UNREADABLE:
            return None

    def _typed(self, body: bytes) -> tuple[Sequence[Row], int]:
        """The rows, and how many colons their keys need."""
        wrapper = _WRAPPER.match(body)
        if wrapper is None:
            objects = self._objects.decode(body)
            return self._of_objects(objects), self._width * len(objects)
        if wrapper[1] == b"X":
            return self._matrix.decode(body).X, 1
        if wrapper[1] != b"instances":
            return self._split(body)
        if wrapper[2]:
            return self._lines.decode(body).instances, 1
        objects = self._instances.decode(body).instances
        return self._of_objects(objects), self._width * len(objects) + 1

    def _of_objects(self, objects: list[msgspec.Struct]) -> Sequence[Row]:
        """The rows of objects; many as a table, without a tuple of each, where that loses nothing."""
        if self._tables is not None and len(objects) > _FEW:
            try:
                return self._tables.of_floats(map(_astuple, objects))
            except struct.error:  # of None
                pass
        return list(map(_astuple, objects))

    def _split(self, body: bytes) -> tuple[list[Row], int]:
        split = self._columns_data.decode(body)
        if len(split.columns) != self._width or {*split.columns} != {*self._names}:
            raise msgspec.ValidationError
        places = {name: place for place, name in enumerate(split.columns)}
        order = [places[name] for name in self._names]
        read = self._rows.arrange if self._rows.is_uniform else self._rows.decode
        return read(split.data, order), 2 + (split.index is not None)

    def _has_colons(self, body: bytes, colons: int, rows: Sequence[Row]) -> bool:
        """Whether there are as many colons as the keys need, and the texts of the rows have."""
        excess = _count(body, b":") - colons
        if not excess or not self._texts or b"\\" in body:
            return not excess
        texts = (cell for row in rows for place in self._texts if isinstance(cell := row[place], str))
        return excess == sum(text.count(":") for text in texts)


_astuple = msgspec.structs.astuple


def _split_type(data: Any) -> type[msgspec.Struct]:
    index: Any = list[int | float | str | bool | None] | None
    fields: list[Any] = [("columns", list[str]), ("data", data), ("index", index, None)]
    return msgspec.defstruct("Split", fields, forbid_unknown_fields=True)


def _wrapper(key: str, inside: Any) -> type[msgspec.Struct]:
    return msgspec.defstruct("Wrapper", [(key, inside)], forbid_unknown_fields=True)


def _count(body: bytes, byte: bytes) -> int:
    if len(body) < _SHORT_BYTES:
        return body.count(byte)
    return int(np.count_nonzero(np.frombuffer(body, np.uint8) == ord(byte)))


def has_long_number(body: bytes) -> bool:
    """Whether there may be a number of more than `MAX_NUMBER_CHARS` characters: a run of what numbers are made of."""
    if len(body) < _SHORT_BYTES:
        return _LONG_NUMBER.search(body) is not None
    codes = np.frombuffer(body, np.uint8)
    ends = ((start, start + _CHUNK_BYTES + MAX_NUMBER_CHARS) for start in range(0, len(body), _CHUNK_BYTES))
    return any(
        _has_long_run(codes[start:stop]) and _LONG_RUN in body[start:stop].translate(_AS_RUNS) for start, stop in ends
    )


def _has_long_run(codes: np.ndarray[Any, np.dtype[np.uint8]]) -> bool:
    """Whether three words in a row, of 8 bytes each, are digits, `-`, `.` or `/`.

    So they are in each number that is too long: the longer of the parts before and behind its `e` has 32 characters.
    """
    is_digit = (codes[: len(codes) // 8 * 8] - np.uint8(ord("-"))) <= ord("9") - ord("-")
    full = is_digit.view(np.uint64) == 0x0101010101010101
    return bool((full[:-2] & full[1:-1] & full[2:]).any())
