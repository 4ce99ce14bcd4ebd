"""What a function is called with, and how its parameters become columns."""

import datetime
import functools
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Annotated, Any, Literal, NewType, Optional, TypedDict

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from lading.errors import UnsupportedModel
from lading.flavors.function import Function
from lading.schema.table import Table

Age = NewType("Age", int)


def table(function: Function, *rows: tuple[Any, ...]) -> Table:
    return Table.from_rows(function.fields, rows)


def annotated(hint: Any, default: Any = ...) -> Function:
    """A function of one parameter, `x`, that tells what it is called with."""

    def fn(x):  # type: ignore[no-untyped-def]
        return x

    fn.__annotations__["x"] = hint
    fn.__defaults__ = None if default is ... else (default,)
    return Function(fn, "fn")


PLAIN = [
    (float, "float", 2.0, 2.0),
    (int, "int", 2, 2),
    (bool, "bool", True, True),
    (str, "text", "é\0", "é\0"),
    (datetime.datetime, "date", datetime.datetime(2024, 2, 29, 1), datetime.datetime(2024, 2, 29, 1)),
    (datetime.date, "date", datetime.datetime(2024, 2, 29), datetime.date(2024, 2, 29)),
    (Literal["a", "b"], "category", "a", "a"),
    (Literal[1, 2], "category", 2, 2),
    (int | float, "float", 1.0, 1.0),
    (np.float32, "float", 0.1, 0.1),
    (Annotated[int, "in years"], "int", 3, 3),
    (Age, "int", 3, 3),
]


@pytest.mark.parametrize(("hint", "kind", "cell", "value"), PLAIN)
def test_a_plain_type_is_called_for_each_row_with_a_plain_value(hint: Any, kind: str, cell: Any, value: Any):
    function = annotated(hint)
    (field,) = function.columns
    assert (function.form, field.name, field.kind, field.nullable) == ("row", "x", kind, False)
    got = function(table(function, (cell,), (cell,)))
    assert got == [value, value]
    assert type(got[0]) is type(value)


@pytest.mark.parametrize("hint", [float, int, bool, str, datetime.date, Literal["a"], Annotated[float, "of money"]])
def test_what_may_be_none_is_none(hint: Any):
    function = annotated(Optional[hint])  # noqa: UP045 - `|` does not take all of them
    assert function.columns[0].nullable
    assert function(table(function, (None,))) == [None]


ARRAYS = [
    (np.ndarray, "float", (1.5,), np.float64),
    (ArrayLike, "float", (1.5,), np.float64),
    (Any, "float", (1.5,), np.float64),
    (NDArray[np.int64], "int", (2,), np.int64),
    (NDArray[np.float32], "float", (1.5,), np.float32),
    (NDArray[np.bool_], "bool", (True,), np.bool_),
    (NDArray[np.str_], "text", ("abc",), np.dtype("<U3")),
    (NDArray[np.datetime64], "date", (datetime.datetime(2024, 2, 29),), np.dtype("datetime64[us]")),
]


@pytest.mark.parametrize(("hint", "kind", "row", "dtype"), ARRAYS)
def test_an_array_is_called_once_with_a_column(hint: Any, kind: str, row: tuple[Any, ...], dtype: Any):
    function = annotated(hint)
    assert (function.form, function.fields[0].kind) == ("array", kind)
    column = function(table(function, row, row))
    assert (column.shape, column.dtype) == ((2,), dtype)
    assert column.tolist() == [*row, *row]


@pytest.mark.parametrize("hint", [list[int], Sequence[int]])
def test_a_list_is_one_of_plain_values(hint: Any):
    function = annotated(hint)
    assert function(table(function, (1,), (2,))) == [1, 2]


def test_lists_have_dates_and_gaps():
    def fn(days: list[datetime.date], counts: list[int | None]) -> Any:
        return days + counts

    function = Function(fn, "fn")
    assert function(table(function, (datetime.datetime(2024, 2, 29), None))) == [datetime.date(2024, 2, 29), None]


