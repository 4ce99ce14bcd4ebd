"""The nodes and constants of a small ONNX graph, read as bytes: what it takes to compute it without onnxruntime.

The numbers of the fields are those in https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import numpy as np

from lading.errors import FormatError
from lading.flavors.onnx_file import BYTES, VARINT, each_field, whole_numbers
from lading.schema.table import Array

DTYPES: Mapping[int, np.dtype[Any]] = {
    1: np.dtype("<f4"),
    6: np.dtype("<i4"),
    7: np.dtype("<i8"),
    9: np.dtype(bool),
    11: np.dtype("<f8"),
}
"""By ONNX' numbers; texts, which are 8, have none."""
_TEXT = 8
_ABOUT_ATTRIBUTE = frozenset({1, 13, 20})
"""Fields that are no value: name, comment, kind."""


class Node(msgspec.Struct, frozen=True):
    """One operator.

    Attributes:
        op: its name, behind that of its domain where it is not of ONNX' own.
        attributes: those that are one whole number; the value of any other is None.
    """

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, int | None]


class Graph(msgspec.Struct, frozen=True):
    """A graph.

    Attributes:
        nodes: in an order in which they can be computed.
        constants: by name.
        inputs: those that are no constants, and what they hold; None for what is no number.
        outputs: their names.
    """

    nodes: tuple[Node, ...]
    constants: Mapping[str, Array]
    inputs: Mapping[str, np.dtype[Any] | None]
    outputs: tuple[str, ...]


def read_graph(data: bytes) -> Graph:
    """The graph in the bytes of an ONNX file.

    Raises:
        FormatError: it has something that is not read here, as graphs within graphs, or is no ONNX file.
    """
    graphs = list(_messages(data, 0, len(data), 7))
    if len(graphs) != 1:
        raise _strange("another number of graphs than one")
    start, end = graphs[0]
    constants = dict(_constant(data, *place) for place in _messages(data, start, end, 5))
    inputs = {_text(data, *place, 1): _dtype(data, *place) for place in _messages(data, start, end, 11)}
    return Graph(
        tuple(_node(data, *place) for place in _messages(data, start, end, 1)),
        constants,
        {name: dtype for name, dtype in inputs.items() if name not in constants},
        tuple(_text(data, *place, 1) for place in _messages(data, start, end, 12)),
    )


def _node(data: bytes, start: int, end: int) -> Node:
    attributes = dict(_attribute(data, *place) for place in _messages(data, start, end, 5))
    domain = _text(data, start, end, 7)
    op = _text(data, start, end, 4)
    return Node(
        f"{domain}.{op}" if domain not in ("", "ai.onnx") else op,
        tuple(_texts(data, start, end, 1)),
        tuple(_texts(data, start, end, 2)),
        attributes,
    )


def _dtype(data: bytes, start: int, end: int) -> np.dtype[Any] | None:
    """What an input holds: the kind of a tensor is a number within two messages."""
    for outer in _messages(data, start, end, 2):
        for inner in _messages(data, *outer, 1):
            kinds = [field.value for field in each_field(data, *inner) if field.number == 1]
            return DTYPES.get(kinds[0]) if len(kinds) == 1 else None
    return None


def _attribute(data: bytes, start: int, end: int) -> tuple[str, int | None]:
    fields = [field for field in each_field(data, start, end) if field.number not in _ABOUT_ATTRIBUTE]
    is_whole = len(fields) == 1 and fields[0].number == 3 and fields[0].wire == VARINT
    return _text(data, start, end, 1), next(whole_numbers(data, fields[0])) if is_whole else None


def _constant(data: bytes, start: int, end: int) -> tuple[str, Array]:
    """A tensor's name and value."""
    shape: list[int] = []
    values: list[Array] = []
    kind = next((field.value for field in each_field(data, start, end) if field.number == 2), 0)
    for field in each_field(data, start, end):
        if field.number == 1:
            shape += whole_numbers(data, field)
        elif field.number in (4, 9, 10) and field.wire == BYTES and kind in DTYPES:
            values.append(np.frombuffer(data[field.start : field.end], DTYPES[kind]))
        elif field.number in (5, 7) and kind in DTYPES:
            values.append(np.fromiter(whole_numbers(data, field), DTYPES[kind]))
        elif field.number == 6 and kind == _TEXT:
            values.append(np.array([data[field.start : field.end].decode("utf-8", "replace")], dtype=object))
        elif field.number not in (2, 8, 12):  # the kind, the name, a comment
            raise _strange("a tensor that is not read here")
    try:
        return _text(data, start, end, 8), np.concatenate(values).reshape(shape)
    except ValueError:
        raise _strange("a tensor of another shape than it says") from None


def _messages(data: bytes, start: int, end: int, number: int) -> Iterator[tuple[int, int]]:
    """Where the messages of a repeated field stand."""
    for field in each_field(data, start, end):
        if field.number == number and field.wire == BYTES:
            yield field.start, field.end


def _texts(data: bytes, start: int, end: int, number: int) -> Iterator[str]:
    return (data[first:last].decode("utf-8", "replace") for first, last in _messages(data, start, end, number))


def _text(data: bytes, start: int, end: int, number: int) -> str:
    return next(_texts(data, start, end, number), "")


def _strange(what: str) -> FormatError:
    return FormatError(f"the ONNX file has {what}")
