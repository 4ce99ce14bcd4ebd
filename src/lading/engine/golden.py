"""Golden rows: inputs with the answers that they had at packing, which must come back before the service is ready.

They are synthetic, drawn column by column, unless their author wants rows of the data. They are kept away from decision
borders: a row is golden only if its label stays when its numbers are moved a little, so that another processor's last
digit cannot change it.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec
import numpy as np

from lading.engine.trials import servable_rows
from lading.errors import BundleError, CheckFailed, InputError
from lading.schema.fields import Field, Schema
from lading.schema.reference import Reference
from lading.schema.rows import RowChecker
from lading.schema.sample import Sample
from lading.schema.synthetic import draw_rows
from lading.schema.table import Row
from lading.schema.values import plain, plain_row

COUNT = 50
TOLERANCE = 1e-5
"""Relative difference up to which numbers count as the same: what float32 kernels differ by between processors."""
PROBABILITY_TOLERANCE = 1e-5
"""Difference up to which probabilities count as the same; a relative one would mean nothing where they are tiny."""
DRAWN = 4 * COUNT
"""Rows of which the steady ones are taken."""
_MOVED_BY = 1e-3


Kind = Literal["synthetic", "real"]
"""Whether golden rows are made up, or rows of the data."""


class Golden(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rows in the schema's order, as JSON values, and their answers."""

    rows: tuple[tuple[Any, ...], ...]
    predictions: tuple[Any, ...]
    probabilities: tuple[Any, ...] | None = None
    kind: Kind = "synthetic"


Answered = tuple[Sequence[Any], Sequence[Any] | None]
Answers = Callable[[Sequence[Row]], Answered]
"""Predictions and probabilities of checked rows."""


def make_golden(
    schema: Schema,
    reference: Reference | None,
    answers: Answers,
    *,
    other: Answers | None = None,
    real: Sequence[Row] = (),
) -> Golden:
    """Golden rows for a model that gives these answers.

    Args:
        schema: of the model.
        reference: what synthetic rows are drawn from.
        answers: of what is to serve.
        other: of what may serve in its place, and has to give the same.
        real: rows of the data, to take in place of synthetic ones.
    """
    drawn = list(real) or draw_rows(schema.inputs, reference, DRAWN)
    predictions, probabilities = answers(drawn)
    steady = np.ones(len(drawn), dtype=bool)
    for factor in (1 - _MOVED_BY, 1 + _MOVED_BY):
        moved, _ = answers([_moved(schema.inputs, row, factor) for row in drawn])
        steady &= [_is_steady(before, after) for before, after in zip(predictions, moved, strict=True)]
    alike = np.ones(len(drawn), dtype=bool)
    if other is not None:
        alike[differing((predictions, probabilities), other(drawn))] = False
    # Where no row is far from a border, the first ones, as they are, are better than nothing.
    taken = steady & alike if (steady & alike).any() else alike
    rows = [row for row, is_taken in zip(drawn, taken, strict=True) if is_taken][:COUNT]
    predictions, probabilities = answers(rows)
    return Golden(
        rows=tuple(tuple(plain_row(row)) for row in rows),
        predictions=tuple(predictions),
        probabilities=None if probabilities is None else tuple(probabilities),
        kind="real" if real else "synthetic",
    )


def real_rows(schema: Schema, sample: Sample) -> list[Row]:
    """Rows of a sample that may be golden: those that a request could bring, evenly taken from all."""
    checker = RowChecker(schema)
    rows: list[Row] = []
    for position in servable_rows(schema.inputs, sample, DRAWN).tolist():
        columns = (sample.columns[field.name] for field in schema.inputs)
        cells = [None if column.is_missing[position] else plain(column.values[position]) for column in columns]
        with contextlib.suppress(InputError):
            rows += checker.arrays([cells])
    return rows


def replay(golden: Golden, schema: Schema, answers: Answers) -> None:
    """Ask the golden rows again.

    Raises:
        BundleError: the rows do not fit the schema.
        CheckFailed: an answer differs; the message says how many, and which came first.
    """
    try:
        rows = RowChecker(schema).arrays([list(row) for row in golden.rows])
    except InputError as error:
        raise BundleError("the golden rows do not fit the schema of the bundle") from error
    wrong = differing((golden.predictions, golden.probabilities), answers(rows))
    if wrong:
        raise CheckFailed(
            f"{len(wrong)} of {len(rows)} golden rows have another answer than at packing, row {wrong[0]} first",
            hint="lading doctor FILE compares the versions of the libraries; or pack the model again",
        )


def differing(was: Answered, now: Answered) -> list[int]:
    """The rows whose answers are not the same, in ascending order."""
    predictions = zip(was[0], now[0], strict=True)
    wrong = {row for row, (before, after) in enumerate(predictions) if not is_same(before, after)}
    if was[1] is not None:
        pairs = zip(was[1], now[1] or [None] * len(was[1]), strict=True)
        wrong |= {row for row, (before, after) in enumerate(pairs) if not is_near(before, after)}
    return sorted(wrong)


def decode_golden(data: bytes) -> Golden:
    """The golden rows in a bundle's `golden.json`."""
    try:
        golden = msgspec.json.decode(data, type=Golden)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BundleError("the golden rows in the bundle cannot be read") from None
    if not golden.rows:
        raise BundleError("the bundle has no golden rows")
    lengths = {len(golden.rows), len(golden.predictions), len(golden.probabilities or golden.rows)}
    if len(lengths) != 1:
        raise BundleError("the golden rows in the bundle and their answers are not as many")
    return golden


def is_same(was: Any, now: Any) -> bool:
    """Whether two answers are the same: numbers within `TOLERANCE`, everything else exactly."""
    return _is_alike(was, now, relative=TOLERANCE, absolute=1e-8)


def is_near(was: Any, now: Any) -> bool:
    """Whether two answers in probabilities are the same, within `PROBABILITY_TOLERANCE`."""
    return _is_alike(was, now, relative=0.0, absolute=PROBABILITY_TOLERANCE)


def _is_alike(was: Any, now: Any, *, relative: float, absolute: float) -> bool:
    is_alike = functools.partial(_is_alike, relative=relative, absolute=absolute)
    if isinstance(was, dict) and isinstance(now, dict):
        return was.keys() == now.keys() and all(is_alike(was[key], now[key]) for key in was)
    if isinstance(was, list | tuple) and isinstance(now, list | tuple):
        return len(was) == len(now) and all(map(is_alike, was, now))
    if isinstance(was, float) and isinstance(now, int | float):
        return bool(np.isclose(now, was, rtol=relative, atol=absolute))
    return type(was) is type(now) and was == now


def _moved(fields: tuple[Field, ...], row: Row, factor: float) -> Row:
    return tuple(
        cell * factor if isinstance(cell, float) and field.kind == "float" and not field.values else cell
        for field, cell in zip(fields, row, strict=True)
    )


def _is_steady(before: Any, after: Any) -> bool:
    return isinstance(before, float) or before == after
