"""One cell: is it what its field asks for? The only place that decides."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np

from lading.schema.csv_text import MISSING_TEXTS
from lading.schema.fields import Field, Value
from lading.schema.problems import type_name

Cell = Value | datetime | None
"""A checked cell, as the table takes it; None is missing."""

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
_LISTED_VALUES = 12
_OFFSET = -len("+01:00")

_DATE = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.]\d{1,6})?)?(?:Z|[+-]\d\d:\d\d)?)?",
    re.ASCII,
)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.]\d*)?|[.]\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_MAX_NUMBER_CHARS = 64


class Complaint(Exception):
    """A cell is not what its field asks for; says what, not which value."""

    def __init__(self, code: str, detail: str, *, got: str | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.got = got


def expectation(field: Field) -> str:
    """What the field asks for, in a few words: `number, seen 0 to 214`."""
    null = " or null" if field.nullable else ""
    return f"one of {list_values(field.values)}{null}" if field.values else f"{_kind(field)}{null}{_bounds(field)}"


def _kind(field: Field) -> str:
    words = {
        "bool": "boolean",
        "int": "integer",
        "float": "number",
        "text": "string",
        "date": "ISO 8601 date",
    }
    return words[field.value_kind]


def _bounds(field: Field) -> str:
    if field.interval is not None:
        return f", {field.interval}"
    if field.seen is not None:
        return f", seen {field.seen}"
    return f", seen {list_values(field.categories)}" if field.categories else ""


def number_bounds(field: Field) -> tuple[int, int] | tuple[float, float]:
    """The least and the greatest number that the field's dtype, and 64 bits, can hold: whole ones of integers."""
    dtype = numpy_dtype(field.dtype)
    if field.value_kind == "int":
        whole = np.iinfo(dtype if dtype.kind in "iu" else np.int64)
        return max(int(whole.min), INT64_MIN), min(int(whole.max), INT64_MAX)
    greatest = float(np.finfo(dtype if dtype.kind == "f" and dtype.itemsize < 8 else np.float64).max)
    return -greatest, greatest


def numpy_dtype(name: str) -> np.dtype[Any]:
    """The NumPy dtype of a name, also of pandas' own (`Int64`, `int64[pyarrow]`); `object` where there is none."""
    for spelled in (name, name.lower().removesuffix("[pyarrow]")):
        try:
            return np.dtype(spelled)
        except (TypeError, ValueError, SyntaxError):  # all of which NumPy raises for what it cannot read
            continue
    return np.dtype(object)


def list_values(values: tuple[Value, ...]) -> str:
    """The allowed values, shortened when they are many."""
    shown = ", ".join(str(value) for value in values[:_LISTED_VALUES])
    more = len(values) - _LISTED_VALUES
    return f"{shown} and {more} more" if more > 0 else shown


def cell_checker(field: Field) -> Callable[[object], Cell]:
    """A function that gives the checked cell or raises `Complaint`, made once for a field."""
    check_kind = _KIND_CHECKS[field.value_kind](field)
    same = _moment if field.value_kind == "date" else _itself
    values = frozenset(same(value) for value in field.values)
    interval = field.interval
    wanted = expectation(field)
    listed = list_values(field.values)

    def check(value: object) -> Cell:
        if value is None:
            if field.nullable:
                return None
            raise Complaint("schema.null", f"expected {wanted}, got null", got="null")
        cell = check_kind(value)
        if values and same(cell) not in values:
            raise Complaint("schema.not_allowed", f"not one of {listed}", got=type_name(value))
        if interval is not None and isinstance(cell, int | float) and cell not in interval:
            raise Complaint("schema.out_of_domain", f"expected {wanted}", got=type_name(value))
        return cell

    return check


def _itself(cell: Cell) -> Cell:
    return cell


def _moment(cell: Cell) -> Cell:
    """What a date is compared by: `2024-02-29` and `2024-02-29T00:00` are the same."""
    return parse_date(cell) if isinstance(cell, str) and is_date(cell) else cell


def accepts(check: Callable[[object], Cell], value: object) -> bool:
    """Whether a field's checker takes this cell."""
    try:
        check(value)
    except Complaint:
        return False
    return True


