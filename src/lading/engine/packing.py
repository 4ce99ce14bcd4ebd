"""From a model and a sample of its training data to a bundle."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import msgspec

from lading.bundle.bundle import SUFFIX, write_bundle
from lading.bundle.declared import Declared, default_name, metadata_file, read_declared, read_metadata
from lading.bundle.manifest import (
    ENGINE,
    GOLDEN,
    MAIN,
    REFERENCE,
    ROUTE,
    Code,
    Data,
    Manifest,
    check_names,
    safe_name,
)
from lading.engine.compiling import Compile, Compiled, Source, compile_model
from lading.engine.golden import Golden, Kind, make_golden, real_rows, replay
from lading.engine.learning import learn
from lading.engine.loading import is_bundle, notes_of, requirements_of
from lading.engine.model import Model
from lading.engine.model_file import ModelFile, declared_beside, examine, over, read_model
from lading.errors import PredictionFailed, UnsupportedModel, UsageError
from lading.flavors.flavor import Predictor
from lading.flavors.registry import dump_with_any
from lading.schema.fields import Schema
from lading.schema.sample import Sample, as_sample, read_sample
from lading.schema.words import answer_in_words, inputs_in_words, shortened
from lading.settings import packing_time

Report = Callable[[str, str], None]
"""Told what happens: a word for the step, and what came of it."""


@dataclass(frozen=True, repr=False)
class Packed:
    """A bundle that was written."""

    path: Path
    manifest: Manifest
    sha256: str
    size: int

    def __repr__(self) -> str:
        return f"<lading.Packed {self.path}, {_size(self.size)}, sha256 {self.sha256[:12]}…>"


def pack(
    model: Any,
    X: Any = None,
    y: Any = None,
    path: str | Path | None = None,
    *,
    declared: Declared | None = None,
    compile: Compile = "auto",
    golden: Kind = "synthetic",
    ignore_versions: bool = False,
    report: Report | None = None,
    **declaring: Any,
) -> Packed:
    """Write a bundle: the model with its schema, its reference and its golden rows.

    Args:
        model: a fitted model, or the path of a model file.
        X: training data that the schema is learned from, (rows, columns): a data frame, an array, or the path of a
            CSV, JSON or Parquet file, which may hold the target too. No row of it is kept, unless `golden` says so.
        y: the target; only its name is used, where it has one.
        path: where to write; `NAME-VERSION.lading` in the current folder when not given.
        declared: what the author says, over what `lading.toml` beside the model's file says.
        compile: whether to compile a scikit-learn model to ONNX: `auto`, where it gives the same answers then;
            `never`; or `require`, which refuses to pack it otherwise.
        golden: whether the rows that check the bundle are made up, or rows of the data, which may be personal.
        ignore_versions: pack although a library has another version than the model was saved with.
        report: told each step.
        declaring: keys of `lading.toml` over what is `declared`: `name="iris"`, `labels=["A", "B"]`.

    Raises:
        ModelError: the model is broken or cannot be served; the message says why.
        EnvironmentMismatch: a library that it needs is missing or has another version.
        UsageError: data, names or declarations do not fit the model.
    """
    report = report or (lambda step, words: None)
    _refuse_options(compile, golden, X)
    if isinstance(y, str) and path is None:
        raise UsageError("the third argument is the target, and a text is none", hint="pack(model, X, path=...)")
    declared = over(declared or Declared(), read_declared(declaring, "lading.pack")) if declaring else declared
    if path is not None:
        _refuse_overwriting(Path(path), (model, X))
    file, said = _file(model, declared or Declared(), ignore_versions)
    predictor = file.open()
    report("loading", f"{file.name}: {predictor.class_name}")
    for code in file.code.files:
        report("code", _code_in_words(code, file))
    for note in file.code.notes:
        report("note", note)
    if file.path is not None and (beside := metadata_file(file.path)) is not None:
        report("metadata", f"from {beside.name}")
    sample = _sample(X)
    schema, reference = learn(predictor, sample, said, y)
    report("schema", _words(schema, with_data=sample is not None))
    source = Source(
        _manifest(file, predictor, said, schema, sample), file.data, predictor, reference, sample, file.code.texts
    )
    compiled = compile_model(source, compile)
    if compiled.words:
        report("engine", compiled.words)
    rows = _golden(source, compiled, golden, report)
    manifest = msgspec.structs.replace(source.manifest, engine=compiled.engine)
    target = Path(path) if path is not None else Path(f"{manifest.name}-{manifest.version}{SUFFIX}")
    return _write(target, manifest, _members(source, compiled, rows) | file.members, report)


def _refuse_options(compile: str, golden: str, X: Any) -> None:
    for name, said, known in (("compile", compile, get_args(Compile)), ("golden", golden, get_args(Kind))):
        if said not in known:
            raise UsageError(f"`{name}` is one of {', '.join(known)}")
    if golden == "real" and X is None:
        raise UsageError("there are no rows of the data without data", hint="--data train.csv")


def _golden(source: Source, compiled: Compiled, kind: Kind, report: Report) -> Golden:
    """The golden rows, which what serves and the native model answer alike."""
    schema = source.manifest.model_schema
    answers = _answers(Model(source.manifest, compiled.predictor))
    native = _answers(Model(source.manifest, source.predictor))
    real: Sequence[Any] = ()
    if kind == "real" and source.sample is not None:
        real = real_rows(schema, source.sample)
        if not real:
            raise UsageError("no row of the data is one that a request could bring", hint="--golden synthetic")
        report("warning", "rows of the data will be in the bundle, as golden rows: they may be personal")
    golden = make_golden(
        schema, source.reference, answers, other=native if compiled.graph is not None else None, real=real
    )
    for each in (answers, native):
        replay(golden, schema, each)
    report("golden", f"{len(golden.rows)} {'rows of the data' if real else 'synthetic rows'} with their answers")
    return golden


def _members(source: Source, compiled: Compiled, golden: Golden) -> dict[str, bytes]:
    members = {source.manifest.model: source.data, GOLDEN: _json(golden)}
    if compiled.graph is not None:
        members[ENGINE] = compiled.graph
    if source.reference is not None:
        members[REFERENCE] = _json(source.reference)
    return members


def _write(target: Path, manifest: Manifest, members: dict[str, bytes], report: Report) -> Packed:
    digest = write_bundle(target, manifest, members)
    size = target.stat().st_size
    report("wrote", f"{target}   {_size(size)}, sha256 {digest[:12]}…")
    return Packed(target, manifest, digest, size)


def _file(model: Any, declared: Declared, ignore_versions: bool) -> tuple[ModelFile, Declared]:
    """The model's file, and what is declared of it."""
    if isinstance(model, str | Path):
        path = Path(model)
        if is_bundle(path):
            raise UsageError(f"{path} is a bundle already", hint="pack the model file that it was made from")
        said = declared_beside(path, declared)
        return read_model(path, said, ignore_versions=ignore_versions), said
    _, name, data = dump_with_any(model)
    return examine(name, data, declared, ignore_versions=ignore_versions), declared


