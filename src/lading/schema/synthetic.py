"""Rows that look like training without being anybody's: drawn column by column, so no row of the data is repeated.

They are the example that `serve` prints, the golden rows of a bundle, and what parity is tried on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lading.schema.cells import Cell, accepts, cell_checker, number_bounds
from lading.schema.fields import Field, Interval, Value
from lading.schema.reference import ColumnReference, Reference
from lading.schema.table import Row

SEED = 20_240_229
"""Rows are drawn with this seed, so packing twice gives the same rows."""
_DIGITS = 4
_SIMPLEST: dict[str, Value] = {"bool": True, "int": 1, "float": 1.0, "text": "text", "date": "2024-02-29"}

Numbers = npt.NDArray[np.float64]


def example_row(fields: tuple[Field, ...]) -> dict[str, Value | None]:
    """One believable row, as JSON values by name: what `curl` sends and the documentation shows."""
    return {field.name: example_value(field) for field in fields}


def example_value(field: Field) -> Value:
    """A value that the field accepts: its example, or the simplest that its rules allow."""
    candidates = (field.example, *field.values, *field.categories, *_middle(field))
    check = cell_checker(field)
    fitting = (value for value in candidates if value is not None and accepts(check, value))
    return next(fitting, _SIMPLEST[field.value_kind])


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
    if field.kind in ("int", "float") and not field.values:
        return _draw_numbers(field, reference, count, rng)
    check = cell_checker(field)
    values = field.values or field.categories or ((False, True) if field.kind == "bool" else ())
    choices = [value for value in values if accepts(check, value)] or [example_value(field)]
    drawn = rng.choice(len(choices), size=count, p=_weights(choices, reference))
    return [check(choices[index]) for index in drawn]


def _weights(choices: Sequence[Value], reference: ColumnReference | None) -> Numbers:
    counts = dict(zip(reference.values, reference.counts, strict=True)) if reference and reference.values else {}
    weights = np.array([counts.get(choice, 0) + 1.0 for choice in choices])
    normalized: Numbers = weights / weights.sum()
    return normalized


def _draw_numbers(field: Field, reference: ColumnReference | None, count: int, rng: np.random.Generator) -> list[Cell]:
    if reference is not None and reference.edges:
        edges = np.array(reference.edges)
        shares = np.array(reference.counts) / sum(reference.counts)
        bins = rng.choice(len(shares), size=count, p=shares)
        numbers = _between(edges[bins], edges[bins + 1], rng.random(count))
    elif field.seen is not None:
        numbers = _between(*_closed(field.seen), rng.random(count))
    else:
        numbers = _draw_around(float(example_value(field)), count, rng)
    low, high = _limits(field)
    if field.kind == "int":
        return [min(max(round(number), low), high) for number in numbers.tolist()]
    return [min(max(float(f"{number:.{_DIGITS}g}"), low), high) for number in numbers.tolist()]


def _between(low: float | Numbers, high: float | Numbers, shares: Numbers) -> Numbers:
    # Not `low + shares * (high - low)`: the difference may be beyond any float.
    return low * (1 - shares) + high * shares


def _draw_around(center: float, count: int, rng: np.random.Generator) -> Numbers:
    with np.errstate(over="ignore"):
        numbers: Numbers = center + rng.normal(size=count) * (abs(center) / 4 or 1.0)
    return numbers


def _limits(field: Field) -> tuple[float, float]:
    """The least and the greatest number that the field accepts: whole ones of integers."""
    low, high = number_bounds(field)
    interval = field.interval or Interval()
    if interval.minimum is not None:
        low = max(low, math.ceil(interval.minimum) if field.value_kind == "int" else interval.minimum)
    if interval.maximum is not None:
        high = min(high, math.floor(interval.maximum) if field.value_kind == "int" else interval.maximum)
    return low, high


def _middle(field: Field) -> tuple[Value, ...]:
    """A number within the declared interval, where there is one."""
    if field.interval is None:
        return ()
    low, high = _closed(field.interval)
    middle = math.ceil(low) if field.value_kind == "int" else low / 2 + high / 2
    least, greatest = _limits(field)
    return (min(max(middle, least), greatest),)


def _closed(interval: Interval) -> tuple[float, float]:
    """Both bounds, an open one standing one unit, or its own size, away from the other."""
    low, high = interval.minimum, interval.maximum
    if low is None:
        low = 0.0 if high is None else high - max(1.0, abs(high))
    return low, low + max(1.0, abs(low)) if high is None else high