def read_cell(field: Field, text: str) -> object:
    """The cell that a text stands for, in CSV and query strings; the text itself where it stands for none.

    An empty text is missing. So are the words that `pandas.read_csv` takes for missing (`NA`, `NaN`, `null`, …), except
    where they may be values: among strings, unless these are categories and the word is none of them.
    """
    if text == "":
        return None
    stripped = text.strip()
    kind = field.value_kind
    is_open_text = kind == "text" and not field.categories
    if field.nullable and stripped in MISSING_TEXTS and not is_open_text and stripped not in field.categories:
        return None
    if kind == "text":
        return text
    if kind == "bool":
        return {"true": True, "false": False, "1": True, "0": False}.get(stripped.lower(), text)
    if kind == "date":
        return stripped
    number = _read_number(stripped, text)
    return whole(number) if kind == "int" else number


def whole(cell: object) -> object:
    """The cell as an integer where it is a float without a fraction: so tables have integers beside gaps."""
    return int(cell) if type(cell) is float and cell.is_integer() else cell


def _read_number(stripped: str, text: str) -> object:
    if len(stripped) > _MAX_NUMBER_CHARS:
        return text
    if _INTEGER.fullmatch(stripped):
        return int(stripped)
    return float(stripped) if _NUMBER.fullmatch(stripped) else text


def is_date(text: str) -> bool:
    """Whether the text is a date as we take them: `2024-02-29`, with a time and an offset if need be."""
    try:
        parse_date(text)
    except Complaint:
        return False
    return True


def parse_date(text: str) -> datetime:
    """The moment in UTC, without time zone, that an ISO 8601 text names; a text without offset is taken as it is."""
    complaint = Complaint("schema.not_a_date", "expected an ISO 8601 date such as 2024-02-29", got="a string")
    if not _DATE.fullmatch(text):
        raise complaint
    try:
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise complaint from None


def _type_complaint(wanted: str, value: object) -> Complaint:
    got = type_name(value)
    return Complaint("schema.wrong_type", f"expected {wanted}, got {got}", got=got)


def _bool_check(field: Field) -> Callable[[object], Cell]:
    wanted = expectation(field)

    def check(value: object) -> Cell:
        if isinstance(value, bool):
            return value
        raise _type_complaint(wanted, value)

    return check


def _int_check(field: Field) -> Callable[[object], Cell]:
    wanted = expectation(field)
    low, high = number_bounds(field)
    size = "of 64 bits" if (low, high) == (INT64_MIN, INT64_MAX) else f"from {low} to {high}"

    def check(value: object) -> Cell:
        if not isinstance(value, int) or isinstance(value, bool):
            raise _type_complaint(wanted, value)
        if not low <= value <= high:
            raise Complaint("schema.too_large", f"expected an integer {size}", got="an integer")
        return value

    return check


def _float_check(field: Field) -> Callable[[object], Cell]:
    wanted = expectation(field)
    low, high = number_bounds(field)
    bits = 64 if high == sys.float_info.max else 8 * numpy_dtype(field.dtype).itemsize

    def check(value: object) -> Cell:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise _type_complaint(wanted, value)
        number = _as_float(value)
        if not low <= number <= high:
            raise Complaint("schema.not_finite", f"expected a finite number of {bits} bits", got="a number")
        return number

    return check


def _as_float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:  # a whole number beyond any float
        return math.inf


def _text_check(field: Field) -> Callable[[object], Cell]:
    wanted = expectation(field)

    def check(value: object) -> Cell:
        if isinstance(value, str):
            return value
        raise _type_complaint(wanted, value)

    return check


def _date_check(field: Field) -> Callable[[object], Cell]:
    wanted = expectation(field)
    wants_moment = field.dtype.startswith("datetime64")
    # A model of texts that were all without an offset may fail on one with it.
    has_none = isinstance(field.example, str) and not _has_offset(field.example)
    # Nanoseconds in 64 bits reach from 1677 to 2262 (numpy.datetime64).
    first, last = (1678, 2261) if field.dtype.startswith("datetime64[ns") else (1, 9999)

    def check(value: object) -> Cell:
        if not isinstance(value, str):
            raise _type_complaint(wanted, value)
        moment = parse_date(value)
        if not first <= moment.year <= last:
            raise Complaint("schema.not_a_date", f"expected a date from {first} to {last}", got="a string")
        if wants_moment:
            return moment
        return moment.isoformat() if has_none and _has_offset(value) else value

    return check


def _has_offset(date: str) -> bool:
    return len(date) > len("2024-02-29") and (date.endswith("Z") or date[_OFFSET] in "+-")


_KIND_CHECKS: dict[str, Callable[[Field], Callable[[object], Cell]]] = {
    "bool": _bool_check,
    "int": _int_check,
    "float": _float_check,
    "text": _text_check,
    "date": _date_check,
}
