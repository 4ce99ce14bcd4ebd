"""A Python function as what answers rows: its parameters say what it takes, their annotations in which form.

def score(age: float, plan: Literal["basic", "pro"])      plain types: called for each row
def score(age: NDArray[np.float64], plan: list[str])      called once for many rows, with a column each
def score(frame: pd.DataFrame)                            called once with everything; so is one that takes `dict`
def score(X)                                              nothing said: an array, as `np.ndarray`
"""

from __future__ import annotations

import datetime
import inspect
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import numpy as np

from lading.errors import UnsupportedModel
from lading.flavors.frames import frame
from lading.schema.fields import Field, Kind, Value
from lading.schema.table import Array, Table

Form = Literal["row", "array", "list", "frame", "columns"]
"""What a parameter wants: a value, a column as an array or list, or everything as a frame or a dictionary of arrays."""

_PLAIN: dict[Any, tuple[Kind, str]] = {
    bool: ("bool", "bool"),
    int: ("int", "int64"),
    float: ("float", "float64"),
    str: ("text", "str"),
    datetime.date: ("date", "datetime64[us]"),
    datetime.datetime: ("date", "datetime64[us]"),
}
_SCALARS: dict[type, type] = {
    np.bool_: bool,
    np.integer: int,
    np.floating: float,
    np.str_: str,
    np.object_: str,
    np.datetime64: datetime.datetime,
}
_WHOLE: tuple[Form, ...] = ("frame", "columns")


@dataclass(frozen=True)
class Parameter:
    """One parameter: its name, what it is given, and the column that it is; None where that is everything."""

    name: str
    form: Form
    field: Field | None
    is_day: bool = False


class Function:
    """A function that answers tables.

    Args:
        fn: the function.
        title: what to call it.
        takes_all: a sole parameter of which nothing is said takes everything, as a dictionary of arrays.

    Attributes:
        names: of its parameters.
        form: what its parameters want.
        fields: the columns that its parameters are; none where it takes everything at once.
        returns: the only values that it says it gives.
        is_open: its one parameter takes an array, which may be of one column or of many: data tell.

    Raises:
        UnsupportedModel: its parameters cannot be columns; says which.
    """

    def __init__(self, fn: Callable[..., Any], title: str, *, takes_all: bool = False) -> None:
        self._fn = fn
        self._parameters = _parameters(fn, title, takes_all=takes_all)
        forms = {parameter.form for parameter in self._parameters}
        if len(self._parameters) > 1 and not forms.isdisjoint(_WHOLE):
            raise UnsupportedModel(f"`{title}` takes everything at once beside other parameters", hint=_HINT)
        if "row" in forms and len(forms) > 1:
            raise UnsupportedModel(f"`{title}` takes single values beside arrays", hint=_HINT)
        self.form: Form = self._parameters[0].form
        self.is_open = len(self._parameters) == 1 and self.form == "array"
        self.fields = tuple(each.field for each in self._parameters if each.field is not None)
        self.names = tuple(each.name for each in self._parameters)
        self.returns = _returned(fn)

    def __call__(self, table: Table) -> Any:
        """What the function gives for a table: an answer for all rows, or a list with one for each."""
        if self.form in _WHOLE:
            return self._fn(_whole(table, self.form))
        if self.is_open and self.names[0] not in table.columns:
            return self._fn(table.matrix if _are_numbers(table) else frame(table))
        if self.form == "row":
            places = [list(table.columns).index(name) for name in self.names]
            return [self._fn(*(row[place] for place in places)) for row in self._rows(table)]
        return self.given(*(table.columns[name] for name in self.names))

    @property
    def columns(self) -> tuple[Field, ...]:
        """The columns that its parameters are, beyond doubt."""
        return () if self.is_open else self.fields

    def given(self, *columns: Array) -> Any:
        """What the function gives for columns in the order of its parameters, whatever those say that they are."""
        if self.form == "row":
            return list(map(self._fn, *(column.tolist() for column in columns)))
        pairs = zip(self._parameters, columns, strict=True)
        return self._fn(*(column.tolist() if each.form == "list" else column for each, column in pairs))

    def _rows(self, table: Table) -> Iterable[Sequence[Any]]:
        days = {each.name for each in self._parameters if each.is_day}
        if not days:
            return table
        is_day = [name in days for name in table.columns]
        return ([_day(cell) if day else cell for cell, day in zip(row, is_day, strict=True)] for row in table)


def _day(cell: Any) -> Any:
    return cell.date() if isinstance(cell, datetime.datetime) else cell


_HINT = "annotate parameters as `float`, `int`, `str`, `bool`, `date`, `Literal[...]`, or with arrays of them"


