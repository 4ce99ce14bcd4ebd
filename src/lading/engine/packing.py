"""From a model and a sample of its training data to a bundle."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from lading.bundle.bundle import SUFFIX, write_bundle
from lading.bundle.declared import Declared, declare, default_name, read_metadata
from lading.bundle.environment import installed
from lading.bundle.manifest import GOLDEN, REFERENCE, Data, Manifest, check_names
from lading.engine.describe import ask, describe
from lading.engine.golden import make_golden, replay
from lading.engine.loading import declared_beside, examine, read_model_file, schema_of
from lading.engine.model import Model
from lading.errors import PredictionFailed, UnsupportedModel, UsageError
from lading.flavors.flavor import Flavor, Needs, Predictor
from lading.flavors.registry import dump_with_any
from lading.schema.fields import Field, Schema
from lading.schema.learn import refine
from lading.schema.reference import Reference, make_reference
from lading.schema.sample import Sample, as_sample, read_sample
from lading.schema.synthetic import draw_rows
from lading.schema.table import Table, column_array
from lading.settings import packing_time

Report = Callable[[str, str], None]
"""Told what happens: a word for the step, and what came of it."""

_PROBE_ROWS = 100


@dataclass(frozen=True)
class Packed:
    """A bundle that was written."""

    path: Path
    manifest: Manifest
    sha256: str
    size: int


@dataclass(frozen=True)
class _Source:
    """The model's own file, before it becomes part of a bundle."""

    name: str
    data: bytes
    flavor: Flavor
    needs: Needs
    path: Path | None


def pack(
    model: Any,
    X: Any = None,
    y: Any = None,
    path: str | Path | None = None,
    *,
    declared: Declared | None = None,
    ignore_versions: bool = False,
    report: Report | None = None,
) -> Packed:
    """Write a bundle: the model with its schema, its reference and its golden rows.

    Args:
        model: a fitted model, or the path of a model file.
        X: training data that the schema is learned from, (rows, columns): a data frame, an array, or the path of a
            CSV, JSON or Parquet file, which may hold the target too. Only counts are kept of it.
        y: the target; only its name is used, where it has one.
        path: where to write; `NAME-VERSION.lading` in the current folder when not given.
        declared: what the author says, over what `lading.toml` beside the model's file says.
        ignore_versions: pack although a library has another version than the model was saved with.
        report: told each step.

    Raises:
        ModelError: the model is broken or cannot be served; the message says why.
        EnvironmentMismatch: a library that it needs is missing or has another version.
        UsageError: data, names or declarations do not fit the model.
    """
    report = report or (lambda step, words: None)
    source = _source(model, ignore_versions)
    said = declared_beside(source.path, declared) if source.path else declared or Declared()
    predictor = source.flavor.load(source.data)
    report("loading", f"{source.name}: {predictor.class_name}")
    sample = _sample(X)
    schema, reference = _learn(predictor, sample, said, _targets(said, y))
    report("schema", _words(schema, with_data=sample is not None))
    manifest = _manifest(source, predictor, said, schema, sample)
    loaded = Model(manifest, predictor)
    golden = make_golden(schema, reference, _answers(loaded))
    replay(golden, schema, _answers(loaded))
    report("golden", f"{len(golden.rows)} synthetic rows with their answers")
    members = {manifest.model: source.data, GOLDEN: _json(golden)}
    if reference is not None:
        members[REFERENCE] = _json(reference)
    target = Path(path) if path is not None else Path(f"{manifest.name}-{manifest.version}{SUFFIX}")
    digest = write_bundle(target, manifest, members)
    size = target.stat().st_size
    report("wrote", f"{target}   {_size(size)}, sha256 {digest[:12]}…")
    return Packed(target, manifest, digest, size)


def _source(model: Any, ignore_versions: bool) -> _Source:
    if isinstance(model, str | Path):
        path = Path(model)
        data = read_model_file(path)
        flavor, needs = examine(path.name, data, ignore_versions=ignore_versions)
        return _Source(path.name, data, flavor, needs, path)
    flavor, name, data = dump_with_any(model)
    _, needs = examine(name, data)
    return _Source(name, data, flavor, needs, None)


def _sample(X: Any) -> Sample | None:
    if X is None:
        return None
    return read_sample(Path(X)) if isinstance(X, str | Path) else as_sample(X)


def _targets(declared: Declared, y: Any) -> tuple[str, ...]:
    """The names of what is predicted, as declared or as the target itself is named."""
    if declared.targets:
        return declared.targets
    columns = getattr(y, "columns", None)
    if columns is not None:
        return tuple(str(name) for name in columns)
    name = getattr(y, "name", None)
    return (str(name),) if name is not None else ()


def _learn(
    predictor: Predictor, sample: Sample | None, declared: Declared, targets: tuple[str, ...]
) -> tuple[Schema, Reference | None]:
    if sample is None:
        return declare(schema_of(predictor), declared), None
    held = tuple(name for name in targets if name in sample.columns or name in declared.targets)
    refined = refine(predictor.learn(), sample, target=held)
    fields = tuple(_kept_nullable(predictor, field, refined.fields) for field in refined.fields)
    probe = _probe(fields, sample)
    schema = describe(predictor, fields, probe=probe, unused=refined.unused, targets=targets)
    return declare(schema, declared), make_reference(fields, sample)


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


def _manifest(
    source: _Source, predictor: Predictor, declared: Declared, schema: Schema, sample: Sample | None
) -> Manifest:
    beside = read_metadata(source.path) if source.path else {}
    created = datetime.fromtimestamp(packing_time(), UTC)
    manifest = Manifest(
        name=declared.name or (default_name(source.path) if source.path else "model"),
        version=declared.version or "1.0.0",
        flavor=source.flavor.name,
        model=f"model/{source.name}",
        class_name=predictor.class_name,
        model_schema=schema,
        metadata={**predictor.metadata, **beside, **declared.metadata},
        requirements=installed(source.needs.distributions),
        python=platform.python_version(),
        created=created.isoformat().replace("+00:00", "Z"),
        notes=() if sample else tuple(predictor.learn().notes),
        data=Data(sample.rows, sample.sha256) if sample else None,
    )
    check_names(manifest)
    return manifest


def _answers(model: Model) -> Callable[[Sequence[Any]], tuple[Sequence[Any], Sequence[Any] | None]]:
    def answers(rows: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any] | None]:
        try:
            answer = model.answer_rows(rows, proba=model.schema.has_probabilities)
        except PredictionFailed as error:
            cause = f": {error.__cause__}" if error.__cause__ else ""
            raise UnsupportedModel(f"synthetic rows: {error.message}{cause}") from error
        return answer.predictions, answer.probabilities

    return answers


def _words(schema: Schema, *, with_data: bool) -> str:
    counts: Mapping[str, int] = {}
    for field in schema.inputs:
        counts = {**counts, field.kind: counts.get(field.kind, 0) + 1}
    kinds = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    unused = f"   ({len(schema.unused)} columns not used by the model)" if schema.unused else ""
    origin = "" if with_data else "   (ranges need training data: --data train.csv)"
    return f"{len(schema.inputs)} inputs: {kinds}{unused}{origin}"


def _json(value: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=0) + b"\n"


def _size(size: int) -> str:
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size} B"
