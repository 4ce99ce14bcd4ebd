"""Rows as a model takes them: named columns of equal length, or one matrix where all of them are numbers.

Requests carry rows (tuples in the schema's order); many requests become one table, in one conversion. A large request
may come as a table, which is a sequence of rows too.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import starmap
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from lading.schema.cells import Cell
from lading.schema.fields import Field

Row = tuple[Cell, ...]
Array = npt.NDArray[Any]


class Table(Sequence[Row]):
    """Checked rows in the schema's order of columns. Made by `from_rows` or `from_columns`; never changed."""

    __slots__ = ("_columns", "_is_matrix", "_matrix", "fields", "rows")

    def __init__(
        self,
        fields: Sequence[Field],
        rows: int,
        *,
        matrix: Array | None = None,
        columns: Mapping[str, Array] | None = None,
    ) -> None:
        self.fields = fields
        self.rows = rows
        self._matrix = matrix
        self._columns = columns
        self._is_matrix = matrix is not None

    @classmethod
    def from_rows(cls, fields: Sequence[Field], rows: Sequence[Row]) -> Table:
        """The table of checked rows; missing values become NaN or None, as each field says."""
        return Tables(fields).of_rows(rows)

    @classmethod
    def from_columns(cls, fields: Sequence[Field], columns: Mapping[str, Array]) -> Table:
        """The table of arrays that already have each field's dtype."""
        return cls(fields, len(next(iter(columns.values()))), columns=columns)

    def __len__(self) -> int:
        return self.rows

    @overload
    def __getitem__(self, rows: int) -> Row: ...
    @overload
    def __getitem__(self, rows: slice) -> Table: ...
    def __getitem__(self, rows: int | slice) -> Row | Table:
        if isinstance(rows, slice):
            return self.take(rows)
        place = range(self.rows)[rows]
        return next(iter(self.take(slice(place, place + 1))))

    def __iter__(self) -> Iterator[Row]:
        # What it was made of: the other has other dtypes, which may hold less.
        columns = self.matrix.T if self._is_matrix else self.columns.values()
        return zip(*map(column_cells, self.fields, columns), strict=True)

    @property
    def columns(self) -> Mapping[str, Array]:
        """The columns by name, in the schema's order."""
        if self._columns is None:
            assert self._matrix is not None
            self._columns = {
                field.name: _as_column(field, self._matrix[:, position]) for position, field in enumerate(self.fields)
            }
        return self._columns

    @property
    def matrix(self) -> Array:
        """All columns as one array, (rows, columns): numbers where all are numbers, else objects."""
        if self._matrix is None:
            dtype = matrix_dtype(self.fields) or np.dtype(object)
            matrix = np.empty((self.rows, len(self.fields)), dtype=dtype)
            for position, column in enumerate(self.columns.values()):
                matrix[:, position] = column
            self._matrix = matrix
        return self._matrix

    def take(self, rows: slice | Array) -> Table:
        """The table of some of the rows."""
        if self._matrix is not None:
            matrix = self._matrix[rows]
            return Table(self.fields, len(matrix), matrix=matrix)
        assert self._columns is not None
        return Table.from_columns(self.fields, {name: column[rows] for name, column in self._columns.items()})