def _parameters(fn: Callable[..., Any], title: str, *, takes_all: bool) -> tuple[Parameter, ...]:
    try:
        signature = inspect.signature(fn)
        hints = get_type_hints(fn, include_extras=True)
    # Of anybody's annotations: names that are not there, or anything that reading them raises.
    except Exception as error:
        raise UnsupportedModel(f"the parameters of `{title}` cannot be read: {type(error).__name__}") from error
    found = []
    for name, parameter in signature.parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise UnsupportedModel(f"`{title}` takes any number of parameters, which are no columns", hint=_HINT)
        hint = dict if takes_all and len(signature.parameters) == 1 and name not in hints else hints.get(name)
        found.append(_parameter(name, hint, parameter.default, title))
    if not found:
        raise UnsupportedModel(f"`{title}` takes nothing", hint="its parameters are the columns of the model")
    return tuple(found)


def _parameter(name: str, hint: Any, default: Any, title: str) -> Parameter:
    if (whole := _whole_form(hint)) is not None:
        return Parameter(name, whole, None)
    form, kind = _form_and_kind(hint)
    field = _field(name, kind)
    if field is None:
        raise UnsupportedModel(f"the parameter `{name}` of `{title}` is of a type that no column has", hint=_HINT)
    if isinstance(default, bool | int | float | str):
        field = msgspec.structs.replace(field, example=default)
    return Parameter(name, form, field, is_day=datetime.date in _choices(kind))


def _form_and_kind(hint: Any) -> tuple[Form, Any]:
    """What a parameter is given, and what one value of it is."""
    if get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    origin = get_origin(hint) or hint
    if hint in (None, Any) or origin is np.ndarray:
        return "array", _kind_of_array(hint)
    if origin in (list, Sequence):
        return "list", (get_args(hint) or (float,))[0]
    return "row", hint


def _kind_of_array(hint: Any) -> Any:
    """What `NDArray[np.int64]` holds, as Python calls it; numbers where nothing is said."""
    arguments = get_args(hint)  # the shape, and `dtype[...]`
    scalar = (get_args(arguments[1]) or (None,))[0] if len(arguments) == 2 else None
    for known, kind in _SCALARS.items():
        if isinstance(scalar, type) and issubclass(scalar, known):
            return kind
    return float if scalar in (None, Any) else scalar


def _whole_form(hint: Any) -> Form | None:
    if getattr(hint, "__name__", "") == "DataFrame":
        return "frame"
    origin = get_origin(hint) or hint
    return "columns" if isinstance(origin, type) and issubclass(origin, Mapping) else None


def _field(name: str, kind: Any) -> Field | None:
    """The column whose values are of this type; None where no column is."""
    choices = _choices(kind)
    is_nullable = type(None) in choices
    kinds = tuple(choice for choice in choices if choice is not type(None))
    if kinds and all(get_origin(choice) is Literal for choice in kinds):
        return _category(name, tuple(value for choice in kinds for value in get_args(choice)), is_nullable)
    if set(kinds) == {int, float}:
        kinds = (float,)
    if len(kinds) != 1 or kinds[0] not in _PLAIN:
        return None
    word, dtype = _PLAIN[kinds[0]]
    return Field(name, word, dtype, nullable=is_nullable, null="none")


def _choices(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _category(name: str, values: tuple[Any, ...], is_nullable: bool) -> Field | None:
    if not all(isinstance(value, bool | int | str) for value in values) or len(set(map(type, values))) > 1:
        return None
    dtype = {bool: "bool", int: "int64", str: "str"}[type(values[0])]
    return Field(name, "category", dtype, nullable=is_nullable, null="none", categories=values)


def _returned(fn: Callable[..., Any]) -> tuple[Value, ...]:
    """The only values that a function says it gives; none where it says nothing of the kind."""
    try:
        hint = get_type_hints(fn).get("return")
    except Exception:  # of anybody's annotations, which were read before
        return ()
    return tuple(get_args(hint)) if get_origin(hint) is Literal else ()


def _whole(table: Table, form: Form) -> Any:
    return frame(table) if form == "frame" else dict(table.columns)


def _are_numbers(table: Table) -> bool:
    return all(field.value_kind in ("bool", "int", "float") for field in table.fields)


def answers(given: Any, rows: int) -> Array:
    """What a function gave, as an array with an answer a row; a list keeps its values as they are.

    Raises:
        ValueError: it has another number of answers than rows.
    """
    if hasattr(given, "to_numpy"):
        given = given.to_numpy()
    array = given if isinstance(given, np.ndarray) else _of_list(given)
    if array.ndim not in (1, 2) or len(array) != rows:
        raise ValueError(f"expected {rows} answers, one a row")
    return array


def _of_list(given: Any) -> Array:
    if not isinstance(given, list | tuple):
        raise ValueError("expected an array or a list with an answer a row")
    kinds = {type(value) for value in given}
    # Beside others, a whole number would become a float.
    return np.array(given, dtype=None if len(kinds) == 1 and kinds <= {bool, int, float, str} else object)
