"""Rows become the columns, or the matrix, that a model was trained on."""

import math
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.schema.fields import Field, Output, Schema
from lading.schema.rows import RowChecker
from lading.schema.table import Table, array_dtype, column_array, matrix_dtype

FLOAT, INT, BOOL = Field("f"), Field("i", "int", "int64"), Field("b", "bool", "bool")
TEXT = Field("t", "text", "str")


def null(field, null="nan"):
    return Field(field.name, field.kind, field.dtype, nullable=True, null=null)


@pytest.mark.parametrize(
    ("fields", "dtype"),
    [
        ([FLOAT], "float64"),
        ([INT], "int64"),
        ([BOOL], "bool"),
        ([INT, BOOL], "int64"),
        ([FLOAT, INT, BOOL], "float64"),
        ([null(INT)], "float64"),
        ([null(BOOL)], "float64"),
        ([Field("a", dtype="float32"), Field("b", dtype="float32")], "float32"),
        ([Field("a", dtype="float32"), FLOAT], "float64"),
        ([Field("a", dtype="float32"), INT], "float64"),
        ([FLOAT, TEXT], None),
        ([Field("d", "date", "datetime64[ns]")], None),
        ([Field("c", "category", "int64", categories=(1, 2))], None),
    ],
)
def test_numbers_make_one_matrix(fields, dtype):
    found = matrix_dtype(fields)
    assert found == (None if dtype is None else np.dtype(dtype))


@pytest.mark.parametrize(
    ("field", "cells", "column"),
    [
        (FLOAT, [1.5, -0.0], np.array([1.5, -0.0])),
        (null(FLOAT), [1.5, None], np.array([1.5, math.nan])),
        (Field("x", dtype="float32"), [0.1], np.array([0.1], dtype="float32")),
        (INT, [2**62, 1], np.array([2**62, 1])),
        (Field("x", "int", "uint8"), [255, 0], np.array([255, 0], dtype="uint8")),
        (null(INT), [1, None], np.array([1.0, math.nan])),
        (BOOL, [True, False], np.array([True, False])),
        (null(BOOL), [True, None], np.array([True, math.nan], dtype=object)),
        (null(BOOL, "none"), [True, None], np.array([True, None], dtype=object)),
        (TEXT, ["a", ""], np.array(["a", ""], dtype=object)),
        (null(TEXT), ["a", None], np.array(["a", math.nan], dtype=object)),
        (null(TEXT, "none"), ["a", None], np.array(["a", None], dtype=object)),
        (Field("x", "int", "Int64"), [1, 2], np.array([1, 2], dtype=object)),
        (Field("x", "category", "category", categories=("a",)), ["a"], np.array(["a"], dtype=object)),
        (Field("x", "category", "int64", categories=(1, 2)), [1, 2], np.array([1, 2])),
        (Field("x", "date", "str"), ["2024-02-29"], np.array(["2024-02-29"], dtype=object)),
        (
            Field("x", "date", "datetime64[ns]", nullable=True),
            [datetime(2024, 2, 29), None],
            np.array(["2024-02-29", "NaT"], dtype="datetime64[ns]"),
        ),
    ],
)
def test_a_column_has_the_dtype_and_the_gaps_of_training(field, cells, column):
    made = column_array(field, cells)
    assert made.dtype == column.dtype == array_dtype(field)
    assert repr(made.tolist()) == repr(column.tolist())
    alone = Table.from_rows((field,), [(cell,) for cell in cells]).columns[field.name]
    assert (alone.dtype, repr(alone.tolist())) == (column.dtype, repr(column.tolist()))


def test_numbers_in_a_matrix_are_columns_of_their_own_dtypes_again():
    gap = Field("n", "bool", "object", nullable=True, null="none")
    fields = FLOAT, Field("i", "int", "int8"), BOOL, gap, Field("I", "int", "Int64")
    table = Table.from_rows(fields, [(1.5, 2, True, None, 3)])
    assert table.matrix.dtype == np.float64
    assert {name: (str(column.dtype), column.tolist()) for name, column in table.columns.items()} == {
        "f": ("float64", [1.5]),
        "i": ("int8", [2]),
        "b": ("bool", [True]),
        "n": ("object", [None]),
        "I": ("object", [3]),
    }


def test_columns_of_several_kinds_make_a_matrix_of_objects():
    table = Table.from_rows((FLOAT, TEXT, null(INT)), [(1.5, "a", None), (2.0, "b", 3)])
    assert table.matrix.dtype == object
    assert repr(table.matrix.tolist()) == repr([[1.5, "a", math.nan], [2.0, "b", 3.0]])


