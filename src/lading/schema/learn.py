"""What the sample adds to what the model itself knows: kinds, ranges, categories, missing values, examples.

The model's word wins where it has one (the categories of its encoder, the columns it was fitted on); the sample
supplies the rest.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from lading.errors import UnsupportedModel, UsageError
from lading.schema.cells import accepts, cell_checker, is_date, numpy_dtype
from lading.schema.clues import SOME_WORDS
from lading.schema.estimator import Learned
from lading.schema.fields import Field, Interval, Kind, Value
from lading.schema.sample import Column, Sample, did_you_mean
from lading.schema.values import plain
from lading.schema.words import shortened

MAX_CATEGORIES = 50
"""A column of strings with more different values than this, and than 5 % of its rows, is text."""
MAX_RARE_CATEGORIES = 10
"""So is one with more than this of which most stand in one row only: they may be names of people."""


@dataclass(frozen=True)
class Refined:
    """The fields after a sample was seen, and the names of the columns that no field stands for."""

    fields: tuple[Field, ...]
    unused: tuple[str, ...]


def refine(learned: Learned, sample: Sample, *, target: Sequence[str] = ()) -> Refined:
    """The model's own fields, refined by a sample that may hold the target and columns that the model does not use.

    Raises:
        UsageError: the sample lacks a column of the model, or has too many and the model knows no names.
    """
    inputs = sample.without(target)
    if learned.wants == "texts":
        return _refine_texts(learned, inputs, target)
    if learned.named:
        fields = [
            (_refine_said if field.name in learned.said else _refine_field)(field, _column(inputs, field.name))
            for field in learned.fields
        ]
    else:
        fields = _refine_by_position(learned.fields, inputs)
    names = {field.name for field in fields}
    unused = tuple(name for name in sample.columns if name not in names)
    return Refined(tuple(fields), unused)


def _refine_texts(learned: Learned, sample: Sample, target: Sequence[str]) -> Refined:
    texts = [name for name, column in sample.columns.items() if column.dtype.startswith("str")]
    if len(texts) != 1:
        raise UsageError(
            f"the model reads one column of text, the data has {len(texts)}",
            hint="leave one column of text beside the target",
        )
    name = texts[0]
    field = _refine_field(msgspec.structs.replace(learned.fields[0], name=name), sample.columns[name])
    return Refined((field,), tuple(other for other in (*sample.columns, *target) if other != name))


def _column(sample: Sample, name: str) -> Column:
    if name not in sample.columns:
        hint = did_you_mean(name, sample.columns) if sample.is_named else "give a frame with the names of the columns"
        raise UsageError(f"the data lacks the column `{name}`, an input of the model", hint=hint)
    return sample.columns[name]


def _refine_by_position(fields: Sequence[Field], sample: Sample) -> list[Field]:
    if fields and len(fields) != len(sample.columns):
        raise UsageError(
            f"the model takes {len(fields)} columns, the data has {len(sample.columns)}",
            hint="name the column that is not an input: --target NAME",
        )
    bases = fields or [Field(name) for name in sample.columns]
    return [
        _refine_field(msgspec.structs.replace(field, name=name), column)
        for field, (name, column) in zip(bases, sample.columns.items(), strict=True)
    ]


def _refine_field(field: Field, column: Column) -> Field:
    present = column.values[~column.is_missing]
    kind = field.kind if field.kind in ("category", "text") else _kind(field.name, column, present)
    changes: dict[str, Any] = {"kind": kind, "seen": _seen(kind, present)}
    if field.kind in ("category", "text"):
        _refuse_other_values(field, present)
    elif kind == "category":
        changes |= {"categories": _categories(field.name, column, present), "closed": False}
    if field.dtype != "category":  # which a file of text cannot say of its columns
        changes["dtype"] = column.dtype
    if not (field.kind == "category" and field.nullable):
        changes |= {"nullable": bool(column.is_missing.any()), "null": column.null}
    refined = msgspec.structs.replace(field, **changes)
    return msgspec.structs.replace(refined, example=_example(refined, present))


def _refine_said(field: Field, column: Column) -> Field:
    """The field with the range and the example of the data, whose kind they do not change."""
    present = column.values[~column.is_missing]
    check = cell_checker(field)
    for value in {_whole(plain(value)) for value in present}:
        if not accepts(check, value):
            wanted = f"one of {shortened(tuple(map(str, field.values)))}" if field.values else field.kind
            message = f"the column `{field.name}` of the data holds what the model does not take, which is {wanted}"
            raise UsageError(message, hint="give other data, or annotate the parameter as they are")
    refined = msgspec.structs.replace(field, seen=_seen(field.kind, present))
    example = field.example if field.example is not None else _example(refined, present)
    return msgspec.structs.replace(refined, example=example)


def _whole(value: Any) -> Any:
    """A whole number that stands among gaps is a float in data."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _kind(name: str, column: Column, present: np.ndarray[Any, Any]) -> Kind:
    by_letter: dict[str, Kind] = {"b": "bool", "i": "int", "u": "int", "f": "float", "M": "date"}
    if column.dtype == "category":
        return "category"
    for letter in (numpy_dtype(column.dtype).kind, column.values.dtype.kind):
        if letter in by_letter:
            return by_letter[letter]
    kinds = {type(value) for value in present.tolist()}
    if kinds <= {bool}:
        return "bool" if kinds else "float"
    if kinds <= {int, float}:
        return "int" if kinds == {int} else "float"
    if kinds != {str}:
        raise _unservable(name, kinds)
    return _string_kind(present)


