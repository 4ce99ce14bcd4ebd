"""ONNX graphs, run by onnxruntime with one thread."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lading.errors import FormatError, UnsupportedModel
from lading.flavors.flavor import NO_SUPPORT, Needs, Predictions, Support
from lading.flavors.onnx_file import read_onnx_file
from lading.schema.estimator import Learned
from lading.schema.fields import Field, Kind, Task, Value
from lading.schema.table import Array, Table
from lading.settings import refuse_telemetry

_NUMBERS: dict[str, tuple[Kind, str]] = {
    "tensor(float)": ("float", "float32"),
    "tensor(double)": ("float", "float64"),
    "tensor(int64)": ("int", "int64"),
    "tensor(int32)": ("int", "int32"),
    "tensor(bool)": ("bool", "bool"),
    "tensor(string)": ("text", "str"),
}
# The first field of a ModelProto is `ir_version`, a small number (onnx.proto); then comes one of its other fields.
_IR_VERSION_TAG, _MAX_IR_VERSION = 0x08, 64
_NEXT_TAGS = frozenset(b"\x12\x1a\x22\x28\x32\x3a\x42\x72")


class OnnxFlavor:
    """ONNX files."""

    name = "onnx"
    suffixes = (".onnx",)
    distribution = "onnxruntime"
    extra = "onnx"
    fork_safe = frozenset({"onnxruntime", "numpy"})
    runs_code = False

    def recognizes(self, data: bytes) -> bool:
        """Whether the bytes begin as an ONNX model does."""
        return len(data) > 2 and data[0] == _IR_VERSION_TAG and 0 < data[1] <= _MAX_IR_VERSION and data[2] in _NEXT_TAGS

    def needs(self, data: bytes) -> Needs:
        """Onnxruntime, of any version."""
        read_onnx_file(data)
        return Needs("ONNX graph", {"onnxruntime": None})

    def load(self, data: bytes, support: Support = NO_SUPPORT) -> OnnxModel:
        """The graph in a session.

        Raises:
            FormatError: it is broken, keeps data in other files, has strange operators, or onnxruntime cannot read it.
        """
        return OnnxModel(open_session(data), read_onnx_file(data).class_labels)

    def dump(self, model: object) -> tuple[str, bytes] | None:
        """The bytes of an `onnx.ModelProto`."""
        if type(model).__name__ != "ModelProto" or not hasattr(model, "SerializeToString"):
            return None
        return "model.onnx", model.SerializeToString()


def open_session(data: bytes) -> Any:
    """The graph (`onnxruntime.InferenceSession`) in a file's bytes, which was looked through first; one thread.

    Raises:
        FormatError: it is broken, keeps data in other files, has strange operators, or onnxruntime cannot read it.
    """
    refuse_telemetry()
    import onnxruntime

    read_onnx_file(data)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        # The fallback would print, and has nothing to fall back to.
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"], enable_fallback=False)
    # onnxruntime's errors share no class but Exception.
    except Exception as error:
        kind = type(error).__name__
        raise FormatError(f"onnxruntime cannot read the graph: {kind}", hint="export the model again") from error
    session._model_bytes = None  # kept for the fallback: as much memory again as the model takes
    return session


class OnnxModel:
    """A graph with one tensor of columns, or with one input a column."""

    knows_inputs = True

    def __init__(self, session: Any, class_labels: tuple[Value, ...]) -> None:
        self._session = session
        self._inputs = session.get_inputs()
        outputs = session.get_outputs()
        self._label = outputs[0].name
        self._probability = next((output.name for output in outputs[1:] if "prob" in output.name.lower()), None)
        self._fields = _fields(self._inputs)
        meta = session.get_modelmeta()
        self.class_name = f"ONNX graph by {meta.producer_name}" if meta.producer_name else "ONNX graph"
        self.metadata: Mapping[str, Any] = dict(meta.custom_metadata_map)
        self.has_probabilities = self._probability is not None
        self.task: Task = "classification" if self.has_probabilities else _task(outputs[0].type)
        self.classes = self._classes(class_labels)

    def learn(self) -> Learned:
        """The graph's inputs; one tensor of k columns is `x0 … xk`."""
        is_named = len(self._inputs) > 1  # a single one is called `X` or `input`, which is no column's name
        notes = () if is_named else ("the graph names no columns: --data tells their names",)
        return Learned(fields=self._fields, named=is_named, wants="array", notes=notes)

    def predict(self, table: Table, *, proba: bool = False) -> Predictions:
        """The graph's first output, and its probabilities."""
        wanted = [self._label, self._probability] if proba and self._probability else [self._label]
        label, *rest = self._session.run(wanted, self._feed(table))
        prediction = label[:, 0] if label.ndim == 2 and label.shape[1] == 1 else label
        return Predictions(prediction, tuple(self._matrix(probabilities) for probabilities in rest))

    @property
    def _is_by_column(self) -> bool:
        return len(self._inputs) > 1 or self._inputs[0].shape[1:] == [1]

    def _feed(self, table: Table) -> dict[str, Array]:
        if not self._is_by_column:
            dtype = _NUMBERS[self._inputs[0].type][1]
            return {self._inputs[0].name: table.matrix.astype(object if dtype == "str" else dtype, copy=False)}
        columns = table.columns.values()
        return {node.name: _as_tensor(column, node.type) for node, column in zip(self._inputs, columns, strict=True)}

    def _matrix(self, probabilities: Any) -> Array:
        """Probabilities as (rows, classes), whether they came as a tensor or as a map a row."""
        if isinstance(probabilities, list):
            return np.array([[row[label] for label in self.classes[0]] for row in probabilities])
        return np.asarray(probabilities)

    def _classes(self, class_labels: tuple[Value, ...]) -> tuple[tuple[Value, ...], ...]:
        if not self.has_probabilities:
            return ()
        if class_labels:
            return (class_labels,)
        node = next(output for output in self._session.get_outputs() if output.name == self._probability)
        if node.type.startswith("seq(map"):
            first = self._session.run([self._probability], self._feed(_blank(self._fields)))[0][0]
            return (tuple(first),)
        return ()


def _fields(inputs: Any) -> tuple[Field, ...]:
    strange = [node.type for node in inputs if node.type not in _NUMBERS]
    if strange:
        raise UnsupportedModel(f"the graph has an input of type {strange[0]}", hint=f"known: {', '.join(_NUMBERS)}")
    if len(inputs) > 1 or inputs[0].shape[1:] == [1]:
        return tuple(_field(node.name, node.type) for node in inputs)
    shape = inputs[0].shape
    if len(shape) != 2:
        raise UnsupportedModel(f"the graph's input has {len(shape)} dimensions, expected rows and columns")
    width = shape[1] if isinstance(shape[1], int) else 0
    return tuple(_field(f"x{position}", inputs[0].type) for position in range(width))


def _field(name: str, kind: str) -> Field:
    column_kind, dtype = _NUMBERS[kind]
    return Field(name, kind=column_kind, dtype=dtype)


def _task(kind: str) -> Task:
    return "regression" if kind in ("tensor(float)", "tensor(double)") else "unknown"


def _as_tensor(column: Array, kind: str) -> Array:
    dtype = _NUMBERS[kind][1]
    return column.reshape(-1, 1).astype(object if dtype == "str" else dtype, copy=False)


def _blank(fields: tuple[Field, ...]) -> Table:
    simplest: dict[Kind, Value] = {"float": 0.0, "int": 0, "bool": False, "text": ""}
    return Table.from_rows(fields, [tuple(simplest[field.kind] for field in fields)])
