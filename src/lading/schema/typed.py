"""Typed decoding made from the schema: as much of each field's rules as msgspec knows, and the rest behind it."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Annotated, Any, Literal

import msgspec

from lading.schema.cells import Cell, Complaint, cell_checker, number_bounds
from lading.schema.fields import Field
from lading.schema.table import Row

UNREADABLE = (msgspec.DecodeError, RecursionError, UnicodeDecodeError, Complaint)
"""What typed decoding raises for what it cannot vouch for."""


class TypedRows:
    """Lists of lists of cells as checked rows; made once from the fields.

    Whatever it raises of `UNREADABLE` says only that the text is to be read strictly.

    Attributes:
        lines_type: what decodes lines in the fields' order.
        is_uniform: the cells of all fields are of one type, so that lines in any order may be decoded by it.
        is_finished: typed decoding knows all rules.
    """

    def __init__(self, fields: Sequence[Field]) -> None:
        self._types = [cell_type(field) for field in fields]
        self._usual = tuple(range(len(fields)))
        self._rest = [(place, all_checker(field)) for place, field in enumerate(fields) if has_rest(field)]
        self.lines_type = _lines_type(self._types)
        self.is_uniform = all(kind == self._types[0] for kind in self._types)
        self.is_finished = not self._rest
        self._decoder: Any = msgspec.json.Decoder(self.lines_type)

    def decode(self, text: bytes | msgspec.Raw, places: Sequence[int]) -> list[Row]:
        """The rows of a JSON list of lists of cells, which are to be finished.

        Args:
            text: the list.
            places: where in each line the cell of each field stands: each place once.
        """
        if self.is_uniform or tuple(places) == self._usual:
            return self.arrange(self._decoder.decode(text), places)
        types = dict(zip(places, self._types, strict=True))
        lines = msgspec.json.decode(text, type=_lines_type([types[place] for place in self._usual]))
        return self.arrange(lines, places)

    def arrange(self, lines: list[Row], places: Sequence[int]) -> list[Row]:
        """Lines as rows, the cells in the fields' order."""
        return lines if tuple(places) == self._usual else list(map(itemgetter(*places), lines))

    def finish(self, rows: list[Row]) -> list[Row]:
        """The rows with the checks that typed decoding does not know."""
        if not self._rest or not rows:
            return rows
        columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
        for place, check in self._rest:
            columns[place] = check(columns[place])
        return list(zip(*columns, strict=True))


def _lines_type(types: Sequence[Any]) -> Any:
    line: Any = tuple.__class_getitem__(tuple(types))
    return list[line]


def row_type(fields: Sequence[Field]) -> type[msgspec.Struct]:
    """The type that decodes a row as an object; its attributes are in the fields' order."""
    names = [f"x{position}" for position in range(len(fields))]
    return msgspec.defstruct(
        "Row",
        [(name, cell_type(field)) for name, field in zip(names, fields, strict=True)],
        rename={name: field.name for name, field in zip(names, fields, strict=True)},
        forbid_unknown_fields=True,
        gc=False,
    )


def cell_type(field: Field) -> Any:
    """The type that decodes a cell: as much of the field's rules as typed decoding knows."""
    base: Any
    if _has_literals(field):
        base = Literal[field.values]
    elif field.value_kind in ("int", "float"):
        base = _number_type(field)
    else:
        base = bool if field.value_kind == "bool" else str
    return base | None if field.nullable else base


def number_range(field: Field) -> tuple[int, int] | tuple[float, float]:
    """The least and the greatest number that dtype and domain allow; the first is greater where there is none."""
    low, high = number_bounds(field)
    interval = field.interval
    if interval is None:
        return low, high
    least = low if interval.minimum is None else max(low, interval.minimum)
    greatest = high if interval.maximum is None else min(high, interval.maximum)
    if field.value_kind != "int":
        return least, greatest
    return (math.ceil(least), math.floor(greatest)) if least <= high and greatest >= low else (1, 0)


def _number_type(field: Field) -> Any:
    kind = int if field.value_kind == "int" else float
    low, high = number_range(field)
    if low > high or (kind is float and -low == high == sys.float_info.max):
        return kind
    return Annotated[kind, msgspec.Meta(ge=low, le=high)]


def _has_literals(field: Field) -> bool:
    """Whether the only values allowed are ones that a typed decoder can name: texts, or whole numbers."""
    if field.value_kind == "int":
        low, high = number_bounds(field)
        return bool(field.values) and all(type(value) is int and low <= value <= high for value in field.values)
    return field.value_kind == "text" and bool(field.values) and all(type(value) is str for value in field.values)


def has_rest(field: Field) -> bool:
    """Whether the field has a rule that its decoding type does not know."""
    has_literals = _has_literals(field)
    if field.value_kind == "date" or (field.values and not has_literals):
        return True
    if field.interval is None:
        return False
    low, high = number_range(field)
    return has_literals or field.value_kind not in ("int", "float") or low > high


def all_checker(field: Field) -> Callable[[Sequence[Any]], list[Cell]]:
    """A function that gives the checked cells of a column or raises `Complaint`, made once for a field."""
    check = cell_checker(field)
    if field.value_kind == "float":  # of which two are equal, 0.0 and -0.0, but not the same
        return lambda cells: [check(cell) for cell in cells]
    return lambda cells: check_each(check, cells)


def check_each(check: Callable[[Any], Cell], cells: Sequence[Any]) -> list[Cell]:
    """What `check` gives for each of the cells; asked once for those that are equal."""
    known = {cell: check(cell) for cell in set(cells)}
    return [known[cell] for cell in cells]