def _unservable(name: str, kinds: set[type]) -> UnsupportedModel:
    names = ", ".join(sorted(kind.__name__ for kind in kinds))
    if len(kinds) == 1:
        hint = "make it text or numbers"
        return UnsupportedModel(f"the column `{name}` holds {names}, which no request can", hint=hint)
    return UnsupportedModel(f"the column `{name}` mixes kinds of values: {names}", hint="give it one kind")


def _refuse_other_values(field: Field, present: np.ndarray[Any, Any]) -> None:
    """The model knows what its categories and texts are; data in which they are read as something else are no help."""
    is_text = {type(value) for value in present.tolist()} == {str}
    if len(present) and is_text != (field.value_kind == "text"):
        held, wanted = ("text", "numbers") if is_text else ("numbers", "text")
        raise UsageError(
            f"the column `{field.name}` is {held} in the data, the model was fitted on {wanted}",
            hint="give the data with the datatypes of training: as Parquet, or from Python as a frame",
        )


def _categories(name: str, column: Column, present: np.ndarray[Any, Any]) -> tuple[Value, ...]:
    found = column.categories or tuple(sorted(set(present.tolist()), key=str))
    kinds = {type(value) for value in found}
    if not any(kinds <= allowed for allowed in ({str}, {bool}, {int, float})):
        raise _unservable(name, kinds)
    if any(isinstance(value, float) and not math.isfinite(value) for value in found):
        raise UnsupportedModel(f"the column `{name}` has an infinite category", hint="make it text")
    return found


def _string_kind(present: np.ndarray[Any, Any]) -> Kind:
    distinct = set(present.tolist())
    if all(is_date(text) for text in distinct):
        return "date"
    are_many = len(distinct) > max(MAX_CATEGORIES, len(present) // 20)
    are_rare = len(distinct) > max(MAX_RARE_CATEGORIES, len(present) // 2)
    return "text" if are_many or are_rare else "category"


def _seen(kind: str, present: np.ndarray[Any, Any]) -> Interval | None:
    if kind not in ("int", "float"):
        return None
    numbers = _finite(present)
    return Interval(float(numbers[0]), float(numbers[-1])) if len(numbers) else None


def _finite(present: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The numbers in ascending order, less the infinite ones, which no request can hold."""
    numbers = np.sort(present.astype(np.float64))
    return numbers[np.isfinite(numbers)]


def _example(field: Field, present: np.ndarray[Any, Any]) -> Value | None:
    """A value that is there: the median of numbers and dates, the most frequent category; never somebody's text."""
    if field.kind == "text":
        return field.example or SOME_WORDS
    if field.kind in ("int", "float"):
        present = _finite(present)
    if not len(present):
        return field.example
    if field.kind in ("int", "float"):
        middle: float = present[len(present) // 2].item()
        return int(middle) if field.kind == "int" else middle
    if present.dtype.kind == "M":
        return str(np.datetime_as_string(np.sort(present)[len(present) // 2], unit="s"))
    values: list[Value] = present.tolist()
    if field.kind == "date":
        return sorted(map(str, values))[len(values) // 2]
    return Counter(values).most_common(1)[0][0]
