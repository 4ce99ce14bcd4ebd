"""What the parameters of an author's function are: a column each, or everything at once, by their annotations."""

from __future__ import annotations

import datetime
import functools
import inspect
import math
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NewType, Union, get_args, get_origin, is_typeddict

import msgspec
import numpy as np
import numpy.typing as npt

from lading.errors import UnsupportedModel
from lading.flavors.modules import error_in_words
from lading.schema.cells import accepts, cell_checker
from lading.schema.fields import Field, Kind, Value

Form = Literal["row", "array", "list", "frame", "columns"]
"""What a parameter wants: a value, a column as an array or list, or everything as a frame or a dictionary of arrays."""

Place = Literal["", "before", "after"]
"""Where a function is called around a model; nowhere if it is the model."""

HINT = "annotate parameters as `float`, `int`, `str`, `bool`, `date`, `Literal[...]`, or with arrays of them"

_NOTHING = inspect.Parameter.empty
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
_CONVERTED = frozenset("biufU")
"""Kinds (`numpy.dtype.kind`) that an array is converted to, where its annotation names one."""


@dataclass(frozen=True)
class Parameter:
    """One parameter.

    Attributes:
        name: as the column's.
        form: what it is given.
        field: the column that it is; None where that is everything.
        dtype: of its array, where it says so.
        is_day: it wants dates without a time.
        is_named: it is given by its name alone.
        is_said: its annotation says what its values are.
    """

    name: str
    form: Form
    field: Field | None
    dtype: Any = None
    is_day: bool = False
    is_named: bool = False
    is_said: bool = False


def signature_of(fn: Callable[..., Any], title: str) -> inspect.Signature:
    """The signature of a function, its annotations evaluated.

    Raises:
        UnsupportedModel: it has none, or names what is not there.
    """
    try:
        return inspect.signature(fn, eval_str=True)
    except NameError as error:
        hint = "what annotations name is imported when the file runs, so not below `if TYPE_CHECKING:`"
        raise UnsupportedModel(
            f"the annotations of `{title}` cannot be read: {error_in_words(error)}", hint=hint
        ) from None
    # Of anybody's annotations: reading them may raise anything.
    except Exception as error:
        hint = f"write a function around it: def score(x: float): return {title}(x)"
        raise UnsupportedModel(
            f"the parameters of `{title}` cannot be read: {error_in_words(error)}", hint=hint
        ) from error


def parameters_of(signature: inspect.Signature, fn: Any, title: str, *, place: Place) -> tuple[Parameter, ...]:
    """The parameters of a function, in their order.

    Args:
        signature: of the function.
        fn: the function.
        title: what to call it.
        place: before a model what has a default and no annotation is a constant, and a sole parameter of which nothing
            is said is everything; after it whatever has a default is a constant.

    Raises:
        UnsupportedModel: they cannot be columns; says which.
    """
    found = list(_unbound(signature, fn, title, place))
    if not found:
        raise UnsupportedModel(f"`{title}` takes nothing", hint="its parameters are the columns of the model")
    if place == "before" and len(found) == 1 and found[0].annotation is _NOTHING:
        found = [found[0].replace(annotation=dict)]
    return tuple(_parameter(each, title) for each in found)


def _unbound(signature: inspect.Signature, fn: Any, title: str, place: Place) -> Iterator[inspect.Parameter]:
    """The parameters that are to be given."""
    bound = fn.keywords if isinstance(fn, functools.partial) else {}
    for name, parameter in signature.parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise UnsupportedModel(f"`{title}` takes any number of parameters, which are no columns", hint=HINT)
        is_constant = parameter.default is not _NOTHING and (
            place == "after" or (place == "before" and parameter.annotation is _NOTHING)
        )
        if name not in bound and not is_constant:
            yield parameter


