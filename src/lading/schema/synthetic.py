"""Rows that look like training without being anybody's: drawn column by column, so no row of the data is repeated.

They are the example that `serve` prints, the golden rows of a bundle, and what parity is tried on.
"""

from __future__ import annotations

from datetime import datetime

import numpy as np

from lading.schema.cells import Cell, parse_date
from lading.schema.fields import Field, Interval, Value
from lading.schema.reference import ColumnReference, Reference
from lading.schema.table import Row

SEED = 20_240_229
"""Rows are drawn with this seed, so packing twice gives the same rows."""
_DIGITS = 4


def example_row(fields: tuple[Field, ...]) -> dict[str, Value | None]:
    """One believable row, as JSON values by name: what `curl` sends and the documentation shows."""
    return {field.name: example_value(field) for field in fields}


def example_value(field: Field) -> Value | None:
    """A value that the field accepts: its example, or the simplest that its rules allow."""
    if field.example is not None and _is_allowed(field, field.example):
        return field.example
    if field.values:
        return field.values[0]
    if field.categories:
        return field.categories[0]
    if field.interval is not None:
        low, high = _bounds(field.interval)
        return int(np.ceil(low)) if field.kind == "int" else (low + high) / 2
    simplest: dict[str, Value] = {"bool": True, "int": 1, "float": 1.0, "text": "text", "date": "2024-02-29"}
    return simplest[field.value_kind]


def draw_rows(fields: tuple[Field, ...], reference: Reference | None, count: int, *, seed: int = SEED) -> list[Row]:
    """Checked rows, each column drawn by itself: from its reference, or around its example where there is none."""
    rng = np.random.default_rng(seed)
    known = {column.name: column for column in reference.columns} if reference else {}
    columns = [_draw_column(field, known.get(field.name), count, rng) for field in fields]
    return list(zip(*columns, strict=True))


def _draw_column(field: Field, reference: ColumnReference | None, count: int, rng: np.random.Generator) -> list[Cell]:
    cells = _draw_present(field, reference, count, rng)
    if not field.nullable:
        return cells
    share = max(reference.missing / reference.rows, 0.05) if reference else 0.05
    return [None if draw < share else cell for cell, draw in zip(cells, rng.random(count), strict=True)]


def _draw_present(field: Field, reference: ColumnReference | None, count: int, rng: np.random.Generator) -> list[Cell]:
    choices = field.values or field.categories or ((False, True) if field.kind == "bool" else ())
    if choices:
        weights = _weights(choices, reference)
        return [choices[index] for index in rng.choice(len(choices), size=count, p=weights)]
    if field.kind in ("int", "float"):
        return _draw_numbers(field, reference, count, rng)
    value = example_value(field)
    moment: Cell = parse_date(str(value)) if field.dtype.startswith("datetime64") else value
    assert isinstance(moment, str | datetime)
    return [moment] * count


def _weights(
    choices: tuple[Value, ...], reference: ColumnReference | None
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    counts = dict(zip(reference.values, reference.counts, strict=True)) if reference else {}
    weights = np.array([counts.get(choice, 0) + 1.0 for choice in choices])
    normalized: np.ndarray[tuple[int], np.dtype[np.float64]] = weights / weights.sum()
    return normalized


def _draw_numbers(field: Field, reference: ColumnReference | None, count: int, rng: np.random.Generator) -> list[Cell]:
    if reference is not None and reference.edges:
        edges = np.array(reference.edges)
        shares = np.array(reference.counts) / sum(reference.counts)
        bins = rng.choice(len(shares), size=count, p=shares)
        numbers = edges[bins] + rng.random(count) * (edges[bins + 1] - edges[bins])
    else:
        numbers = _draw_around(field, count, rng)
    if field.kind == "int":
        numbers = np.rint(numbers)
    else:
        numbers = np.array([float(f"{number:.{_DIGITS}g}") for number in numbers])
    if field.interval is not None:
        numbers = np.clip(numbers, *_bounds(field.interval))
    return [int(number) for number in numbers] if field.kind == "int" else numbers.tolist()


def _draw_around(field: Field, count: int, rng: np.random.Generator) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    if field.seen is not None:
        low, high = _bounds(field.seen)
        return low + rng.random(count) * (high - low)
    center = field.example if isinstance(field.example, int | float) else 0.0
    return center + rng.normal(size=count) * (abs(center) / 4 or 1.0)


def _bounds(interval: Interval) -> tuple[float, float]:
    """Both bounds, an open one standing one unit, or its own size, away from the other."""
    low, high = interval.minimum, interval.maximum
    if low is None:
        low = 0.0 if high is None else high - max(1.0, abs(high))
    return low, low + max(1.0, abs(low)) if high is None else high


def _is_allowed(field: Field, value: Value) -> bool:
    if field.values:
        return value in field.values
    return field.interval is None or (isinstance(value, int | float) and value in field.interval)
