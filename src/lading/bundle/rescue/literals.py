"""Plain values as Python text: what a notebook computed, written down as it is."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

__all__ = ["MAX_CHARS", "MAX_ITEMS", "write_literal"]

MAX_ITEMS = 10_000
"""Items of all containers and arrays in one value."""
MAX_CHARS = 1 << 20
"""Characters of all texts in one value."""

_MAX_DEPTH = 20
_MAX_INT_BITS = 4096


def write_literal(value: object) -> str | None:
    """The expression that gives the value again, or None where it is more than plain data or too much of it.

    Plain are None, booleans, integers, finite floats, texts, bytes, and tuples, lists, dictionaries and sets of
    those; NumPy's numbers and arrays of numbers too, for which the expression needs `import numpy`. Nothing of the
    value's own is called: a subclass is not plain.
    """
    try:
        return _Writer().write(value, 0)
    except _NotPlain:
        return None


class _NotPlain(Exception):
    """Raised inside of a value; never leaves this module."""


class _Writer:
    """Writes one value and counts what it holds."""

    def __init__(self) -> None:
        self._items = 0
        self._chars = 0

    def write(self, value: Any, depth: int) -> str:
        self._count(1, depth)
        kind = type(value)
        if value is None or kind is bool:
            return repr(value)
        if kind is int and value.bit_length() <= _MAX_INT_BITS:
            return repr(value)
        if kind is float and math.isfinite(value):
            return repr(value)
        if kind is str or kind is bytes:
            return self._text(value)
        if kind in (list, tuple, dict, set, frozenset):
            return self._container(value, depth + 1)
        if kind is np.ndarray:
            return self._array(value, depth)
        if isinstance(value, np.generic) and kind.__module__ == "numpy":
            return self._scalar(value)
        raise _NotPlain

    def _count(self, items: int, depth: int) -> None:
        self._items += items
        if self._items > MAX_ITEMS or depth > _MAX_DEPTH:
            raise _NotPlain

    def _text(self, value: str | bytes) -> str:
        self._chars += len(value)
        if self._chars > MAX_CHARS:
            raise _NotPlain
        return ascii(value)

    def _container(self, value: Any, depth: int) -> str:
        if type(value) is dict:
            pairs = [f"{self.write(key, depth)}: {self.write(item, depth)}" for key, item in value.items()]
            return f"{{{', '.join(pairs)}}}"
        texts = [self.write(item, depth) for item in value]
        if type(value) is list:
            return f"[{', '.join(texts)}]"
        if type(value) is tuple:
            return f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"
        return _set(type(value).__name__, texts)

    def _scalar(self, value: np.generic) -> str:
        self._check_dtype(value.dtype)
        # `numpy.bool` is of NumPy 2 alone.
        kind = "bool_" if value.dtype.kind == "b" else value.dtype.name
        return f"numpy.{kind}({self.write(value.item(), 1)})"

    def _array(self, value: np.ndarray[Any, Any], depth: int) -> str:
        self._check_dtype(value.dtype)
        if value.size == 0 and value.ndim != 1:
            raise _NotPlain
        self._count(value.size, depth)
        if not np.isfinite(value).all():
            raise _NotPlain
        # Its items are counted already, and are numbers.
        return f'numpy.array({value.tolist()!r}, dtype="{value.dtype.name}")'

    def _check_dtype(self, dtype: np.dtype[Any]) -> None:
        if dtype.kind not in "biuf" or dtype.itemsize > 8:
            raise _NotPlain


def _set(kind: str, texts: Iterable[str]) -> str:
    """A set, in an order that is the same in every process."""
    items = ", ".join(sorted(texts))
    if kind == "set":
        return f"{{{items}}}" if items else "set()"
    return f"frozenset({{{items}}})" if items else "frozenset()"