class Tables:
    """Makes tables of the same fields; made once from them: to look at each field takes longer than a row."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self._fields = fields
        self._dtype = matrix_dtype(fields)
        self._packer = struct.Struct(f"{len(fields)}{self._dtype.char}") if self._dtype is not None else None

    @property
    def are_floats(self) -> bool:
        """Whether all are floats of 64 bits, so that a table holds every cell as it came."""
        return self._packer is not None and all(
            field.value_kind == "float" and array_dtype(field) == np.float64 for field in self._fields
        )

    def of_rows(self, rows: Sequence[Row]) -> Table:
        """The table of checked rows; missing values become NaN or None, as each field says."""
        fields = self._fields
        if self._packer is not None:
            return Table(fields, len(rows), matrix=self._matrix(rows, self._packer))
        cells = list(zip(*rows, strict=True)) if rows else [()] * len(fields)
        columns = {field.name: column_array(field, column) for field, column in zip(fields, cells, strict=True)}
        return Table(fields, len(rows), columns=columns)

    def of_floats(self, rows: Iterable[Row]) -> Table:
        """The table of rows that need not all be there at once; all of it has to be floats.

        Raises:
            struct.error: a cell is missing.
        """
        assert self._packer is not None
        numbers = self._packed(rows, self._packer).reshape(-1, len(self._fields))
        return Table(self._fields, len(numbers), matrix=numbers)

    def of_columns(self, columns: Sequence[Array]) -> Table:
        """The table of checked columns: of numbers in any dtype, and arrays as `column_array` makes them."""
        fields = self._fields
        if self._dtype is not None:
            matrix = np.empty((len(columns[0]), len(fields)), dtype=self._dtype)
            for position, column in enumerate(columns):
                matrix[:, position] = column
            return Table(fields, len(matrix), matrix=matrix)
        # Copies: models may write into their columns, and these may be part of a body.
        named = {field.name: column.astype(array_dtype(field)) for field, column in zip(fields, columns, strict=True)}
        return Table.from_columns(fields, named)

    def _matrix(self, rows: Sequence[Row], packer: struct.Struct) -> Array:
        try:
            numbers = self._packed(rows, packer)
        except struct.error:  # of None, which NumPy knows to be NaN
            numbers = np.array(rows, dtype=self._dtype)
        return numbers.reshape(len(rows), len(self._fields))

    def _packed(self, rows: Iterable[Row], packer: struct.Struct) -> Array:
        # A third of the time that NumPy takes for a list of tuples.
        return np.frombuffer(bytearray().join(starmap(packer.pack, rows)), self._dtype)


def matrix_dtype(fields: Sequence[Field]) -> np.dtype[Any] | None:
    """The dtype in which all columns fit one array of numbers, or None when some are not numbers."""
    kinds = {field.value_kind for field in fields}
    if not kinds <= {"bool", "int", "float"} or any(field.kind == "category" for field in fields):
        return None
    if any(field.nullable for field in fields) or "float" in kinds:
        only_halves = all(field.dtype == "float32" for field in fields)
        return np.dtype(np.float32 if only_halves else np.float64)
    return np.dtype(np.int64 if "int" in kinds else np.bool_)


def array_dtype(field: Field) -> np.dtype[Any]:
    """The NumPy dtype of the field's column; pandas' own dtypes are made from objects by who wants a frame."""
    if field.nullable and field.value_kind in ("bool", "int"):
        return np.dtype(object) if field.value_kind == "bool" else np.dtype(np.float64)
    try:
        dtype = np.dtype(field.dtype)
    except TypeError:
        return np.dtype(object)
    return np.dtype(object) if dtype.kind in "USO" else dtype


def _as_column(field: Field, numbers: Array) -> Array:
    """A column of the matrix in the field's dtype; where that is objects, its numbers are booleans and gaps again."""
    dtype = array_dtype(field)
    if dtype.kind != "O":
        return numbers.astype(dtype, copy=False)
    kind = {"bool": bool, "int": int, "float": float}[field.value_kind]
    return column_array(field, [None if number != number else kind(number) for number in numbers.tolist()])


def column_array(field: Field, cells: Sequence[Cell]) -> Array:
    """One column of checked cells as an array of the field's dtype."""
    dtype = array_dtype(field)
    if dtype.kind == "M":
        return np.array(cells, dtype=dtype)
    if dtype.kind == "O" and field.nullable and field.null == "nan":
        cells = [np.nan if cell is None else cell for cell in cells]
    return np.fromiter(cells, dtype, len(cells))


def column_cells(field: Field, column: Array) -> Sequence[Cell]:
    """The cells of a column: what `column_array` made it of, as far as its dtype holds that."""
    if column.dtype.kind == "M":
        moments: list[Cell] = column.astype("datetime64[us]").tolist()
        return moments
    cells: list[Any] = column.tolist()
    if field.value_kind in _WHOLE and column.dtype.kind in "if":  # in a matrix, or with gaps
        whole = _WHOLE[field.value_kind]
        return [None if cell != cell else whole(cell) for cell in cells]
    return [None if cell != cell else cell for cell in cells] if field.nullable else cells


_WHOLE: dict[str, type[bool] | type[int]] = {"bool": bool, "int": int}
