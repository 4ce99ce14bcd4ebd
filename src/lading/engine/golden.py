"""Golden rows: inputs with the answers that they had at packing, which must come back before the service is ready.

They are synthetic, drawn column by column, and kept away from decision borders: a row is golden only if its label
stays when its numbers are moved a little, so that another processor's last digit cannot change it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np

from lading.errors import BundleError, CheckFailed, InputError
from lading.schema.fields import Field, Schema
from lading.schema.reference import Reference
from lading.schema.rows import RowChecker
from lading.schema.synthetic import draw_rows
from lading.schema.table import Row
from lading.schema.values import plain_row

COUNT = 50
TOLERANCE = 1e-5
"""Relative difference up to which numbers count as the same: what float32 kernels differ by between processors."""
_DRAWN = 4 * COUNT
_MOVED_BY = 1e-3


class Golden(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rows in the schema's order, as JSON values, and their answers."""

    rows: tuple[tuple[Any, ...], ...]
    predictions: tuple[Any, ...]
    probabilities: tuple[Any, ...] | None = None
    kind: str = "synthetic"


Answers = Callable[[Sequence[Row]], tuple[Sequence[Any], Sequence[Any] | None]]
"""Predictions and probabilities of checked rows."""


def make_golden(schema: Schema, reference: Reference | None, answers: Answers) -> Golden:
    """Golden rows for a model that gives these answers."""
    drawn = draw_rows(schema.inputs, reference, _DRAWN)
    predictions, _ = answers(drawn)
    steady = np.ones(len(drawn), dtype=bool)
    for factor in (1 - _MOVED_BY, 1 + _MOVED_BY):
        moved, _ = answers([_moved(schema.inputs, row, factor) for row in drawn])
        steady &= [_is_steady(before, after) for before, after in zip(predictions, moved, strict=True)]
    rows = [row for row, is_steady in zip(drawn, steady, strict=True) if is_steady][:COUNT]
    # No row is far from a border: the first ones, as they are, are better than nothing.
    rows = rows or drawn[:COUNT]
    predictions, probabilities = answers(rows)
    return Golden(
        rows=tuple(tuple(plain_row(row)) for row in rows),
        predictions=tuple(predictions),
        probabilities=None if probabilities is None else tuple(probabilities),
    )


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
    predictions, probabilities = answers(rows)
    pairs = [zip(golden.predictions, predictions, strict=True)]
    if golden.probabilities is not None:
        pairs.append(zip(golden.probabilities, probabilities or [None] * len(rows), strict=True))
    wrong = sorted({row for pair in pairs for row, (was, now) in enumerate(pair) if not is_same(was, now)})
    if wrong:
        raise CheckFailed(
            f"{len(wrong)} of {len(rows)} golden rows have another answer than at packing, row {wrong[0]} first",
            hint="lading doctor FILE compares the versions of the libraries; or pack the model again",
        )


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
    if isinstance(was, dict) and isinstance(now, dict):
        return was.keys() == now.keys() and all(is_same(was[key], now[key]) for key in was)
    if isinstance(was, list | tuple) and isinstance(now, list | tuple):
        return len(was) == len(now) and all(is_same(a, b) for a, b in zip(was, now, strict=True))
    if isinstance(was, float) and isinstance(now, int | float):
        return bool(np.isclose(now, was, rtol=TOLERANCE, atol=1e-8))
    return type(was) is type(now) and was == now


def _moved(fields: tuple[Field, ...], row: Row, factor: float) -> Row:
    return tuple(
        cell * factor if isinstance(cell, float) and field.kind == "float" and not field.values else cell
        for field, cell in zip(fields, row, strict=True)
    )


def _is_steady(before: Any, after: Any) -> bool:
    return isinstance(before, float) or before == after
