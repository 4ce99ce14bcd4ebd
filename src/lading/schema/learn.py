"""What the sample adds to what the model itself knows: kinds, ranges, categories, missing values, examples.

The model's word wins where it has one (the categories of its encoder, the columns it was fitted on); the sample
supplies the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from lading.errors import UnsupportedModel, UsageError
from lading.schema.cells import is_date
from lading.schema.estimator import Learned
from lading.schema.fields import Field, Interval, Kind, Value
from lading.schema.sample import Column, Sample, did_you_mean

MAX_CATEGORIES = 50
"""A column of strings with more different values than this, and than 5 % of its rows, is text."""


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
        fields = [_refine_field(field, _column(inputs, field.name)) for field in learned.fields]
    else:
        fields = _refine_by_position(learned.fields, inputs)
    names = {field.name for field in fields}
    unused = tuple(name for name in sample.columns if name not in names)
    return Refined(tuple(fields), unused)


def _refine_texts(learned: Learned, sample: Sample, target: Sequence[str]) -> Refined:
    texts = [name for name, column in sample.columns.items() if column.dtype == "str"]
    if len(texts) != 1:
        raise UsageError(
            f"the model reads one column of text, the data has {len(texts)}",
            hint="leave one column of text beside the target",
        )
    name = texts[0] if sample.is_named else learned.fields[0].name
    field = _refine_field(msgspec.structs.replace(learned.fields[0], name=name), sample.columns[texts[0]])
    return Refined((field,), tuple(n for n in (*sample.columns, *target) if n != texts[0]))


def _column(sample: Sample, name: str) -> Column:
    if name not in sample.columns:
        hint = did_you_mean(name, sample.columns)
        raise UsageError(f"the data lacks the column `{name}` that the model was fitted on", hint=hint)
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
    changes: dict[str, Any] = {"dtype": column.dtype}
    if not (field.kind == "category" and field.nullable):
        changes |= {"nullable": bool(column.is_missing.any()), "null": column.null}
    present = column.values[~column.is_missing]
    if field.kind not in ("category", "text"):
        changes["kind"] = _kind(field.name, column, present)
    if changes.get("kind") == "category":
        changes["categories"] = column.categories or tuple(sorted(set(present.tolist()), key=str))
        changes["closed"] = False
    changes["seen"] = _seen(changes.get("kind", field.kind), present)
    refined = msgspec.structs.replace(field, **changes)
    return msgspec.structs.replace(refined, example=_example(refined, present))


def _kind(name: str, column: Column, present: np.ndarray[Any, Any]) -> Kind:
    by_letter: dict[str, Kind] = {"b": "bool", "i": "int", "u": "int", "f": "float", "M": "date"}
    if column.dtype == "category":
        return "category"
    letter = column.values.dtype.kind
    if letter in by_letter:
        return by_letter[letter]
    kinds = {type(value) for value in present.tolist()}
    if kinds <= {bool}:
        return "bool" if kinds else "float"
    if kinds <= {int, float}:
        return "int" if kinds == {int} else "float"
    if kinds != {str}:
        names = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise UnsupportedModel(f"the column `{name}` mixes kinds of values: {names}", hint="give it one kind")
    return _string_kind(present)


def _string_kind(present: np.ndarray[Any, Any]) -> Kind:
    distinct = set(present.tolist())
    if all(is_date(text) for text in distinct):
        return "date"
    return "category" if len(distinct) <= max(MAX_CATEGORIES, len(present) // 20) else "text"


def _seen(kind: str, present: np.ndarray[Any, Any]) -> Interval | None:
    if kind not in ("int", "float") or not len(present):
        return None
    numbers = present.astype(np.float64)
    return Interval(float(numbers.min()), float(numbers.max()))


def _example(field: Field, present: np.ndarray[Any, Any]) -> Value | None:
    """A value that is there: the median of numbers, the first of dates and texts, the most frequent of others."""
    if not len(present):
        return field.example
    if field.kind in ("int", "float"):
        ordered = np.sort(present.astype(np.float64))
        middle: float = ordered[len(ordered) // 2].item()
        return int(middle) if field.kind == "int" else middle
    if present.dtype.kind == "M":
        return str(np.datetime_as_string(present[0], unit="s"))
    values = present.tolist()
    first: Value = values[0] if field.kind in ("date", "text") else Counter(values).most_common(1)[0][0]
    return first
