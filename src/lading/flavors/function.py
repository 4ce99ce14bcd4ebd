"""A Python function as what answers rows: its parameters say what it takes, their annotations in which form.

def score(age: float, plan: Literal["basic", "pro"])      plain types: called for each row
def score(age: NDArray[np.float64], plan: list[str])      called once for many rows, with a column each
def score(frame: pd.DataFrame)                            called once with everything; so is one that takes `dict`
def score(X)                                              nothing said: an array, as `np.ndarray`
"""

from __future__ import annotations

import datetime
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lading.errors import UnsupportedModel
from lading.flavors.frames import frame
from lading.flavors.parameters import HINT, Form, Parameter, Place, gives_numbers, parameters_of, returned, signature_of
from lading.schema.cells import Cell
from lading.schema.fields import Field
from lading.schema.table import Array, Table

_WHOLE: tuple[Form, ...] = ("frame", "columns")


class Function:
    """A function that answers tables.

    Args:
        fn: the function.
        title: what to call it.
        place: where it is called around a model; see `parameters_of`.

    Attributes:
        names: of its parameters.
        form: what its parameters want, all of them alike or arrays and lists.
        fields: the columns that its parameters are; none where it takes everything at once.
        said: names of the parameters whose annotations say what their values are.
        returns: the only values that it says it gives.
        gives_numbers: it says so.
        is_open: its one parameter takes an array, which may be of one column or of many: data tell.

    Raises:
        UnsupportedModel: it cannot be called, or its parameters cannot be columns; says which.
    """

    def __init__(self, fn: Callable[..., Any], title: str, *, place: Place = "") -> None:
        refuse_waiting(fn, title)
        signature = signature_of(fn, title)
        self._parameters = parameters_of(signature, fn, title, place=place)
        self._fn = _by_position(fn, self._parameters)
        forms = {parameter.form for parameter in self._parameters}
        if len(self._parameters) > 1 and not forms.isdisjoint(_WHOLE):
            raise UnsupportedModel(f"`{title}` takes everything at once beside other parameters", hint=HINT)
        if "row" in forms and len(forms) > 1:
            raise UnsupportedModel(f"`{title}` takes single values beside arrays", hint=HINT)
        self.form: Form = self._parameters[0].form
        self.is_open = len(self._parameters) == 1 and self.form == "array"
        self.fields = tuple(each.field for each in self._parameters if each.field is not None)
        self.names = tuple(each.name for each in self._parameters)
        self.said = frozenset(each.name for each in self._parameters if each.is_said)
        self.returns = returned(signature)
        self.gives_numbers = gives_numbers(signature)

    def __call__(self, table: Table) -> Any:
        """What the function gives for a table: an answer for all rows, or a list with one for each."""
        if self.form in _WHOLE:
            return self._fn(_frame(table) if self.form == "frame" else _columns(table))
        if self.is_open and self.names[0] not in table.columns:
            return self._fn(table.matrix.copy() if _are_numbers(table) else _frame(table))
        if self.form == "array":
            return self._call([table.columns[name] for name in self.names])
        cells = dict(zip(table.columns, zip(*table, strict=True), strict=True))
        return self._call([cells[name] for name in self.names])

    @property
    def columns(self) -> tuple[Field, ...]:
        """The columns that its parameters are, beyond doubt."""
        return () if self.is_open else self.fields

    def given(self, *columns: Array) -> Any:
        """What the function gives for columns in the order of its parameters, whatever those say that they are."""
        return self._call([column if self.form == "array" else column.tolist() for column in columns])

    def _call(self, columns: Sequence[Sequence[Any] | Array]) -> Any:
        as_told = [_as_told(each, column) for each, column in zip(self._parameters, columns, strict=True)]
        return list(map(self._fn, *as_told)) if self.form == "row" else self._fn(*as_told)


def _as_told(parameter: Parameter, column: Sequence[Any] | Array) -> Sequence[Any] | Array:
    """A column in the form that its parameter wants: an array of its own, which may be written into."""
    if parameter.form == "array":
        return np.array(column, dtype=parameter.dtype)
    return list(map(_day, column)) if parameter.is_day else list(column)


def _day(cell: Cell) -> Cell | datetime.date:
    return cell.date() if isinstance(cell, datetime.datetime) else cell


def _by_position(fn: Callable[..., Any], parameters: Sequence[Parameter]) -> Callable[..., Any]:
    """The function, where it takes parameters by their names alone behind one that gives them so."""
    named = [parameter.name for parameter in parameters if parameter.is_named]
    if not named:
        return fn
    count = len(parameters) - len(named)
    return lambda *values: fn(*values[:count], **dict(zip(named, values[count:], strict=True)))


def refuse_waiting(fn: Callable[..., Any], title: str) -> None:
    """Raise where a function does not give its answers when it is called.

    Raises:
        UnsupportedModel: it is `async`, or a generator.
    """
    call = fn if inspect.isroutine(fn) else getattr(fn, "__call__", fn)  # noqa: B004
    for function in (fn, call):
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise UnsupportedModel(f"`{title}` is `async`, and nobody waits for it", hint="define it with `def` alone")
        if inspect.isgeneratorfunction(function):
            raise UnsupportedModel(f"`{title}` yields its answers", hint="return them: `return`, not `yield`")


def _frame(table: Table) -> Any:
    return frame(table).copy()


def _columns(table: Table) -> Mapping[str, Array]:
    return {name: column.copy() for name, column in table.columns.items()}


def _are_numbers(table: Table) -> bool:
    return all(field.value_kind in ("bool", "int", "float") for field in table.fields)
