"""A model compiled to ONNX at packing, where that gives the same answers; else the reason why the native one serves."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lading.bundle.environment import differences, installed
from lading.bundle.manifest import ENGINE, MAX_REASON_CHARS, Engine, Manifest, Parity
from lading.engine.around import Around
from lading.engine.borders import borders_of
from lading.engine.compiled import CompiledModel
from lading.engine.conversion import Precision, estimator_in
from lading.engine.converting import NotConverted, convert_apart
from lading.engine.parity import TOLERANCE, Comparison, compare
from lading.engine.trials import trials
from lading.errors import FormatError, UnsupportedModel
from lading.flavors.flavor import Predictor
from lading.schema import fitted
from lading.schema.estimator import walk
from lading.schema.reference import Reference
from lading.schema.sample import Sample
from lading.schema.synthetic import draw_rows
from lading.schema.table import Table

Compile = Literal["auto", "never", "require"]
"""Whether to compile: where it gives the same answers, not at all, or not to pack otherwise."""

MAX_NEIGHBORS = 300
"""Rows of training that a model may look through; of more than that scikit-learn finds the nearest more quickly."""
_CONVERTIBLE = frozenset({"sklearn", "skops"})
_NEEDED = ("skl2onnx", "onnx", "onnxruntime")
_REPEATS = 20


@dataclass(frozen=True)
class Source:
    """A model as it was loaded, and what is known of it.

    Attributes:
        manifest: without an engine.
        data: the model's own file.
        predictor: what the flavor loaded from that.
        reference: of the training data; None where there were none.
        sample: the training data.
        code: the author's own Python that the file needs, by module.
    """

    manifest: Manifest
    data: bytes
    predictor: Predictor
    reference: Reference | None = None
    sample: Sample | None = None
    code: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Compiled:
    """What is to serve.

    Attributes:
        engine: as it stands in the manifest; None where the flavor's own format is the engine.
        predictor: the compiled model, or the native one.
        graph: the compiled model's file; None where there is none.
        words: what to say of it; empty where there is nothing to say.
    """

    engine: Engine | None
    predictor: Predictor
    graph: bytes | None = None
    words: str = ""


class _Native(Exception):
    """The native model serves, for the reason that this says."""


def compile_model(source: Source, mode: Compile) -> Compiled:
    """What is to serve: the model compiled, if it holds a scikit-learn estimator and gives the same answers then.

    Raises:
        UnsupportedModel: it is required that the model be compiled, and it cannot be; says why.
    """
    is_estimator = estimator_in(source.predictor) is not None
    if not is_estimator and (mode != "require" or source.manifest.flavor == "onnx"):
        return Compiled(None, source.predictor)
    try:
        return _compile(source, mode)
    except _Native as error:
        reason = _short(str(error))
    if mode == "require":
        message = f"{source.manifest.class_name} cannot be compiled: {reason}"
        raise UnsupportedModel(message, hint="--compile auto packs it as it is")
    return Compiled(Engine("native", reason=reason), source.predictor, words=f"stays native: {reason}")


def _compile(source: Source, mode: Compile) -> Compiled:
    if mode == "never":
        raise _Native("not asked for")
    _refuse_beforehand(source)
    unlike, unreadable = "", ""
    for precision, graph in _graphs(source):
        try:
            model = CompiledModel(source.manifest, graph)
        except FormatError as error:
            unreadable = unreadable or error.message
            continue
        found = _compare(source, model)
        if not found.reason:
            return _compiled(source, model, graph, _parity(source, found, precision))
        unlike = unlike or found.reason
    raise _Native(unlike or unreadable)


def _refuse_beforehand(source: Source) -> None:
    schema, learned = source.manifest.model_schema, source.predictor.learn()
    if isinstance(source.predictor, Around):
        raise _Native("custom code around the model")
    if source.manifest.flavor not in _CONVERTIBLE:
        raise _Native(f"there is no compiler for {source.manifest.flavor} models")
    if estimator_in(source.predictor) is None:
        raise _Native("it holds no scikit-learn estimator")
    if differences(dict.fromkeys(_NEEDED)):
        raise _Native('no converter was installed at packing; pip install "lading[convert]", and pack again')
    if learned.wants == "texts":
        raise _Native("it reads texts in another way than ONNX would")
    if not source.predictor.knows_inputs:
        raise _Native("it does not say what it takes")
    if any(_neighbors(part) > MAX_NEIGHBORS for part in walk(source.predictor)):
        raise _Native(f"it looks through more than {MAX_NEIGHBORS} rows of training, which is slower in ONNX")
    if any(field.value_kind == "date" for field in schema.inputs):
        raise _Native("it takes dates, which ONNX has none of")
    if schema.task == "classification" and len(schema.outputs[0].shape) > 1:
        raise _Native("it predicts several classes a row")


def _neighbors(part: object) -> int:
    rows = fitted.get(part, "n_samples_fit_") if fitted.is_a(part, {"NeighborsBase"}) else None
    return rows if isinstance(rows, int) else 0


def _graphs(source: Source) -> list[tuple[Precision, bytes]]:
    """The graphs that the model was converted to, each with the precision of its inputs."""
    manifest = source.manifest
    try:
        wants = source.predictor.learn().wants
        return convert_apart(manifest.flavor, manifest.model_schema.inputs, wants, source.data, source.code)
    except NotConverted as error:
        raise _Native(str(error)) from None


def _compare(source: Source, model: CompiledModel) -> Comparison:
    fields = source.manifest.model_schema.inputs
    borders = borders_of(estimator_in(source.predictor), fields)
    return compare(source.predictor, model, trials(fields, source.reference, source.sample, borders))


def _parity(source: Source, found: Comparison, precision: Precision) -> Parity:
    return Parity(
        data="synthetic" if source.sample is None else "sample",
        rows=found.rows,
        forgiven=found.forgiven,
        largest_difference=float(f"{found.largest_difference:.1e}"),
        tolerance=TOLERANCE,
        precision=precision,
    )


def _compiled(source: Source, model: CompiledModel, graph: bytes, parity: Parity) -> Compiled:
    engine = Engine("onnx", member=ENGINE, parity=parity, requirements=installed(["onnxruntime"]))
    return Compiled(engine, model, graph, f"{_agreement(parity)}; {_speed(source, model)} on one row")


def _agreement(parity: Parity) -> str:
    kind = "synthetic rows" if parity.data == "synthetic" else "rows"
    forgiven = f", {parity.forgiven:,} of them as near to another label" if parity.forgiven else ""
    difference = f"largest difference {parity.largest_difference:.1e}"
    return f"compiled to ONNX; {parity.rows:,} {kind} agree{forgiven}, {difference}"


def _speed(source: Source, model: CompiledModel) -> str:
    """How many times as fast as the native model the compiled one answers one row, here and now."""
    fields = source.manifest.model_schema.inputs
    table = Table.from_rows(fields, draw_rows(fields, source.reference, 1))
    ratio = _seconds(source.predictor, table) / _seconds(model, table)
    return f"{_rounded(ratio)}x faster" if ratio >= 1 else f"{_rounded(1 / ratio)}x slower"


def _rounded(ratio: float) -> str:
    return f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.1f}"


def _seconds(model: Predictor, table: Table) -> float:
    times = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        model.predict(table)
        times.append(time.perf_counter() - start)
    return min(times)


def _short(reason: str) -> str:
    """The reason as a manifest can hold it."""
    printable = "".join(character for character in reason if character.isprintable())
    return printable[:MAX_REASON_CHARS]
