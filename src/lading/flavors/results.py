"""What an author's function gave, as an array with an answer a row."""

from __future__ import annotations

import datetime
import enum
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np

from lading.schema.table import Array, Table

_WRITABLE = frozenset("biufUSM")
"""Kinds of arrays (`numpy.dtype.kind`) that JSON can say as they are."""
_PLAIN = frozenset({bool, int, float, str})
_DTYPES: dict[type, type] = {bool: np.bool_, float: np.float64}


class WrongAnswer(ValueError):
    """What a function gave is no answer; `hint` says what to do."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


def answers(given: Any, rows: int, title: str, *, are_numbers: bool = False) -> Array:
    """What a function gave, as an array with an answer a row; of shape (rows,) or (rows, k).

    Args:
        given: what came of a call.
        rows: how many it was called for.
        title: what to call the function.
        are_numbers: its annotation says that it gives numbers.

    Raises:
        WrongAnswer: it has another number of answers than rows, or such as cannot be written.
    """
    if hasattr(given, "to_numpy"):
        given = given.to_numpy()
    elif hasattr(given, "__array__"):
        given = np.asarray(given)
    if not isinstance(given, np.ndarray | list | tuple):
        message = f"`{title}` returned {in_words(given)}, expected {rows} answers, one a row, in an array or a list"
        raise WrongAnswer(message)
    shape = np.shape(given) if isinstance(given, np.ndarray) else (len(given),)
    if len(shape) not in (1, 2) or shape[0] != rows or 0 in shape:
        raise WrongAnswer(f"`{title}` returned answers of shape {shape}, expected {rows} answers, one a row")
    is_array = isinstance(given, np.ndarray) and given.dtype.kind in _WRITABLE
    array: Array = np.asarray(given) if is_array else _of_list(list(given), title)
    if are_numbers and not _are_numbers(array):
        raise WrongAnswer(f"`{title}` returned what is no number, and its annotation says that it gives numbers")
    return array


def _are_numbers(array: Array) -> bool:
    return array.dtype.kind in "iuf" or (array.dtype.kind == "O" and {*map(type, array.flat)} <= {int, float})


def _of_list(given: list[Any], title: str) -> Array:
    if not _PLAIN.issuperset(map(type, given)):
        given = [_plain(value) for value in given]
    if not any(isinstance(value, list) for value in given):
        return _of_cells(given, title)
    widths = {len(value) if isinstance(value, list) else None for value in given}
    if len(widths) > 1:
        raise WrongAnswer(f"`{title}` returned rows of several lengths, expected as many values in each")
    cells = [_plain(cell) for row in given for cell in row]
    if not cells:
        raise WrongAnswer(f"`{title}` returned empty lists, expected a value or several a row")
    return _of_cells(cells, title).reshape(len(given), -1)


def _of_cells(cells: list[Any], title: str) -> Array:
    kinds = set(map(type, cells))
    if not kinds <= _PLAIN:
        strange = next(cell for cell in cells if type(cell) not in _PLAIN)
        raise WrongAnswer(f"`{title}` returned {in_words(strange)} for a row, expected a number, a text or a boolean")
    # Of texts NumPy would drop a final NUL; beside others, a whole number would become a float.
    dtype = _DTYPES.get(next(iter(kinds)), object) if len(kinds) == 1 else object
    if kinds == {int} and all(-(2**63) <= cell < 2**63 for cell in cells):
        dtype = np.int64
    return np.array(cells, dtype=dtype)


def _plain(value: Any) -> Any:
    """One value as Python's own, as far as it is one that JSON has."""
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, enum.Enum):
        return _plain(value.value)
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    return next((kind(value) for kind in (bool, int, float, str) if isinstance(value, kind)), value)


def in_words(value: Any) -> str:
    """What a value is, with what may have happened where it is none."""
    return "nothing (is a `return` missing?)" if value is None else f"`{type(value).__name__}`"


def refuse_company(predict: Callable[[Table], Array], table: Table, given: Array, title: str) -> None:
    """Nothing, if the first and the last row of a table get by themselves what they got beside the others.

    Requests of many callers go through a model together.

    Raises:
        WrongAnswer: they do not.
    """
    for place in {0, table.rows - 1}:
        alone = predict(table.take(slice(place, place + 1)))
        if alone.shape[1:] != given.shape[1:] or not _are_alike(alone[0], given[place]):
            message = f"{title} answers a row differently when other rows are beside it, or from call to call"
            raise WrongAnswer(message, hint="requests of many callers go through it together, each row for itself")


def _are_alike(one: Any, other: Any) -> bool:
    pairs = zip(np.ravel(one).tolist(), np.ravel(other).tolist(), strict=True)
    return all(_is_alike(*pair) for pair in pairs)


def _is_alike(one: Any, other: Any) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other or math.isclose(one, other, rel_tol=1e-5, abs_tol=1e-9) or (one != one and other != other)
    return bool(one == other)
