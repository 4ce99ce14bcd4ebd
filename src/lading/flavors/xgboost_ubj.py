"""Universal Binary JSON as XGBoost writes it: counted arrays, keys with lengths of 64 bits.

https://ubjson.org/type-reference/ · `UBJReader` in https://github.com/dmlc/xgboost/blob/master/src/common/json.cc
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from lading.schema.table import Array

MAX_DEPTH = 64
"""Objects and arrays within each other; a tree is seven deep."""

_INTEGERS = {b"i": ">i1", b"U": ">u1", b"I": ">i2", b"l": ">i4", b"L": ">i8"}
_DTYPES = {letter: np.dtype(name) for letter, name in (_INTEGERS | {b"d": ">f4", b"D": ">f8"}).items()}
_CONSTANTS = {b"Z": None, b"N": None, b"T": True, b"F": False}


def read_ubj(data: bytes) -> Any:
    """The value in the bytes: objects as dictionaries; arrays of one type as NumPy has them, without a copy.

    Raises:
        ValueError: they are no UBJ, or not all of it; more follows, or a key is there twice.
    """
    reader = _Reader(data)
    value = reader.value(0)
    if reader.place != len(data):
        raise ValueError("more follows")
    return value


class _Reader:
    """Where in the bytes the next value begins."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.place = 0

    def value(self, depth: int) -> Any:
        letter = self._take(1)
        if depth > MAX_DEPTH:
            raise ValueError("it is too deep")
        if letter == b"{":
            return self._object(depth)
        if letter == b"[":
            return self._array(depth)
        if letter == b"S":
            return self._text()
        if letter == b"C":
            return self._take(1).decode("ascii")
        if letter in _CONSTANTS:
            return _CONSTANTS[letter]
        return self._numbers(letter, 1)[0].item()

    def _object(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while self._peek() != b"}":
            key = self._text()
            if key in found:
                raise ValueError("a key is there twice")
            found[key] = self.value(depth + 1)
        self.place += 1
        return found

    def _array(self, depth: int) -> Any:
        letter = b""
        if self._peek() == b"$":
            _, letter = self._take(1), self._take(1)
        if self._take(1) != b"#":
            raise ValueError("an array does not say how long it is")
        count = self._length()
        if letter:
            return self._numbers(letter, count)
        return [self.value(depth + 1) for _ in range(count)]

    def _numbers(self, letter: bytes, count: int) -> Array:
        dtype = _DTYPES.get(letter)
        if dtype is None:
            raise ValueError("a type is not known")
        start = self.place
        self._skip(count * dtype.itemsize)
        return np.frombuffer(self._data, dtype, count, start)

    def _text(self) -> str:
        return self._take(self._length()).decode()

    def _length(self) -> int:
        if self._take(1) != b"L":
            raise ValueError("a length is of another type")
        length: int = struct.unpack(">q", self._take(8))[0]
        # Whatever it counts takes a byte at least, so that nothing is made that the file does not have.
        if not 0 <= length <= len(self._data) - self.place:
            raise ValueError("it is cut off")
        return length

    def _peek(self) -> bytes:
        return self._data[self.place : self.place + 1]

    def _take(self, count: int) -> bytes:
        start = self.place
        self._skip(count)
        return self._data[start : self.place]

    def _skip(self, count: int) -> None:
        if count > len(self._data) - self.place:
            raise ValueError("it is cut off")
        self.place += count
