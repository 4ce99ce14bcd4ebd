"""The schema of a model that is packed: what it knows of itself, refined by a sample of its training data."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from lading.bundle.declared import Declared, declare, named
from lading.engine.describe import ask, describe
from lading.engine.loading import schema_of
from lading.errors import UnsupportedModel, UsageError
from lading.flavors.flavor import Predictor
from lading.schema.estimator import Learned
from lading.schema.fields import Field, Schema
from lading.schema.learn import refine
from lading.schema.reference import Reference, make_reference
from lading.schema.sample import Sample
from lading.schema.synthetic import draw_rows
from lading.schema.table import Table, column_array

_PROBE_ROWS = 100


def learn(predictor: Predictor, sample: Sample | None, declared: Declared, y: Any) -> tuple[Schema, Reference | None]:
    """The schema of a model, and of a sample its reference.

    Args:
        predictor: the model.
        sample: of its training data; None where there is none.
        declared: what the author says, put over what is learned.
        y: the target, of which only the names are used.

    Raises:
        UsageError: the sample does not fit the model, or what was declared does not.
        UnsupportedModel: the model fails on the sample, or without one does not know its inputs.
    """
    targets = _targets(declared, y)
    if sample is None:
        declared = msgspec.structs.replace(declared, target=targets)
        return declare(schema_of(predictor, declared), declared), None
    learned = named(predictor.learn(), declared.input_names)
    if not predictor.knows_inputs:
        learned = dataclasses.replace(learned, fields=(), named=False)
    sample = _named(sample, learned.fields)
    refined = refine(learned, sample, target=_held(learned, sample, targets, y))
    fields = tuple(_kept_nullable(predictor, field, refined.fields) for field in refined.fields)
    probe = _probe(fields, sample)
    schema = describe(predictor, fields, probe=probe, unused=refined.unused, targets=targets)
    return declare(schema, declared), make_reference(fields, sample)


def _targets(declared: Declared, y: Any) -> tuple[str, ...]:
    """The names of what is predicted, as declared or as the target itself is named."""
    if declared.targets:
        return declared.targets
    columns = getattr(y, "columns", None)
    if columns is not None:
        return tuple(str(name) for name in columns)
    name = getattr(y, "name", None)
    return (str(name),) if name is not None else ()


def _held(learned: Learned, sample: Sample, targets: Sequence[str], y: Any) -> tuple[str, ...]:
    """The targets among the columns of the sample; a target beside it may be called like an input, and is none."""
    inputs = {field.name for field in learned.fields} if learned.named else set[str]()
    if y is None:
        for name in inputs.intersection(targets):
            raise UsageError(f"`{name}` is an input of the model, so it is not its target")
        return tuple(targets)
    if not learned.named and len(learned.fields) == len(sample.columns):
        return ()
    return tuple(name for name in targets if name in sample.columns and name not in inputs)


def _named(sample: Sample, fields: Sequence[Field]) -> Sample:
    """The sample of an array, whose columns have no names, with those that the model has for them."""
    if sample.is_named or len(sample.columns) != len(fields):
        return sample
    names = [field.name for field in fields]
    return dataclasses.replace(sample, columns=dict(zip(names, sample.columns.values(), strict=True)))


def _probe(fields: tuple[Field, ...], sample: Sample) -> Table:
    """The first rows of the sample that have no missing value where none may be, as the model takes them."""
    columns = [sample.columns[field.name] for field in fields]
    usable = np.ones(sample.rows, dtype=bool)
    for field, column in zip(fields, columns, strict=True):
        usable &= ~column.is_missing | field.nullable
    rows = np.flatnonzero(usable)[:_PROBE_ROWS]
    if not len(rows):
        raise UsageError("every row of the data has a missing value that the model does not take")
    arrays = {}
    for field, column in zip(fields, columns, strict=True):
        cells = [None if column.is_missing[row] else column.values[row] for row in rows]
        arrays[field.name] = column_array(field, cells)
    return Table.from_columns(fields, arrays)


def _kept_nullable(predictor: Predictor, field: Field, fields: tuple[Field, ...]) -> Field:
    """The field, no longer nullable where the model fails on a row that misses it."""
    if not field.nullable:
        return field
    whole = tuple(msgspec.structs.replace(other, nullable=other.name == field.name) for other in fields)
    row = draw_rows(tuple(msgspec.structs.replace(other, nullable=False) for other in fields), None, 1)[0]
    missing = tuple(None if other.name == field.name else cell for other, cell in zip(fields, row, strict=True))
    try:
        ask(predictor, Table.from_rows(whole, [missing]))
    except UnsupportedModel:
        return msgspec.structs.replace(field, nullable=False)
    return field