def test_a_frame_or_a_dictionary_is_everything_at_once():
    fields = Function(lambda a, b: a, "fields").fields
    rows = Table.from_rows(fields, [(1.0, 2.0)])
    frame = annotated(pandas.DataFrame)
    assert (frame.form, frame.columns) == ("frame", ())
    assert frame(rows).to_dict("list") == {"a": [1.0], "b": [2.0]}
    assert list(annotated(dict)(rows)) == ["a", "b"]


def test_one_array_is_the_matrix_of_other_columns():
    function = Function(lambda X: X, "fn")
    rows = Table.from_rows(Function(lambda a, b: a, "fields").fields, [(1.0, 2.0)])
    assert function.is_open
    assert function(rows).tolist() == [[1.0, 2.0]]


def test_what_it_is_given_is_its_own_to_write_into():
    def fn(a: NDArray[np.float64], b: NDArray[np.float64]) -> Any:
        a[:] = 0.0
        return a + b

    function = Function(fn, "fn")
    rows = table(function, (1.0, 2.0))
    assert [function(rows).tolist(), function(rows).tolist()] == [[2.0], [2.0]]
    assert list(rows) == [(1.0, 2.0)]


def test_a_frame_is_its_own_to_write_into():
    def fn(frame: pandas.DataFrame) -> Any:
        frame.loc[:, "a"] = 0.0
        return frame["a"]

    rows = Table.from_rows(Function(lambda a: a, "fields").fields, [(1.0,)])
    assert Function(fn, "fn")(rows).tolist() == [0.0]
    assert list(rows) == [(1.0,)]


# --- defaults


DEFAULTS = [
    (float, 2.5, 2.5),
    (float, 2, 2),
    (Literal["a", "b"], "b", "b"),
    (datetime.date, datetime.date(2024, 2, 29), "2024-02-29"),
    (float, float("nan"), None),
]


@pytest.mark.parametrize(("hint", "default", "example"), DEFAULTS)
def test_a_default_is_the_example(hint: Any, default: Any, example: Any):
    assert annotated(hint, default).fields[0].example == example


def test_a_default_of_none_may_be_missing():
    field = annotated(float, None).fields[0]
    assert (field.nullable, field.example) == (True, None)


@pytest.mark.parametrize(("hint", "default"), [(int, "a"), (int, 2.5), (Literal["a"], "b"), (float, [])])
def test_a_default_of_another_type_is_refused(hint: Any, default: Any):
    with pytest.raises(UnsupportedModel, match="the default of `x` of `fn` is not a value that the column takes"):
        annotated(hint, default)


# --- what cannot be columns


class Row(TypedDict):
    age: float


class Plan(Enum):
    BASIC = "basic"


class Model:
    """As pydantic's: annotations alone."""

    age: float


@pytest.mark.parametrize(
    "hint", [Row, Plan, Model, bytes, object, None, str | int, complex, list[list[float]], NDArray[np.complex128]]
)
def test_a_type_that_no_column_has_is_refused(hint: Any):
    with pytest.raises(UnsupportedModel, match="the parameter `x` of `fn` is of a type that no column has") as raised:
        annotated(hint)
    assert "annotate parameters as `float`" in str(raised.value.hint)


def _mixed(x: float, y: np.ndarray) -> None: ...
def _whole(x: pandas.DataFrame, y: float) -> None: ...
def _forward(x: "Missing") -> None: ...  # type: ignore[name-defined]  # noqa: F821


async def _async(x: float) -> None: ...


def _generator(x: float) -> Any:
    yield x


async def _both(x: float) -> Any:
    yield x


class _AsyncCall:
    async def __call__(self, x: float) -> None: ...


REFUSED = [
    (lambda *args: 0, "takes any number of parameters"),
    (lambda x, **rest: 0, "takes any number of parameters"),
    (lambda: 0, "`fn` takes nothing"),
    (_mixed, "takes single values beside arrays"),
    (_whole, "takes everything at once beside other parameters"),
    (_forward, "NameError: name 'Missing' is not defined"),
    (_async, "`fn` is `async`"),
    (_both, "`fn` is `async`"),
    (_AsyncCall(), "`fn` is `async`"),
    (_generator, "`fn` yields its answers"),
    (dict, "the parameters of `fn` cannot be read"),
]


