"""What a function may give, and what is said of what it may not."""

import datetime
import enum
from decimal import Decimal
from typing import Any

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.flavors.results import WrongAnswer, answers, refuse_company
from lading.schema.fields import Field
from lading.schema.table import Array, Table


class Plan(enum.StrEnum):
    BASIC = "basic"


class Number(float): ...


GIVEN = [
    ([1, 2], [1, 2], "i"),
    ([True, False], [True, False], "b"),
    ([1.5, 2.0], [1.5, 2.0], "f"),
    (["a\0", "b"], ["a\0", "b"], "O"),
    ([1, 0.5], [1, 0.5], "O"),
    ([2**63, -1], [2**63, -1], "O"),
    ((1, 2), [1, 2], "i"),
    ([np.float32(0.5), np.float64(2)], [0.5, 2.0], "f"),
    ([np.array(1), np.array(2)], [1, 2], "i"),
    ([Decimal("0.5"), Decimal(2)], [0.5, 2.0], "f"),
    ([Plan.BASIC, Plan.BASIC], ["basic", "basic"], "O"),
    ([Number(0.5), Number(2)], [0.5, 2.0], "f"),
    ([datetime.date(2024, 2, 29), datetime.datetime(2024, 3, 1, 2)], ["2024-02-29", "2024-03-01T02:00:00"], "O"),
    ([(1, 2), [3, 4]], [[1, 2], [3, 4]], "i"),
    ([(1, "a"), (2, "b")], [[1, "a"], [2, "b"]], "O"),
    ([np.array([1.0]), np.array([2.0])], [[1.0], [2.0]], "f"),
    (np.array(["a", "b"]), ["a", "b"], "U"),
    (np.array([1, "a"], dtype=object), [1, "a"], "O"),
    (pandas.Series([1.0, 2.0]), [1.0, 2.0], "f"),
    (pandas.Series(["a", "b"], dtype="category"), ["a", "b"], "O"),
    (pandas.DataFrame({"a": [1, 2], "b": [3, 4]}), [[1, 3], [2, 4]], "i"),
]


@pytest.mark.parametrize(("returned", "expected", "kind"), GIVEN)
def test_what_can_be_written_is_an_array_with_an_answer_a_row(returned: Any, expected: Any, kind: str):
    array = answers(returned, 2, "fn")
    assert (array.tolist(), array.dtype.kind) == (expected, kind)
    flat = [value for row in array.tolist() for value in (row if isinstance(row, list) else [row])]
    assert {type(value) for value in flat} <= {bool, int, float, str}


WRONG = [
    (None, "returned nothing .is a `return` missing.., expected 2 answers"),
    (3.0, "returned `float`, expected 2 answers, one a row, in an array or a list"),
    ("ab", "returned `str`"),
    ({"a": 1}, "returned `dict`"),
    ({1, 2}, "returned `set`"),
    (map(abs, [1, 2]), "returned `map`"),
    ([1], r"returned answers of shape \(1,\), expected 2 answers, one a row"),
    (np.mean([1.0]), r"returned answers of shape \(\)"),
    (np.zeros((2, 2, 2)), r"returned answers of shape \(2, 2, 2\)"),
    (np.zeros((2, 0)), r"returned answers of shape \(2, 0\)"),
    ([[], []], "returned empty lists"),
    ([[1], [1, 2]], "returned rows of several lengths"),
    ([[1], 2], "returned rows of several lengths"),
    ([None, 1], "returned nothing .is a `return` missing.. for a row"),
    ([1j, 1j], "returned `complex` for a row"),
    (np.array([1j, 1j]), "returned `complex` for a row"),
    ([b"a", b"b"], "returned `bytes` for a row"),
    ([{"a": 1}, {"a": 2}], "returned `dict` for a row"),
    ([{1}, {2}], "returned `set` for a row"),
    ([[[1]], [[2]]], "returned `list` for a row"),
    (np.array([1, 2], dtype="timedelta64[s]"), "returned `timedelta` for a row"),
]


@pytest.mark.parametrize(("returned", "message"), WRONG)
def test_anything_else_is_named(returned: Any, message: str):
    with pytest.raises(WrongAnswer, match=f"^`fn` {message}"):
        answers(returned, 2, "fn")


@given(st.lists(st.integers() | st.floats(allow_nan=False) | st.booleans() | st.text(), min_size=1))
def test_a_list_keeps_its_values_and_their_types(values: list[Any]):
    array = answers(values, len(values), "fn")
    assert array.tolist() == values
    assert list(map(type, array.tolist())) == list(map(type, values))


@given(st.lists(st.tuples(st.integers(), st.text()), min_size=1))
def test_a_list_of_rows_keeps_its_values(rows: list[tuple[int, str]]):
    assert answers(rows, len(rows), "fn").tolist() == [list(row) for row in rows]


# --- each row for itself

TABLE = Table.from_rows([Field("x")], [(1.0,), (2.0,), (4.0,)])


def _column(table: Table) -> Array:
    return table.columns["x"]


@pytest.mark.parametrize(
    "predict",
    [_column, lambda table: _column(table) * np.nan, lambda table: np.array([[2**70, "a"]] * table.rows, dtype=object)],
)
def test_a_row_that_gets_by_itself_what_it_gets_beside_others_is_fine(predict: Any):
    refuse_company(predict, TABLE, predict(TABLE), "`fn`")


@pytest.mark.parametrize(
    "predict",
    [
        lambda table: _column(table) - _column(table).mean(),
        lambda table: _column(table) / _column(table).max(),
        lambda table: np.argsort(_column(table)),
        lambda table: np.tile(_column(table), (table.rows, 1)),
    ],
)
def test_a_row_that_is_answered_by_its_company_is_refused(predict: Any):
    with pytest.raises(WrongAnswer, match="`fn` answers a row differently when other rows are beside it") as raised:
        refuse_company(predict, TABLE, predict(TABLE), "`fn`")
    assert raised.value.hint
