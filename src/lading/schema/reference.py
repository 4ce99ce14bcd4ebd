"""What training looked like, in counts only, never rows: bins, categories, missing values, for each column."""

from __future__ import annotations

from collections import Counter

import msgspec
import numpy as np

from lading.schema.fields import Field, Value
from lading.schema.sample import Column, Sample

BINS = 10
"""Quantile bins a column of numbers is cut into."""
MAX_COUNTED = 200
"""Categories counted one by one; the rarer ones are counted together."""


class ColumnReference(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The distribution of one column.

    Attributes:
        name: the column.
        rows: how many rows were seen.
        missing: in how many of them the value was missing.
        edges: bounds of the bins, one more than there are bins; equal bounds mean a value of its own.
        counts: rows a bin, or rows a category.
        values: the categories, most frequent first.
        others: rows whose category is not listed.
    """

    name: str
    rows: int
    missing: int = 0
    edges: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    values: tuple[Value, ...] = ()
    others: int = 0


class Reference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The distributions of all inputs, in the schema's order."""

    columns: tuple[ColumnReference, ...]


def make_reference(fields: tuple[Field, ...], sample: Sample) -> Reference:
    """The reference of the fields in a sample that has a column for each."""
    return Reference(tuple(_column(field, sample.columns[field.name]) for field in fields))


def _column(field: Field, column: Column) -> ColumnReference:
    rows = len(column.values)
    missing = int(column.is_missing.sum())
    present = column.values[~column.is_missing]
    if field.kind in ("int", "float"):
        edges, counts = _bins(present.astype(np.float64))
        return ColumnReference(field.name, rows, missing, edges=edges, counts=counts)
    if field.kind in ("bool", "category"):
        common = Counter(present.tolist()).most_common(MAX_COUNTED)
        counts = tuple(count for _, count in common)
        values = tuple(value for value, _ in common)
        return ColumnReference(
            field.name, rows, missing, counts=counts, values=values, others=len(present) - sum(counts)
        )
    return ColumnReference(field.name, rows, missing)


def _bins(numbers: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Quantile bins: `BINS` of about equal counts, fewer where values repeat; infinities are in the outer ones."""
    finite = numbers[np.isfinite(numbers)]
    if not len(finite):
        return (), ()
    numbers = np.clip(numbers, finite.min(), finite.max())
    edges = np.unique(np.quantile(numbers, np.linspace(0, 1, BINS + 1)))
    if len(edges) == 1:
        edges = np.repeat(edges, 2)
    counts, _ = np.histogram(numbers, bins=edges)
    return tuple(edges.tolist()), tuple(counts.tolist())