@pytest.mark.parametrize(("fn", "message"), REFUSED)
def test_what_cannot_be_called_is_refused_in_a_line(fn: Callable[..., Any], message: str):
    with pytest.raises(UnsupportedModel, match=message) as raised:
        Function(fn, "fn")
    assert "\n" not in raised.value.message
    assert raised.value.hint


# --- what can


class Adder:
    """Called as a function."""

    def __call__(self, x: float) -> float:
        return x + 1

    def method(self, x: float) -> float:
        return x + 1


def _times(factor: float, x: float) -> float:
    return factor * x


@functools.lru_cache
def _cached(x: float) -> float:
    return x + 1


@functools.wraps(_cached)
def _wrapped(*args: Any) -> float:
    return _cached(*args)


CALLABLES = [Adder(), Adder().method, _cached, _wrapped, functools.partial(_times, 2), functools.partial(_times, 1.5)]


@pytest.mark.parametrize("fn", CALLABLES)
def test_whatever_can_be_called_is_a_function(fn: Callable[..., Any]):
    function = Function(fn, "fn")
    assert [(field.name, field.kind) for field in function.columns] == [("x", "float")]
    assert function(table(function, (2.0,))) == [fn(2.0)]


def test_what_a_partial_has_bound_is_no_column():
    function = Function(functools.partial(_times, factor=3.0), "fn")
    assert function.names == ("x",)
    assert function(table(function, (2.0,))) == [6.0]


def test_what_is_given_by_name_alone_is_given_by_name():
    def fn(a: float, *, b: float, c: float = 1.0) -> float:
        return a + 10 * b + 100 * c

    function = Function(fn, "fn")
    assert function.names == ("a", "b", "c")
    assert function(table(function, (1.0, 2.0, 3.0))) == [321.0]


def test_the_order_of_the_columns_does_not_matter():
    function = Function(_times, "fn")
    fields = {field.name: field for field in function.fields}
    rows = Table.from_rows([fields["x"], fields["factor"]], [(2.0, 5.0)])
    assert function(rows) == [10.0]


def test_a_literal_that_it_returns_is_all_that_it_gives():
    def one(x: float) -> Literal["yes", "no"]: ...
    def many(x: float) -> list[Literal[1, 0]]: ...
    def numbers(x: float) -> NDArray[np.float64]: ...

    assert Function(one, "fn").returns == ("yes", "no")
    assert Function(many, "fn").returns == (1, 0)
    assert Function(numbers, "fn").returns == ()
    assert [Function(fn, "fn").gives_numbers for fn in (one, numbers)] == [False, True]


# --- around a model


def test_before_a_model_a_sole_parameter_is_everything():
    assert Function(lambda inputs: inputs, "preprocess", place="before").form == "columns"
    assert Function(lambda outputs: outputs, "postprocess", place="after").form == "array"


def test_around_a_model_a_default_without_annotation_is_no_column():
    assert Function(lambda inputs, scale=2.0: inputs, "preprocess", place="before").form == "columns"
    assert Function(lambda inputs, scale=2.0: inputs, "fn").names == ("inputs", "scale")


# --- properties


CELLS = st.tuples(
    st.floats(allow_nan=False), st.integers(-(2**63), 2**63 - 1), st.booleans(), st.text(), st.none() | st.floats(0, 1)
)


@given(st.lists(CELLS, min_size=1, max_size=20))
def test_rows_together_get_what_each_gets_alone(rows: list[tuple[Any, ...]]):
    def fn(a: float, b: int, c: bool, d: str, e: float | None) -> Any:
        return a, b, c, d, e

    function = Function(fn, "fn")
    together = function(table(function, *rows))
    assert together == [function(table(function, row))[0] for row in rows] == rows
    assert [list(map(type, row)) for row in together] == [list(map(type, row)) for row in rows]