def _code_in_words(code: Code, file: ModelFile) -> str:
    if code.is_around:
        return f"{code.origin} is called around the model"
    if code.module != MAIN:
        return f"{code.origin} is the module `{code.module}`"
    names = ", ".join(f"`{name}`" for name in file.needs.definitions)
    return f"the model needs {names}: taken from {code.origin}"


def _refuse_overwriting(target: Path, sources: Iterable[Any]) -> None:
    for source in sources:
        if isinstance(source, str | Path) and target.exists() and Path(source).exists() and target.samefile(source):
            raise UsageError(f"{target} is what the bundle is made from", hint="write to another file: -o FILE")


def _sample(X: Any) -> Sample | None:
    if X is None:
        return None
    return read_sample(Path(X)) if isinstance(X, str | Path) else as_sample(X)


def _manifest(
    file: ModelFile, predictor: Predictor, declared: Declared, schema: Schema, sample: Sample | None
) -> Manifest:
    beside = read_metadata(file.path) if file.path else {}
    created = datetime.fromtimestamp(packing_time(), UTC)
    manifest = Manifest(
        name=declared.name or (default_name(file.path) if file.path else "model"),
        version=declared.version or "1.0.0",
        flavor=file.flavor.name,
        model=_member(file),
        class_name=predictor.class_name,
        model_schema=schema,
        metadata={**predictor.metadata, **beside, **declared.metadata},
        requirements=requirements_of(file.needs, predictor),
        python=platform.python_version(),
        created=created.isoformat().replace("+00:00", "Z"),
        notes=(*file.code.notes, *_learned_notes(predictor, declared, sample)),
        route=declared.route or ROUTE,
        features=declared.features,
        code=file.code.files,
        entry=file.entry,
        data=Data(sample.rows, sample.sha256) if sample else None,
    )
    check_names(manifest)
    return manifest


def _learned_notes(predictor: Predictor, declared: Declared, sample: Sample | None) -> tuple[str, ...]:
    """What the model could not say of its inputs, where no data have said it since."""
    return () if sample else notes_of(predictor, declared)


def _member(file: ModelFile) -> str:
    """The place of the model's file in the bundle: under its own name, made safe, with the ending that declares it."""
    suffix = next((s for s in file.flavor.suffixes if file.name.lower().endswith(s)), "")
    return f"model/{safe_name(file.name[: len(file.name) - len(suffix)])}{suffix}"


def _answers(model: Model) -> Callable[[Sequence[Any]], tuple[Sequence[Any], Sequence[Any] | None]]:
    def answers(rows: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any] | None]:
        try:
            answer = model.answer_rows(rows, proba=model.schema.has_probabilities)
        except PredictionFailed as error:
            raise UnsupportedModel(f"{model.manifest.class_name} fails on synthetic rows: {_reason(error)}") from error
        return answer.predictions, answer.probabilities

    return answers


def _reason(error: PredictionFailed) -> str:
    """Why, in one line; the model's own words may be here, where nobody's rows are asked."""
    words = f"{error.message}: {error.__cause__}" if error.__cause__ else error.message
    return " ".join(words.split())[:300]


def _words(schema: Schema, *, with_data: bool) -> str:
    count = len(schema.unused)
    unused = f"   ({count} column{'s' * (count != 1)} not used: {shortened(schema.unused)})" if count else ""
    origin = "" if with_data or schema.image is not None else "   (ranges need training data: --data train.csv)"
    return f"{inputs_in_words(schema)} -> {answer_in_words(schema)}{unused}{origin}"


def _json(value: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=0) + b"\n"


def _size(size: int) -> str:
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size} B"
