"""From CSV to checked rows, column by column; None wherever a cell needs a closer look than that.

Numbers are read by the typed decoder of JSON, whose numbers are numbers in CSV too, with the same values. What it does
not take, and what is no number, is read and checked cell by cell, once for all that are equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from lading.errors import BrokenInput
from lading.schema.cells import Cell, Complaint, cell_checker, read_cell
from lading.schema.csv_text import read_csv
from lading.schema.fields import Field, Schema
from lading.schema.quick import has_long_number
from lading.schema.table import Row
from lading.schema.typed import UNREADABLE, TypedRows, cell_type, check_each, has_rest

_OF_NUMBERS = b"0123456789+-.eE,\n"
_NUMBER_KINDS = frozenset({"int", "float"})


class CsvRows:
    """Reads CSV by columns; made once from the schema."""

    def __init__(self, schema: Schema, rows: TypedRows) -> None:
        self._names = schema.names
        self._taken = frozenset(schema.names + schema.unused)
        self._rows = rows
        self._columns = [_Column(field) for field in schema.inputs]
        self._are_numbers = all(field.value_kind in _NUMBER_KINDS for field in schema.inputs)

    def of_numbers(self, body: bytes) -> list[Row] | None:
        """The rows of text that has nothing but numbers and gaps below its header: read as JSON, all at once."""
        if b"\r" in body:
            body = body.replace(b"\r\n", b"\n")
        start = body.find(b"\n") + 1
        header, lines = body[:start], body[start : len(body) - body.endswith(b"\n")]
        if not self._are_numbers or b"\r" in header or lines.translate(None, _OF_NUMBERS) or has_long_number(lines):
            return None
        try:
            names = read_csv(header)[0]
            if len(names) != len(self._names) or {*names} != {*self._names}:
                return None
            return self._rows.finish(self._decode(lines, _places(self._names, names)))
        except (*UNREADABLE, BrokenInput):
            return None

    def _decode(self, lines: bytes, places: Sequence[int]) -> list[Row]:
        text = b"[[%b]]" % lines.replace(b"\n", b"],[")
        try:
            return self._rows.decode(text, places)
        except msgspec.DecodeError:
            return self._rows.decode(_with_nulls(text), places)

    def of_lines(self, header: Sequence[str], lines: Sequence[Sequence[str]]) -> list[Row] | None:
        """The rows of lines of cells below a header."""
        names = {*header}
        if len(names) != len(header) or not names.issuperset(self._names) or not names <= self._taken:
            return None
        texts = list(zip(*lines, strict=True))
        places = _places(self._names, header)
        try:
            columns = [column.cells(texts[place]) for column, place in zip(self._columns, places, strict=True)]
        except Complaint:
            return None
        return list(zip(*columns, strict=True))


def _places(names: Sequence[str], header: Sequence[str]) -> list[int]:
    place = {name: place for place, name in enumerate(header)}
    return [place[name] for name in names]


def _with_nulls(text: bytes) -> bytes:
    for gap, null in ((b",,", b",null,"), (b",,", b",null,"), (b"[,", b"[null,"), (b",]", b",null]")):
        text = text.replace(gap, null)
    return text


class _Column:
    """The texts of one column as checked cells."""

    def __init__(self, field: Field) -> None:
        self._field = field
        self._check = cell_checker(field)
        self._numbers: Any = None
        if field.value_kind in _NUMBER_KINDS and not has_rest(field):
            cell: Any = cell_type(field)
            self._numbers = msgspec.json.Decoder(list[cell])

    def cells(self, texts: Sequence[str]) -> Sequence[Cell]:
        """The cells.

        Raises:
            Complaint: one of them is not what the field asks for.
        """
        return self._quick(texts) or check_each(self._of_text, texts)

    def _quick(self, texts: Sequence[str]) -> list[Cell] | None:
        if self._numbers is None:
            return None
        if "" in texts:
            texts = [text or "null" for text in texts]
        try:
            joined = ",".join(texts).encode()
            cells: list[Cell] = self._numbers.decode(b"[%b]" % joined)
        except UNREADABLE:
            return None
        # A text in quotes may hold a comma.
        return cells if len(cells) == len(texts) and not has_long_number(joined) else None

    def _of_text(self, text: str) -> Cell:
        return self._check(read_cell(self._field, text))
