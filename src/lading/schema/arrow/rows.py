"""From the columns of an Arrow stream to a table of checked rows, without a row in between.

Numbers are checked as arrays, everything else value by value, once for all that are equal. Where anything is wrong, all
cells are checked one by one (`rows`), which lists every problem.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from lading.errors import InputError
from lading.schema.arrow.column import ArrowColumn
from lading.schema.cells import Complaint, expectation, whole
from lading.schema.fields import Field, Schema
from lading.schema.problems import Problem, pointer
from lading.schema.rows import RowChecker
from lading.schema.table import Array, Row, Tables, array_dtype, column_array
from lading.schema.typed import all_checker, has_rest, number_range


class Columnar(Protocol):
    """Columns of Arrow's, of a stream or a table.

    Attributes:
        names: of the columns, in their order.
        rows: how many there are.
    """

    names: Sequence[str]
    rows: int

    def is_taken(self, place: int) -> bool:
        """Whether the values of a column are cells."""

    def columns(self, places: Sequence[int]) -> list[ArrowColumn]:
        """These columns, all of which are taken."""


class ArrowRows:
    """Reads Arrow's columns; made once from the schema."""

    def __init__(self, schema: Schema, checker: RowChecker) -> None:
        self._fields = schema.inputs
        self._checker = checker
        self._columns = [_Column(field) for field in schema.inputs]
        self._tables = Tables(schema.inputs)

    def read(self, stream: Columnar) -> Sequence[Row]:
        """The rows of a stream or a table: a `Table`.

        Raises:
            InputError: it does not fit the schema; lists every problem.
            BrokenInput: it cannot be read.
        """
        self._checker.arrays((), columns=stream.names)
        place_of = {name: place for place, name in enumerate(stream.names)}
        places = [place_of[field.name] for field in self._fields]
        self._refuse_types(stream, places)
        columns = stream.columns(places)
        try:
            arrays = [checked.array(column) for checked, column in zip(self._columns, columns, strict=True)]
        except Complaint:
            return self._row_by_row(stream, dict(zip(places, columns, strict=True)))
        return self._tables.of_columns(arrays)

    def _refuse_types(self, stream: Columnar, places: Sequence[int]) -> None:
        problems = [
            _wrong_column(field, place)
            for field, place in zip(self._fields, places, strict=True)
            if not stream.is_taken(place)
        ]
        if problems:
            raise InputError(problems)

    def _row_by_row(self, stream: Columnar, columns: dict[int, ArrowColumn]) -> list[Row]:
        gaps = [None] * stream.rows
        fields = {field.name: field for field in self._fields}
        cells = [
            _cells(fields[name], columns[place]) if place in columns else gaps
            for place, name in enumerate(stream.names)
        ]
        return self._checker.arrays(map(list, zip(*cells, strict=True)), columns=stream.names)


def _wrong_column(field: Field, place: int) -> Problem:
    wanted = expectation(field)
    got = "an Arrow type that is not taken"
    detail = f"expected {wanted}, got {got}"
    return Problem(pointer("columns", place), "schema.wrong_type", detail, column=field.name, expected=wanted, got=got)


def _cells(field: Field, column: ArrowColumn) -> Sequence[Any]:
    cells = column.cells()
    return list(map(whole, cells)) if field.value_kind == "int" else cells


def _is_plain(field: Field) -> bool:
    """Whether its numbers are only bounded, and an array of them is a column."""
    has_objects = field.nullable and array_dtype(field).kind == "O"
    return not (has_rest(field) or field.values or has_objects)


class _Column:
    """Checks one column."""

    def __init__(self, field: Field) -> None:
        self._field = field
        self._check = all_checker(field)
        self._fits = _CHECKS.get(field.value_kind) if _is_plain(field) else None
        self._low: float
        self._high: float
        self._low, self._high = number_range(field)

    def array(self, column: ArrowColumn) -> Array:
        """The column as an array.

        Raises:
            Complaint: one of its cells is not what the field asks for.
        """
        numbers = column.numbers() if self._fits is not None else None
        if numbers is not None and self._fits is not None and self._fits(self, numbers):
            return numbers
        return column_array(self._field, self._check(_cells(self._field, column)))

    def _fit_floats(self, numbers: Array) -> bool:
        if numbers.dtype.kind == "b":
            return False
        numbers = numbers.astype(np.float64, copy=False)
        if self._low <= numbers.min() and numbers.max() <= self._high:  # neither is so where there is a gap
            return True
        fits = (numbers >= self._low) & (numbers <= self._high)
        return self._field.nullable and bool((fits | np.isnan(numbers)).all())

    def _fit_integers(self, numbers: Array) -> bool:
        return numbers.dtype.kind in "iu" and self._low <= int(numbers.min()) and int(numbers.max()) <= self._high

    def _fit_booleans(self, numbers: Array) -> bool:
        return numbers.dtype.kind == "b"


_CHECKS: dict[str, Callable[[_Column, Array], bool]] = {
    "float": _Column._fit_floats,
    "int": _Column._fit_integers,
    "bool": _Column._fit_booleans,
}
