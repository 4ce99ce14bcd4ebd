"""A small graph of plain arithmetic, computed in NumPy: to call onnxruntime takes longer than a linear model does.

It takes the place of an `onnxruntime.InferenceSession`, and nothing of onnxruntime is loaded then. What an operator
means is in https://github.com/onnx/onnx/blob/main/docs/Operators.md
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from lading.engine.single import NotSingle, SingleRow
from lading.errors import FormatError
from lading.flavors.onnx_file import read_onnx_file
from lading.flavors.onnx_graph import DTYPES, Graph, Node, read_graph
from lading.schema.table import Array

_MAX_NODES = 32
_MAX_BYTES = 1 << 20
_MATRIX_TYPE = "tensor(double)"

Operator = Callable[..., Array]
Attributes = Mapping[str, int | None]


class Tensor(NamedTuple):
    """An input or an output of a graph, as onnxruntime tells of it."""

    name: str
    type: str


class Arithmetic:
    """A graph whose one input is a matrix of float64.

    Raises:
        FormatError: it is none, or has an operator that is not known here.
    """

    def __init__(self, graph: Graph) -> None:
        if len(graph.nodes) > _MAX_NODES or list(graph.inputs.values()) != [np.dtype(np.float64)]:
            raise FormatError("the graph is another one than what is computed here")
        self._graph = graph
        self._places = {name: place for place, name in enumerate([*graph.inputs, *graph.constants])}
        self._steps = [self._step(node) for node in graph.nodes]
        self._start: list[Any] = [None, *graph.constants.values(), *[None] * len(graph.nodes)]
        self._plans = {name: self._plan(name) for name in graph.outputs}

    def get_inputs(self) -> list[Tensor]:
        """The matrix."""
        return [Tensor(name, _MATRIX_TYPE) for name in self._graph.inputs]

    def get_outputs(self) -> list[Tensor]:
        """What can be asked for."""
        return [Tensor(name, "") for name in self._graph.outputs]

    def run(self, outputs: Sequence[str], feed: Mapping[str, Array]) -> list[Array]:
        """The values of these outputs for a matrix, (rows, columns)."""
        values = self._start.copy()
        (values[0],) = feed.values()
        with np.errstate(all="ignore"):  # as onnxruntime says nothing of what is beyond any number
            for name in outputs:
                for place, operator, places in self._plans[name]:
                    if values[place] is None:
                        values[place] = operator(*[values[each] for each in places])
        return [values[self._places[name]] for name in outputs]

    def single(self, output: str, width: int) -> SingleRow | None:
        """An output for one row of so many columns, computed without NumPy, if it is simple enough."""
        try:
            return SingleRow(self._graph, output, width)
        except NotSingle:
            return None

    def _step(self, node: Node) -> tuple[int, Operator, tuple[int, ...]]:
        """Where a node's value goes, what makes it, and of what."""
        make = _OPERATORS.get(node.op)
        is_known = len(node.outputs) == 1 and node.outputs[0] not in self._places
        if make is None or not is_known or not self._places.keys() >= set(node.inputs):
            raise FormatError(f"the operator `{node.op}` is not computed here")
        place = self._places[node.outputs[0]] = len(self._places)
        return place, make(node.attributes), tuple(self._places[name] for name in node.inputs)

    def _plan(self, output: str) -> list[tuple[int, Operator, tuple[int, ...]]]:
        """The steps that an output takes."""
        wanted = {self._places.get(output)}
        plan = []
        for place, operator, places in reversed(self._steps):
            if place in wanted:
                wanted.update(places)
                plan.append((place, operator, places))
        return plan[::-1]


def arithmetic(data: bytes) -> Arithmetic | None:
    """The graph in the bytes of an ONNX file, if it is small and of operators that are known here."""
    if len(data) > _MAX_BYTES:
        return None
    read_onnx_file(data)
    try:
        return Arithmetic(read_graph(data))
    except FormatError:
        return None


def _plain(operator: Operator) -> Callable[[Attributes], Operator]:
    """An operator without attributes."""

    def make(attributes: Attributes) -> Operator:
        _take(attributes)
        return operator

    return make


def _take(attributes: Attributes, **defaults: int | None) -> list[int]:
    """The attributes that are known, in this order; None as a default is one that has to be there."""
    values = [attributes.get(name, default) for name, default in defaults.items()]
    numbers = [value for value in values if value is not None]
    if len(numbers) < len(values) or not attributes.keys() <= defaults.keys():
        raise FormatError("attributes that are not known here")
    return numbers


def _argmax(attributes: Attributes) -> Operator:
    axis, keepdims = _take(attributes, axis=0, keepdims=1)
    return lambda x: x.argmax(axis, keepdims=bool(keepdims))


def _softmax(attributes: Attributes) -> Operator:
    (axis,) = _take(attributes, axis=-1)

    def softmax(x: Array) -> Array:
        powers = np.exp(x - x.max(axis, keepdims=True))
        shares: Array = powers / powers.sum(axis, keepdims=True)
        return shares

    return softmax


def _reduce_sum(attributes: Attributes) -> Operator:
    (keepdims,) = _take(attributes, keepdims=1)
    return lambda x, axes: x.sum(tuple(axes.tolist()), keepdims=bool(keepdims))


def _cast(attributes: Attributes) -> Operator:
    (kind,) = _take(attributes, to=None)
    if kind not in DTYPES:
        raise FormatError("a kind of number that is not known here")
    dtype = DTYPES[kind]
    return lambda x: x.astype(dtype, copy=False)


def _sigmoid(x: Array) -> Array:
    powers = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, powers) / (1.0 + powers)


def _gather(attributes: Attributes) -> Operator:
    (axis,) = _take(attributes, axis=0)
    return lambda x, positions: x.take(positions, axis)


def _reshape(x: Array, shape: Array) -> Array:
    """In a shape, a 0 is the size that the dimension has."""
    sizes = shape.tolist()
    return x.reshape(sizes if 0 not in sizes else [size or x.shape[axis] for axis, size in enumerate(sizes)])


def _feature(x: Array, positions: Array) -> Array:
    """Features along the last axis; of a vector they make a row."""
    return np.atleast_2d(x)[..., positions.reshape(-1)]


_OPERATORS: Mapping[str, Callable[[Attributes], Operator]] = {
    "Abs": _plain(np.abs),
    "Add": _plain(np.add),
    "ArgMax": _argmax,
    "Cast": _cast,
    "Div": _plain(np.divide),
    "Exp": _plain(np.exp),
    "Gather": _gather,
    "Identity": _plain(lambda x: x),
    "IsNaN": _plain(np.isnan),
    "MatMul": _plain(np.matmul),
    "Mul": _plain(np.multiply),
    "Not": _plain(np.logical_not),
    "Reciprocal": _plain(np.reciprocal),
    "ReduceSum": _reduce_sum,
    "Reshape": _plain(_reshape),
    "Sigmoid": _plain(_sigmoid),
    "Softmax": _softmax,
    "Sub": _plain(np.subtract),
    "Where": _plain(np.where),
    "ai.onnx.ml.ArrayFeatureExtractor": _plain(_feature),
}
