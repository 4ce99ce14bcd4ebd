"""One row through a linear graph in Python's own numbers: to call NumPy takes longer than to compute a row.

Sums are added up in another order than in a batch, so their last digits may be others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from operator import add, mul, sub, truediv
from typing import Any

from lading.flavors.onnx_graph import Graph, Node
from lading.schema.fields import Value
from lading.schema.table import Array

_MAX_WEIGHTS = 512
"""Of one matrix; with more of them NumPy is quicker."""

Step = Callable[[Any], Any]
Attributes = Mapping[str, int | None]
Maker = Callable[..., tuple[Step, int]]
"""Makes the step of a node from its attributes, how many numbers it is given, and its operands; None for the one that
is no constant. Beside the step, how many numbers it gives."""


class NotSingle(Exception):
    """The graph is none that can be computed so, or the row has no answer that is certain."""


class SingleRow:
    """The one value that a graph gives for a row.

    Args:
        graph: of float64.
        output: which of its outputs.
        width: how many columns a row has.

    Raises:
        NotSingle: it is no chain of operators that are known here, or gives several values.
    """

    def __init__(self, graph: Graph, output: str, width: int) -> None:
        self._steps: list[Step] = []
        for node in _chain(graph, output):
            make = _MAKERS.get(node.op)
            operands = [graph.constants.get(name) for name in node.inputs]
            if make is None or len(operands) > 2:
                raise NotSingle
            step, width = make(node.attributes, width, *operands)
            self._steps.append(step)
        if width != 1:
            raise NotSingle

    def __call__(self, row: Sequence[Any]) -> Value:
        """The value for a row of numbers.

        Raises:
            NotSingle: a number on the way is not finite.
            TypeError: a cell is missing.
        """
        value: Any = row
        for step in self._steps:
            value = step(value)
        (only,) = value
        return only  # type: ignore[no-any-return]


def _chain(graph: Graph, output: str) -> list[Node]:
    """The nodes from the input to this output, each of which takes what the one before it gives."""
    makers = {name: node for node in graph.nodes for name in node.outputs}
    chain: list[Node] = []
    while output in makers and len(chain) < len(graph.nodes):
        chain.insert(0, makers[output])
        variables = [name for name in chain[0].inputs if name not in graph.constants]
        if len(variables) != 1:
            raise NotSingle
        output = variables[0]
    if [output] != list(graph.inputs):
        raise NotSingle
    return chain


def _by_cell(operator: Callable[[Any, Any], Any]) -> Maker:
    """An operator on each number and a constant of its own."""

    def make(attributes: Attributes, width: int, left: Array | None, right: Array | None) -> tuple[Step, int]:
        if attributes or left is not None or right is None or right.shape not in ((width,), (1, width)):
            raise NotSingle
        cells = right.ravel().tolist()
        return lambda row: list(map(operator, row, cells)), width

    return make


def _matmul(attributes: Attributes, width: int, left: Array | None, right: Array | None) -> tuple[Step, int]:
    if attributes or left is not None or right is None or right.shape[:-1] != (width,) or right.size > _MAX_WEIGHTS:
        raise NotSingle
    columns = right.T.tolist()
    return lambda row: [sum(map(mul, row, column)) for column in columns], len(columns)


def _argmax(attributes: Attributes, width: int, scores: Array | None) -> tuple[Step, int]:
    if not attributes.keys() <= {"axis", "keepdims"} or attributes.get("axis") not in (1, -1):
        raise NotSingle

    def argmax(row: list[float]) -> list[int]:
        if not math.isfinite(sum(row)):
            raise NotSingle
        return [row.index(max(row))]

    return argmax, 1


def _gather(attributes: Attributes, width: int, values: Array | None, places: Array | None) -> tuple[Step, int]:
    if attributes.get("axis", 0) != 0 or values is None or values.ndim != 1:
        raise NotSingle
    labels = values.tolist()
    return lambda row: [labels[place] for place in row], width


def _reshape(attributes: Attributes, width: int, row: Array | None, shape: Array | None) -> tuple[Step, int]:
    """Another shape of the same numbers."""
    if attributes:
        raise NotSingle
    return lambda row: row, width


_MAKERS: Mapping[str, Maker] = {
    "Add": _by_cell(add),
    "ArgMax": _argmax,
    "Div": _by_cell(truediv),
    "Gather": _gather,
    "MatMul": _matmul,
    "Mul": _by_cell(mul),
    "Reshape": _reshape,
    "Sub": _by_cell(sub),
}
