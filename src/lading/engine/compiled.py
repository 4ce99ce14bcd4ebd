"""A model that was compiled at packing: answers as the native one does, and needs nothing of its framework."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lading.bundle.manifest import Manifest
from lading.engine.arithmetic import arithmetic
from lading.flavors.flavor import Predictions
from lading.flavors.onnx import open_session
from lading.schema.estimator import Learned
from lading.schema.fields import Task, Value
from lading.schema.table import Array, Table, matrix_dtype

MATRIX = "x"
"""The name of the input that takes all columns; one that takes a single column has its place behind it."""
MISSING = "\N{REPLACEMENT CHARACTER}missing\N{REPLACEMENT CHARACTER}"
"""What stands for a missing text, of which ONNX has none."""

_DTYPES: dict[str, np.dtype[Any]] = {"tensor(double)": np.dtype(np.float64), "tensor(float)": np.dtype(np.float32)}


class CompiledModel:
    """A compiled graph as a predictor: what it takes and gives is what the manifest says.

    Attributes:
        single: the prediction for one row of numbers, quicker than in a table; None where there is no such way.

    Raises:
        FormatError: the graph cannot be read.
    """

    knows_inputs = True

    def __init__(self, manifest: Manifest, data: bytes) -> None:
        schema = manifest.model_schema
        self.class_name = manifest.class_name
        self.metadata: Mapping[str, Any] = manifest.metadata
        self.task: Task = schema.task
        self.has_probabilities = schema.has_probabilities
        self._fields = schema.inputs
        self._is_flat = len(schema.outputs[0].shape) == 1
        classes = schema.outputs[0].classes
        self.classes: tuple[tuple[Value, ...], ...] = (classes,) if classes else ()
        self._class_dtype = np.array(classes).dtype if classes and not isinstance(classes[0], str) else None
        small = arithmetic(data)
        self._session = small or open_session(data)
        self._inputs: tuple[tuple[str, np.dtype[Any] | None], ...] = tuple(
            (node.name, _DTYPES.get(node.type)) for node in self._session.get_inputs()
        )
        names = [output.name for output in self._session.get_outputs()]
        self._prediction, self._both = names[:1], names[:2]
        # Beside these, what is in a row and what is in an array are not the same.
        is_plain = self._is_flat and matrix_dtype(self._fields) == np.float64 and self._class_dtype in (None, int)
        self.single = small.single(names[0], len(self._fields)) if small is not None and is_plain else None

    def learn(self) -> Learned:
        """The fields of the manifest."""
        return Learned(self._fields, named=True, wants="array")

    def predict(self, table: Table, *, proba: bool = False) -> Predictions:
        """What the graph gives for a table: its first output, and with probabilities its second."""
        if not proba or not self.has_probabilities:
            (prediction,) = self._session.run(self._prediction, self._feed(table))
            return Predictions(self._plain(prediction))
        prediction, probabilities = self._session.run(self._both, self._feed(table))
        return Predictions(self._plain(prediction), (probabilities,))

    def _plain(self, prediction: Array) -> Array:
        """The prediction in the shape and type that the native model gives."""
        if self._is_flat and prediction.ndim == 2 and prediction.shape[1] == 1:
            prediction = prediction[:, 0]
        return prediction if self._class_dtype is None else prediction.astype(self._class_dtype, copy=False)

    def _feed(self, table: Table) -> dict[str, Array]:
        (first, dtype), *_ = self._inputs
        if first == MATRIX:
            return {MATRIX: table.matrix.astype(dtype, copy=False)}
        columns = tuple(table.columns.values())
        return {name: _tensor(columns[int(name.removeprefix(MATRIX))], dtype) for name, dtype in self._inputs}


def _tensor(column: Array, dtype: np.dtype[Any] | None) -> Array:
    """A column as a graph takes it: numbers, or texts among which none is missing."""
    if dtype is None:
        return np.array([_text(cell) for cell in column.tolist()], dtype=object).reshape(-1, 1)
    if column.dtype.kind == "O":
        column = np.array([np.nan if cell is None else cell for cell in column.tolist()])
    return column.astype(dtype, copy=False).reshape(-1, 1)


def _text(cell: object) -> str:
    if not isinstance(cell, str):
        return MISSING
    # Half of a surrogate pair, which Python has and onnxruntime has not, is no category of anybody's.
    return cell if cell.isascii() else cell.encode("utf-8", "replace").decode()
