"""An ONNX file read as bytes, before onnxruntime sees it: it must hold all of its data, and name known operators only.

Only as much of the protobuf wire format is read as that takes, and nothing is built of it. A field that is there more
than once counts each time, whatever a parser would make of it.
https://protobuf.dev/programming-guides/encoding/ · https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from lading.errors import FormatError
from lading.schema.fields import Value

__all__ = [
    "BYTES",
    "DOMAINS",
    "MAX_BYTES",
    "MAX_DEPTH",
    "VARINT",
    "OnnxFile",
    "each_field",
    "read_onnx_file",
    "whole_numbers",
]

MAX_BYTES = 2**31 - 1
"""What a protobuf message may have."""
MAX_DEPTH = 64
"""Messages within messages; a graph within a graph is three deeper."""
DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
"""Whose operators onnxruntime itself has; those of another would come out of somebody's library."""

Kind = Literal["model", "training", "import", "function", "graph", "node", "attribute", "sparse tensor", "tensor"]

# The fields of each message that hold messages to look into, by their numbers in onnx.proto.
_MESSAGES: dict[Kind, dict[int, Kind]] = {
    "model": {7: "graph", 8: "import", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 9: "import", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse tensor"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse tensor", 23: "sparse tensor"},
    "sparse tensor": {1: "tensor", 2: "tensor"},
}
_DOMAIN: dict[Kind, int] = {"import": 1, "node": 7, "function": 10}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
_NAME, _INTS, _STRINGS = 1, 8, 9
_INT_LABELS, _TEXT_LABELS = (b"classlabels_int64s", b"classlabels_ints"), b"classlabels_strings"

VARINT, _FIXED64, BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED_BYTES = {_FIXED64: 8, _FIXED32: 4}
# Trees are millions of numbers and modes with a tag before each: a run of them is passed over in one go.
_FIXED32_RUN = rb"[\x0d\x15\x1d\x25\x2d\x35\x3d].{4}"
_VARINT_RUN = rb"[\x08\x10\x18\x20\x28\x30\x38\x40][\x80-\xff]{0,9}[\x00-\x7f]"
_MODES_RUN = rb"\x4a\x0aBRANCH_LEQ|\x4a\x04LEAF"
_RUN = re.compile(b"(?:%b|%b|%b)++" % (_FIXED32_RUN, _VARINT_RUN, _MODES_RUN), re.DOTALL)


@dataclass(frozen=True)
class OnnxFile:
    """What a file says of itself.

    Attributes:
        class_labels: those of the first node that carries some: a classifier.
    """

    class_labels: tuple[Value, ...] = ()


class _Message(NamedTuple):
    kind: Kind
    start: int
    end: int
    depth: int


class _Field(NamedTuple):
    """A field of a message: its number, its bytes, and its value where it is a whole number."""

    number: int
    wire: int
    start: int
    end: int
    value: int = 0


def read_onnx_file(data: bytes) -> OnnxFile:
    """What an ONNX file says of itself, once every message in it was looked at; takes time linear in its size.

    Raises:
        FormatError: it is broken, keeps data in other files, or has operators of domains that are not known.
    """
    if len(data) > MAX_BYTES:
        raise FormatError("the ONNX file is larger than 2 GiB, which no protobuf message is")
    labels: tuple[Value, ...] = ()
    waiting = [_Message("model", 0, len(data), 0)]
    while waiting:
        message = waiting.pop()
        fields = _fields(data, message) if message.kind != "tensor" else _checked_tensor(data, message)
        waiting += reversed(list(_within(data, message, fields)))
        if message.kind == "attribute" and not labels:
            labels = _labels(data, message)
    return OnnxFile(labels)


def _within(data: bytes, message: _Message, fields: Iterator[_Field]) -> Iterator[_Message]:
    """The messages to look into within one, whose own words are checked on the way."""
    kinds, domain = _MESSAGES.get(message.kind, {}), _DOMAIN.get(message.kind)
    if message.depth >= MAX_DEPTH:
        raise FormatError(f"the ONNX file has messages more than {MAX_DEPTH} deep", hint="export the model again")
    for field in fields:
        if field.wire == BYTES and field.number in kinds:
            yield _Message(kinds[field.number], field.start, field.end, message.depth + 1)
        elif field.wire == BYTES and field.number == domain:
            _refuse_strange(data[field.start : field.end])


