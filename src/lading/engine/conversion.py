"""From a fitted model to ONNX graphs, in a process of its own: `python -m lading.engine.conversion FOLDER`.

The folder holds what to convert; what came of it is written beside that. The process ends when its standard input is
closed, so it never outlives who started it; what it prints is nobody's.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import warnings
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from lading.engine.compiled import MATRIX, MISSING
from lading.engine.operators import register_converters
from lading.engine.shortening import shorten
from lading.errors import LadingError
from lading.flavors.flavor import Support
from lading.flavors.modules import OwnModules
from lading.flavors.registry import flavor_named
from lading.schema import fitted
from lading.schema.estimator import walk
from lading.schema.fields import Field

Precision = Literal["float64", "float32"]

JOB, MODEL, OUTCOME = "job.json", "model", "outcome.json"
PRECISIONS: tuple[Precision, ...] = ("float64", "float32")
"""In the order in which they are tried."""
OPSETS = {"": 19, "ai.onnx.ml": 3}
"""The oldest that have what is needed, so that an older onnxruntime than the one at packing can serve."""
MAX_REASON_CHARS = 200

_UNKNOWN = re.compile(r"(?:shape calculator|converter) for type '<class '([\w.]+)'>'")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]+")


class Job(msgspec.Struct, frozen=True):
    """What to convert: a model's file, of which flavor, for which columns.

    Attributes:
        flavor: which loads the model.
        fields: the columns.
        wants: what the model is given.
        path: where modules are found, as in the process that asks.
        max_bytes: what one graph may have.
        code: the author's own Python that the file needs, by module.
    """

    flavor: str
    fields: tuple[Field, ...]
    wants: str
    path: tuple[str, ...] = ()
    max_bytes: int = 2**31 - 1
    code: dict[str, str] = {}


class Outcome(msgspec.Struct, frozen=True):
    """What came of it: which graphs are there, each in a file named as its precision, or the reason for none."""

    precisions: tuple[Precision, ...] = ()
    reason: str = ""


def main() -> None:
    """Convert what is in the folder that the command line names."""
    warnings.simplefilter("ignore")
    folder = Path(sys.argv[1])
    threading.Thread(target=_end_with_parent, daemon=True).start()
    job = msgspec.json.decode((folder / JOB).read_bytes(), type=Job)
    sys.path[:] = job.path or sys.path
    outcome = _outcome(job, folder)
    (folder / OUTCOME).write_bytes(msgspec.json.encode(outcome))


def _end_with_parent() -> None:
    os.read(0, 1)  # not `sys.stdin`, whose lock would be held when the interpreter ends
    os._exit(1)


def _outcome(job: Job, folder: Path) -> Outcome:
    reason, made = "", []
    for precision in PRECISIONS:
        try:
            graph = convert(job, (folder / MODEL).read_bytes(), precision)
        # What a converter raises is of any class; the next precision may have another one.
        except Exception as error:
            reason = reason or reason_of(error)
        else:
            (folder / precision).write_bytes(graph)
            made.append(precision)
    return Outcome(tuple(made), "" if made else reason)


def convert(job: Job, data: bytes, precision: Precision) -> bytes:
    """The ONNX file of a model, with one input that is a matrix, or one a column where the model wants a frame.

    Raises whatever a converter does.
    """
    from skl2onnx import convert_sklearn

    register_converters()
    model = _prepared(flavor_named(job.flavor).load(data, Support(OwnModules(job.code))), job.fields)
    graph = convert_sklearn(
        model,
        name="model",
        initial_types=_types(job, precision),
        target_opset=OPSETS,
        options=_options(model),
    )
    shorten(graph.graph)
    if precision == "float64":
        _widen_outputs(graph.graph)
    graph.opset_import.sort(key=lambda imported: imported.domain)  # of a set, whose order is another each time
    written: bytes = graph.SerializeToString(deterministic=True)
    if len(written) > job.max_bytes:
        raise MemoryError
    return written


def _widen_outputs(graph: Any) -> None:
    """Give numbers out as float64, whatever they were taken for when that was not known yet."""
    from onnx import TensorProto, helper

    for output in graph.output:
        kind = output.type.tensor_type
        if kind.elem_type != TensorProto.FLOAT:
            continue
        inner = f"{output.name}_inner"
        for names in (names for node in graph.node for names in (node.input, node.output)):
            names[:] = [inner if name == output.name else name for name in names]
        graph.node.append(helper.make_node("Cast", [inner], [output.name], to=TensorProto.DOUBLE))
        kind.elem_type = TensorProto.DOUBLE


def estimator_in(predictor: object) -> Any:
    """The estimator that a predictor holds, or None."""
    return next(walk(predictor), None)


def reason_of(error: Exception) -> str:
    """Why a model cannot be converted, in one line that is the same each time."""
    if isinstance(error, LadingError):
        return error.message
    if isinstance(error, MemoryError):
        return "its conversion takes more memory than there is"
    if unknown := _UNKNOWN.search(str(error)):
        return f"skl2onnx does not know {unknown[1].rpartition('.')[2]}"
    if "FunctionTransformer is not supported" in str(error):
        return "a function of a FunctionTransformer cannot be converted"
    words = _ADDRESS.sub("0x", " ".join(str(error).split())).partition(" You may raise an issue")[0]
    words = words if words.isprintable() else ""
    return f"its conversion ended with {type(error).__name__}: {words}"[:MAX_REASON_CHARS].rstrip(": ")


def _types(job: Job, precision: Precision) -> list[tuple[str, Any]]:
    """The inputs of the graph: one matrix, or one for each column under its place."""
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, StringTensorType

    number = DoubleTensorType if precision == "float64" else FloatTensorType
    if job.wants == "array":
        return [(MATRIX, number([None, len(job.fields)]))]
    kinds = [StringTensorType if field.value_kind == "text" else number for field in job.fields]
    return [(f"{MATRIX}{place}", kind([None, 1])) for place, kind in enumerate(kinds)]


def _options(model: Any) -> dict[int, dict[str, bool]] | None:
    """Scores as one tensor, not as a map a row, of what has scores."""
    from sklearn.base import is_classifier

    return {id(model): {"zipmap": False}} if is_classifier(model) else None


def _prepared(predictor: object, fields: tuple[Field, ...]) -> Any:
    """The estimator, made ready in place: columns by their places, and gaps among texts as a text.

    Raises:
        NotImplementedError: it takes what a graph does not.
    """
    model = estimator_in(predictor)
    places = {field.name: place for place, field in enumerate(fields)}
    for part in walk(model):
        if fitted.is_a(part, fitted.VECTORIZERS):
            raise NotImplementedError(f"{fitted.class_name(part)} reads texts in another way than ONNX would")
        if fitted.is_a(part, {"ColumnTransformer"}) and hasattr(part, "transformers_"):
            _place_columns(part, places)
        if fitted.is_a(part, {"OneHotEncoder", "OrdinalEncoder"}) and hasattr(part, "categories_"):
            part.categories_ = [_without_gaps(values) for values in part.categories_]
    return model


def _place_columns(table: Any, places: dict[str, int]) -> None:
    """Name the columns of a ColumnTransformer by their places among the inputs, which need not be all that it knows."""
    names = fitted.names(table)
    taken = {name: table._transformer_to_input_indices[name] for name, _, _ in fitted.branches(table)}
    if names is not None and all(names[position] in places for some in taken.values() for position in some):
        taken = {name: [places[names[position]] for position in some] for name, some in taken.items()}
    table.transformers_ = [(name, part, list(taken[name])) for name, part, _ in fitted.branches(table) if taken[name]]


def _without_gaps(values: Any) -> Any:
    if values.dtype != object:
        return values
    cells = [MISSING if fitted.is_gap(value) else value for value in values.tolist()]
    return np.array(cells, dtype=object)


if __name__ == "__main__":
    main()
