"""What a model gives as tensors: which there are, and an answer's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from lading.engine.answers import Answer
from lading.schema.fields import Output, Schema

PROBABILITIES = "probabilities"


class OutputTensor(NamedTuple):
    """One output.

    Attributes:
        name: of the output; `probabilities.1` for the second of several targets.
        datatype: of its elements.
        shape: `-1` where it depends on the request.
        values: gives its value for each row of an answer: one, or a list of them.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: Callable[[Answer], Sequence[Any]]


class Outputs:
    """The outputs of a model; made once from the schema.

    Attributes:
        names: of all of them.
        tensors: the same by name.
    """

    def __init__(self, schema: Schema) -> None:
        self.tensors = {each.name: each for each in _tensors(schema)}
        self.names = tuple(self.tensors)
        self._begins = {name: _begin(name) for name in self.names}
        self._probable = frozenset(self.names[1:])

    def have_probabilities(self, names: Sequence[str]) -> bool:
        """Whether one of these is of probabilities."""
        return not self._probable.isdisjoint(names)

    def json(self, answer: Answer, names: Sequence[str]) -> bytes:
        """The list of these outputs of an answer."""
        return b"[%b]" % b",".join([self._json(answer, name) for name in names])

    def _json(self, answer: Answer, name: str) -> bytes:
        tensor = self.tensors[name]
        values = tensor.values(answer)
        data, shape = values, b"[%d]" % len(values)
        if len(tensor.shape) > 1:
            data, shape = [part for row in values for part in row], b"[%d,%d]" % (len(values), len(values[0]))
        datatype, data = typed(tensor.datatype, data)
        parts = (self._begins[name], shape, b',"datatype":"', datatype.encode(), b'","data":', _encode(data), b"}")
        return b"".join(parts)


_encode = msgspec.json.Encoder().encode


def _begin(name: str) -> bytes:
    return b'{"name":%b,"shape":' % _encode(name)


def _tensors(schema: Schema) -> Iterator[OutputTensor]:
    prediction, *others = schema.outputs
    datatype = "BYTES" if prediction.labels else prediction.datatype
    yield OutputTensor(prediction.name, datatype, prediction.shape, lambda answer: answer.predictions)
    for output in others:
        yield from _probabilities(output)


def _probabilities(output: Output) -> Iterator[OutputTensor]:
    if output.columns:
        yield OutputTensor(PROBABILITIES, "FP64", output.shape, _by_class)
        return
    for target in range(output.shape[1]):  # which may have other numbers of classes
        yield OutputTensor(f"{PROBABILITIES}.{target}", "FP64", (-1, -1), _by_target(target))


def _by_class(answer: Answer) -> Sequence[Any]:
    return [list(row.values()) for row in answer.probabilities or ()]


def _by_target(target: int) -> Callable[[Answer], Sequence[Any]]:
    return lambda answer: [row[target] for row in answer.probabilities or ()]


_TYPES: Mapping[str, frozenset[type]] = {
    "BOOL": frozenset({bool}),
    "INT64": frozenset({int}),
    "FP64": frozenset({int, float}),
    "BYTES": frozenset({str}),
}


def typed(datatype: str, data: Sequence[Any]) -> tuple[str, Sequence[Any]]:
    """The elements and their datatype: another than the one expected, where the model gave something else."""
    for each in (datatype, "FP64"):
        if _TYPES[each].issuperset(map(type, data)):
            return each, data
    return "BYTES", [value if isinstance(value, str) else _encode(value).decode() for value in data]
