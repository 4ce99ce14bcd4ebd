"""Structs of Thrift's compact protocol, which the metadata of a Parquet file and the headers of its pages are.

https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

TRUE, FALSE, I8, I16, I32, I64, DOUBLE, BINARY, LIST, SET, STRUCT = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12
NUMBERS = frozenset({TRUE, FALSE, I8, I16, I32, I64})
_BITS = {I16: 16, I32: 32, I64: 64}
_DOUBLE_BYTES = 8
_MAX_DEPTH = 16
_MAX_VARINT_BYTES = 10
_LONG = 15
"""In place of the size of a list that does not fit its first byte."""

Struct = Mapping[tuple[int, int], Any]
"""Values by id and kind of the field: one of another kind than its reader expects is, to him, not there."""


class ThriftReader:
    """Reads structs, one after the other.

    Attributes:
        place: of the next byte that is read.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.place = 0

    def struct(self, depth: int = 0) -> Struct:
        """The struct that begins here.

        Raises:
            ValueError: it is none, or has maps, which nothing in a Parquet file has.
            IndexError: the data end within it.
        """
        if depth > _MAX_DEPTH:
            raise ValueError("structs stand too deep in each other")
        fields: dict[tuple[int, int], Any] = {}
        name = 0
        while head := self._byte():
            step, kind = head >> 4, head & 15
            name = name + step if step else self._integer(16)
            fields[name, kind] = kind == TRUE if kind in (TRUE, FALSE) else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind in _BITS:
            return self._integer(_BITS[kind])
        if kind == BINARY:
            return self._bytes(self._varint())
        if kind == STRUCT:
            return self.struct(depth + 1)
        if kind in (LIST, SET):
            return self._list(depth + 1)
        if kind in (TRUE, FALSE, I8):
            return self._byte()
        if kind == DOUBLE:
            return self._bytes(_DOUBLE_BYTES)
        raise ValueError("a field of an unknown kind")

    def _list(self, depth: int) -> list[Any]:
        if depth > _MAX_DEPTH:
            raise ValueError("lists stand too deep in each other")
        head = self._byte()
        size, kind = head >> 4, head & 15
        return [self._value(kind, depth) for _ in range(self._varint() if size == _LONG else size)]

    def _byte(self) -> int:
        self.place += 1
        return self._data[self.place - 1]

    def _bytes(self, size: int) -> bytes:
        if size > len(self._data) - self.place:
            raise IndexError("the data end within a text")
        self.place += size
        return self._data[self.place - size : self.place]

    def _varint(self) -> int:
        number = 0
        for place in range(_MAX_VARINT_BYTES):
            byte = self._byte()
            number |= (byte & 0x7F) << 7 * place
            if byte < 0x80:
                return number
        raise ValueError("a number is too long")

    def _integer(self, bits: int) -> int:
        """A zigzag number of so many bits."""
        number = self._varint()
        if number >> bits:
            raise ValueError("a number is beyond its width")
        return (number >> 1) ^ -(number & 1)


def struct_bytes(fields: Struct) -> bytes:
    """A struct of numbers, texts, structs, and lists of structs or texts."""
    parts = (bytes([kind]) + _zigzag(name) + _value_bytes(kind, fields[name, kind]) for name, kind in sorted(fields))
    return b"".join(parts) + b"\0"


def _value_bytes(kind: int, value: Any) -> bytes:
    if kind in (TRUE, FALSE):
        return b""
    if kind == I8:
        return bytes([value])
    if kind == BINARY:
        return _varint(len(value)) + bytes(value)
    if kind == STRUCT:
        return struct_bytes(value)
    if kind == LIST:
        return _list_bytes(value)
    return _zigzag(value)


def _list_bytes(values: Sequence[Any]) -> bytes:
    kind = BINARY if values and isinstance(values[0], bytes) else STRUCT
    head = bytes([_LONG << 4 | kind]) + _varint(len(values))
    return head + b"".join(_value_bytes(kind, value) for value in values)


def _zigzag(number: int) -> bytes:
    return _varint(number << 1 if number >= 0 else (-number << 1) - 1)


def _varint(number: int) -> bytes:
    digits = bytearray()
    while number > 0x7F:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    digits.append(number)
    return bytes(digits)