def test_columns_of_numbers_make_a_matrix_of_numbers():
    columns = {"f": np.array([1.5, 2.0]), "i": np.array([1, 2])}
    table = Table.from_columns((FLOAT, INT), columns)
    assert (table.rows, table.matrix.dtype, table.matrix.tolist()) == (2, np.float64, [[1.5, 1.0], [2.0, 2.0]])


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "bool"])
def test_a_matrix_has_the_bits_that_numpy_makes_of_its_rows(dtype):
    kind = {"f": "float", "i": "int", "b": "bool"}[np.dtype(dtype).kind]
    rows = [(0.1, 1 / 3), (-0.0, 3.4e38)] if kind == "float" else [(True, False), (False, True)]
    rows = [(2**63 - 1, -(2**63)), (True, 0)] if kind == "int" else rows
    matrix = Table.from_rows([Field("a", kind, dtype), Field("b", kind, dtype)], rows).matrix
    expected = np.array(rows, dtype=dtype)
    assert (matrix.dtype, matrix.tobytes()) == (expected.dtype, expected.tobytes())
    assert matrix.flags.writeable
    assert matrix.flags.aligned
    assert matrix.flags.c_contiguous


def test_gaps_and_whole_numbers_among_numbers_are_what_numpy_makes_of_them():
    fields = [null(FLOAT), FLOAT, INT, BOOL]
    rows = [(1.5, 2.5, 2**53 + 1, True), (None, 0.1, -1, False)]
    assert Table.from_rows(fields, rows[:1]).matrix.tobytes() == np.array(rows[:1], dtype=float).tobytes()
    assert Table.from_rows(fields, rows).matrix.tobytes() == np.array(rows, dtype=float).tobytes()


@pytest.mark.parametrize("rows", [[(1.0,)], [(1.0, 2.0, 3.0)], [(1.0, 2.0, 3.0), (4.0,)]], ids=repr)
@pytest.mark.parametrize("other", [FLOAT, TEXT], ids=["numbers", "texts"])
def test_rows_of_another_width_are_no_table(rows, other):
    with pytest.raises(ValueError):  # noqa: PT011  NumPy's and Python's words differ
        Table.from_rows([FLOAT, other], rows)


def test_no_rows_make_an_empty_table():
    for fields in ((FLOAT, INT), (FLOAT, TEXT)):
        table = Table.from_rows(fields, [])
        assert (table.rows, table.matrix.shape) == (0, (0, 2))
        assert [len(column) for column in table.columns.values()] == [0, 0]


@given(data=st.data(), schema=...)
def test_some_rows_of_a_table_are_the_table_of_these_rows(data, schema: Schema, rows_of):
    checker = RowChecker(schema)
    rows = [checker.object(data.draw(rows_of(schema))) for _ in range(3)]
    whole = Table.from_rows(schema.inputs, rows)
    for part, picked in (
        (slice(1, 3), rows[1:]),
        (np.array([2, 0]), [rows[2], rows[0]]),
        (np.array([True, False, True]), rows[::2]),
    ):
        some, alone = whole.take(part), Table.from_rows(schema.inputs, picked)
        assert some.rows == alone.rows == len(picked)
        assert repr(some.matrix.tolist()) == repr(alone.matrix.tolist())


@given(data=st.data(), schema=...)
def test_every_accepted_row_fits_its_columns(data, schema: Schema, rows_of):
    row = RowChecker(schema).object(data.draw(rows_of(schema)))
    table = Table.from_rows(schema.inputs, [row])
    assert [*table.columns] == [*schema.names]
    for field, column, cell in zip(schema.inputs, table.columns.values(), row, strict=True):
        assert column.dtype == array_dtype(field)
        value = column.tolist()[0]
        if cell is None:
            assert value is None or value != value
        elif field.dtype in ("float32", "float16"):
            assert value == np.dtype(field.dtype).type(cell)
        elif isinstance(cell, float | bool | str):
            assert value == cell


@given(data=st.data(), schema=...)
def test_the_rows_of_a_table_are_those_that_it_was_made_of(data, schema: Schema, rows_of):
    checker = RowChecker(schema)
    rows = [checker.object(data.draw(rows_of(schema))) for _ in range(3)]
    table = Table.from_rows(schema.inputs, rows)
    again = Table.from_rows(schema.inputs, list(table))
    assert (len(table), repr(table.matrix.tolist())) == (3, repr(again.matrix.tolist()))
    for row, made in zip(rows, table, strict=True):
        for field, cell, other in zip(schema.inputs, row, made, strict=True):
            if field.dtype[:7] not in ("float32", "float16") and not (isinstance(cell, int) and abs(cell) > 2**53):
                assert (cell, type(cell)) == (other, type(other)) or field.dtype == "datetime64[D]"


def test_a_row_of_a_table_is_found_from_either_end():
    table = Table.from_rows((FLOAT, INT), [(0.5, 1), (1.5, 2), (2.5, 3)])
    assert (table[0], table[-1], list(table[1:])) == ((0.5, 1), (2.5, 3), [(1.5, 2), (2.5, 3)])
    with pytest.raises(IndexError):
        table[3]


def test_a_table_says_its_schema():
    schema = Schema("regression", (FLOAT, INT), (Output("prediction"),))
    assert Table.from_rows(schema.inputs, [(1.0, 2)]).fields == schema.inputs