def _parameter(parameter: inspect.Parameter, title: str) -> Parameter:
    name, hint = parameter.name, _bare(parameter.annotation)
    is_named = parameter.kind == parameter.KEYWORD_ONLY
    if (whole := _whole_form(hint)) is not None:
        return Parameter(name, whole, None, is_named=is_named)
    form, kind = _form_and_kind(hint)
    field = _field(name, kind)
    if field is None:
        raise UnsupportedModel(f"the parameter `{name}` of `{title}` is of a type that no column has", hint=HINT)
    field = _with_default(field, parameter.default, title)
    is_said = form == "row" or (_scalar(hint) if form == "array" else bool(get_args(hint))) not in (None, Any, False)
    return Parameter(name, form, field, _dtype(hint), datetime.date in _choices(kind), is_named, is_said)


def _bare(hint: Any) -> Any:
    """The type behind `Annotated`, `NewType` and a name for a type."""
    if get_origin(hint) is Annotated:
        return _bare(get_args(hint)[0])
    if isinstance(hint, NewType):
        return _bare(hint.__supertype__)
    return _bare(hint.__value__) if type(hint).__name__ == "TypeAliasType" else hint


def _whole_form(hint: Any) -> Form | None:
    if getattr(hint, "__name__", "") == "DataFrame":
        return "frame"
    origin = get_origin(hint) or hint
    is_mapping = isinstance(origin, type) and issubclass(origin, Mapping) and not is_typeddict(origin)
    return "columns" if is_mapping else None


def _form_and_kind(hint: Any) -> tuple[Form, Any]:
    """What a parameter is given, and what one value of it is."""
    origin = get_origin(hint) or hint
    if hint in (_NOTHING, Any, npt.ArrayLike) or origin is np.ndarray:
        return "array", _plain(_scalar(hint)) or float
    if origin in (list, Sequence):
        return "list", (get_args(hint) or (float,))[0]
    return "row", hint


def _scalar(hint: Any) -> Any:
    """What `NDArray[np.int64]` holds; None where that is not said."""
    arguments = get_args(hint) if get_origin(hint) is np.ndarray else ()  # the shape, and `dtype[...]`
    return (get_args(arguments[1]) or (None,))[0] if len(arguments) == 2 else None


def _dtype(hint: Any) -> Any:
    scalar = _scalar(hint)
    is_concrete = scalar in set(np.sctypeDict.values())
    return scalar if is_concrete and np.dtype(scalar).kind in _CONVERTED else None


def _plain(kind: Any) -> Any:
    """Python's own type for a scalar of NumPy; any other type as it is."""
    kind = None if kind is Any else _bare(kind)
    for known, plain in _SCALARS.items():
        if isinstance(kind, type) and issubclass(kind, known):
            return plain
    return kind


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
    hint = _bare(hint)
    return tuple(map(_plain, get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)))


def _category(name: str, values: tuple[Any, ...], is_nullable: bool) -> Field | None:
    if not all(isinstance(value, bool | int | str) for value in values) or len(set(map(type, values))) > 1:
        return None
    dtype = {bool: "bool", int: "int64", str: "str"}[type(values[0])]
    return Field(name, "category", dtype, nullable=is_nullable, null="none", categories=values)


def _with_default(field: Field, default: Any, title: str) -> Field:
    """The column with the default as its example; one of None may be missing, as it may for the function."""
    if default is None:
        return msgspec.structs.replace(field, nullable=True)
    if default is _NOTHING or (isinstance(default, float) and not math.isfinite(default)):
        return field
    example = default.isoformat() if isinstance(default, datetime.date) else default
    if not isinstance(example, bool | int | float | str) or not accepts(cell_checker(field), example):
        message = f"the default of `{field.name}` of `{title}` is not a value that the column takes"
        raise UnsupportedModel(message, hint="a default is the example of its column")
    return msgspec.structs.replace(field, example=example)


def returned(signature: inspect.Signature) -> tuple[Value, ...]:
    """The only values that a function says it gives, for a row or in a list; none where it says nothing of the kind."""
    hint = _bare(signature.return_annotation)
    if get_origin(hint) in (list, Sequence):
        hint = _bare(get_args(hint)[0])
    return tuple(get_args(hint)) if get_origin(hint) is Literal else ()


def gives_numbers(signature: inspect.Signature) -> bool:
    """Whether a function says that it gives a number, for a row or as an array of them."""
    hint = _bare(signature.return_annotation)
    return _plain(_scalar(hint) or hint) in (int, float)
