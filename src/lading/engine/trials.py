"""The rows on which a compiled model has to answer as the native one does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lading.engine.borders import Borders
from lading.schema.cells import number_bounds
from lading.schema.fields import Field
from lading.schema.reference import Reference
from lading.schema.sample import Column, Sample
from lading.schema.synthetic import SEED, draw_rows
from lading.schema.table import Array, Table, column_array

MAX_SAMPLE_ROWS = 20_000
SYNTHETIC_ROWS = 1_000
MOVED_ROWS = 1_000
"""Rows of the data, and as many synthetic ones at most, that are moved by each step."""
BORDER_ROWS = 4_000
STEPS = (1e-7, 1e-5, 1e-3)
"""Relative distances by which numbers are moved, up or down."""
FAR = (3.0, 30.0)
"""How many times as far from the middle of their column numbers are moved: a request may bring what no sample holds."""


@dataclass(frozen=True)
class Trial:
    """Rows to try, and what they are, in words."""

    words: str
    table: Table


def trials(
    fields: tuple[Field, ...], reference: Reference | None, sample: Sample | None, borders: Borders
) -> Iterator[Trial]:
    """Every trial, the most telling first: the same each time.

    Args:
        fields: the inputs of the model.
        reference: what synthetic rows are drawn from; around the examples of the fields, where there is none.
        sample: training data; none where the model was packed without.
        borders: where the trees of the model split its inputs.
    """
    bases = [Table.from_rows(fields, draw_rows(fields, reference, SYNTHETIC_ROWS, seed=SEED + 1))]
    if sample is not None and (given := sample_table(fields, sample)).rows:
        bases.insert(0, given)
        yield Trial("rows of the data", given)
    yield Trial("synthetic rows", bases[-1])
    rng = np.random.default_rng(SEED)
    for step in STEPS:
        for base in bases:
            yield Trial(f"rows moved by {step:g}", _moved(_some(base, MOVED_ROWS, rng), step, rng))
    for times in FAR:
        yield Trial(f"rows {times:g} times as far out", _spread(_some(bases[0], MOVED_ROWS, rng), times, rng))
    if borders:
        yield Trial("rows at the borders of its trees", _at_borders(_some(bases[0], BORDER_ROWS, rng), borders, rng))


def sample_table(fields: tuple[Field, ...], sample: Sample, *, max_rows: int = MAX_SAMPLE_ROWS) -> Table:
    """The rows of a sample that a request could bring, evenly taken from all of them where they are too many."""
    rows = servable_rows(fields, sample, max_rows)
    arrays = {field.name: _array(field, sample.columns[field.name], rows) for field in fields}
    return Table.from_columns(fields, arrays)


def servable_rows(fields: Sequence[Field], sample: Sample, max_rows: int) -> Array:
    """The positions of such rows in the sample, ascending."""
    usable = np.ones(sample.rows, dtype=bool)
    for field in fields:
        usable &= _is_servable(field, sample.columns[field.name])
    rows: Array = np.flatnonzero(usable)
    return rows[np.linspace(0, len(rows) - 1, max_rows).astype(int)] if len(rows) > max_rows else rows


def _is_servable(field: Field, column: Column) -> Array:
    """Where a value may be sent: missing ones and those outside of categories or domains are refused."""
    may_be = np.ones(len(column.values), dtype=bool)
    if field.values:
        known = frozenset(field.values)
        may_be = np.array([value in known for value in column.values.tolist()])
    elif field.kind in ("int", "float"):
        numbers = np.where(column.is_missing, 0, column.values).astype(np.float64)
        low, high = _limits(field)
        may_be = (numbers >= low) & (numbers <= high)
    return np.where(column.is_missing, field.nullable, may_be)


def _array(field: Field, column: Column, rows: Array) -> Array:
    cells = [
        None if is_missing else cell
        for cell, is_missing in zip(column.values[rows].tolist(), column.is_missing[rows].tolist(), strict=True)
    ]
    return column_array(field, cells)


def _limits(field: Field) -> tuple[float, float]:
    low, high = number_bounds(field)
    if field.interval is not None:
        low = low if field.interval.minimum is None else field.interval.minimum
        high = high if field.interval.maximum is None else field.interval.maximum
    return low, high


def _some(table: Table, count: int, rng: np.random.Generator) -> Table:
    """So many rows of a table, drawn without putting any back, as far as there are so many; else all, repeated."""
    if table.rows >= count:
        return table.take(np.sort(rng.choice(table.rows, count, replace=False)))
    return table.take(np.arange(min(count, 20 * table.rows)) % table.rows)


def _moved(table: Table, step: float, rng: np.random.Generator) -> Table:
    arrays = dict(table.columns)
    for field in _movable(table.fields):
        numbers = arrays[field.name].astype(np.float64)
        moved = numbers * (1 + step * rng.choice([-1.0, 1.0], table.rows))
        arrays[field.name] = _within(field, moved)
    return Table.from_columns(table.fields, arrays)


def _spread(table: Table, times: float, rng: np.random.Generator) -> Table:
    """The rows, each number so many times as far from the middle of its column, on either side."""
    arrays = dict(table.columns)
    for field in _movable(table.fields):
        numbers = arrays[field.name].astype(np.float64)
        known = numbers[~np.isnan(numbers)]
        middle = float(np.median(known)) if len(known) else 0.0
        away = np.where(numbers == middle, np.std(known) if len(known) else 1.0, numbers - middle)
        arrays[field.name] = _within(field, middle + times * away * rng.choice([-1.0, 1.0], table.rows))
    return Table.from_columns(table.fields, arrays)


def _at_borders(table: Table, borders: Borders, rng: np.random.Generator) -> Table:
    """The rows, each with about half of its numbers put on a border or right beside one."""
    arrays = dict(table.columns)
    for place, values in borders.items():
        field = table.fields[place]
        is_whole = field.kind == "int"
        if is_whole or field in _movable(table.fields):
            around = _whole(values) if is_whole else _beside(values)
            picks = np.resize(rng.permutation(around), table.rows)
            kept = arrays[field.name].astype(np.float64)
            put = np.where(rng.random(table.rows) < 0.5, picks, kept)
            arrays[field.name] = _within(field, put)
    return Table.from_columns(table.fields, arrays)


def _movable(fields: Sequence[Field]) -> list[Field]:
    return [field for field in fields if field.kind == "float" and not field.values]


def _within(field: Field, numbers: Array) -> Array:
    low, high = _limits(field)
    clipped = np.clip(numbers, low, high)
    return column_array(field, clipped.tolist()) if field.kind == "int" else clipped.astype(field.dtype)


def _whole(values: Array) -> Array:
    return np.unique(np.concatenate([np.floor(values), np.ceil(values)]))


def _beside(values: Array) -> Array:
    """Each value, and the ones right below and above it, in either precision of floating point."""
    single = values.astype(np.float32)
    found = [values, single.astype(np.float64)]
    for direction in (-np.inf, np.inf):
        found.append(np.nextafter(values, direction))
        found.append(np.nextafter(single, np.float32(direction)).astype(np.float64))
    numbers = np.unique(np.concatenate(found))
    finite: Array = numbers[np.isfinite(numbers)]
    return finite