def _checked_tensor(data: bytes, message: _Message) -> Iterator[_Field]:
    for field in _fields(data, message):
        is_elsewhere = field.number == _DATA_LOCATION and field.wire == VARINT and field.value
        if is_elsewhere or (field.number == _EXTERNAL_DATA and field.wire == BYTES):
            raise FormatError(
                "the ONNX file keeps data in another file, and a model is one file",
                hint="export it with its data inside: onnx.save(model, path, save_as_external_data=False)",
            )
        yield field


def _refuse_strange(domain: bytes) -> None:
    name = domain.decode("utf-8", "replace")
    if name not in DOMAINS:
        shown = name if name.isprintable() and len(name) <= 80 else "?"
        raise FormatError(
            f"the ONNX file has operators of the domain `{shown}`, which onnxruntime does not have by itself",
            hint="export it with the operators of ONNX alone",
        )


def _labels(data: bytes, attribute: _Message) -> tuple[Value, ...]:
    """The class labels in an attribute; none where it is another one."""
    names = [data[field.start : field.end] for field in _named(data, attribute)]
    if any(name in _INT_LABELS for name in names):
        return tuple(
            value for field in each_field(data, attribute.start, attribute.end) for value in _ints(data, field)
        )
    if _TEXT_LABELS in names:
        parts = [
            field
            for field in each_field(data, attribute.start, attribute.end)
            if (field.number, field.wire) == (_STRINGS, BYTES)
        ]
        return tuple(data[part.start : part.end].decode("utf-8", "replace") for part in parts)
    return ()


def _named(data: bytes, attribute: _Message) -> Iterator[_Field]:
    return (field for field in _fields(data, attribute) if (field.number, field.wire) == (_NAME, BYTES))


def _ints(data: bytes, field: _Field) -> Iterator[int]:
    """The numbers in the field `ints`; none where it is another one."""
    return whole_numbers(data, field) if field.number == _INTS else iter(())


def whole_numbers(data: bytes, field: _Field) -> Iterator[int]:
    """The numbers in a field of whole ones, of which each may have a field of its own, or all be in one."""
    if field.wire == VARINT:
        yield _signed(field.value)
    elif field.wire == BYTES:
        position = field.start
        while position < field.end:
            value, position = _varint(data, position, field.end)
            yield _signed(value)


def _signed(value: int) -> int:
    value &= 2**64 - 1
    return value - 2**64 if value >= 2**63 else value


def _fields(data: bytes, message: _Message) -> Iterator[_Field]:
    """The fields of a message, but for long runs of numbers, which nothing is asked of."""
    position, end = message.start, message.end
    while position < end:
        if (run := _RUN.match(data, position, end)) is not None:
            position = run.end()
            continue
        field = _field(data, position, end)
        yield field
        position = field.end


def each_field(data: bytes, position: int, end: int) -> Iterator[_Field]:
    """The fields of the message that stands there, all of them."""
    while position < end:
        field = _field(data, position, end)
        yield field
        position = field.end


def _field(data: bytes, position: int, end: int) -> _Field:
    tag, start = _varint(data, position, end)
    number, wire = tag >> 3, tag & 7
    if wire == VARINT:
        value, stop = _varint(data, start, end)
        return _checked(_Field(number, wire, start, stop, value), end)
    if wire == BYTES:
        size, start = _varint(data, start, end)
        return _checked(_Field(number, wire, start, start + size), end)
    if wire in _FIXED_BYTES:
        return _checked(_Field(number, wire, start, start + _FIXED_BYTES[wire]), end)
    raise _broken()


def _checked(field: _Field, end: int) -> _Field:
    if not 0 < field.number < 2**29 or field.end > end:
        raise _broken()
    return field


def _varint(data: bytes, position: int, end: int) -> tuple[int, int]:
    """A whole number of at most ten bytes, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= end:
            break
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise _broken()


def _broken() -> FormatError:
    return FormatError("the ONNX file is broken: it is no protobuf message", hint="export the model again")
