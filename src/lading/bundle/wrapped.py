"""A model that was saved inside of a dictionary, beside words about it: `{"model": model, "author": "…"}`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["MAX_DEPTH", "MAX_ITEMS", "MODEL_KEYS", "find_model"]

MODEL_KEYS = ("model", "estimator", "clf", "pipeline", "classifier", "regressor")
"""The keys that may hold the model; the first that does wins."""

MAX_DEPTH = 8
"""Levels that metadata may have, the dictionary itself included; what is deeper is dropped."""
MAX_ITEMS = 1000
"""Entries that metadata may have in all; a list or dictionary that would pass this is dropped whole."""

_DATA = (type(None), bool, int, float, str, bytes, bytearray, list, tuple, dict, set, frozenset, np.generic)
_DROPPED = object()


def find_model(loaded: object) -> tuple[str | None, object, dict[str, Any]]:
    """The key that holds the model, the model, and the metadata beside it.

    Where `loaded` is no dictionary with a model in it, that is `(None, loaded, {})`. An entry `metadata` that
    is itself a dictionary is laid flat; an entry of the same name outside of it wins.

    Args:
        loaded: what was in the file.

    Returns:
        The key or `None`, the model, and metadata that JSON can carry: text, numbers, booleans, `None`, lists
        and dictionaries. Numbers that are not finite are `None`, NumPy scalars plain, the rest is dropped.
    """
    if not isinstance(loaded, dict):
        return None, loaded, {}
    key = next((key for key in MODEL_KEYS if key in loaded and not isinstance(loaded[key], _DATA)), None)
    if key is None:
        return None, loaded, {}
    rest = {name: value for name, value in loaded.items() if name != key}
    metadata: dict[str, Any] = _Reducer().dictionary(_flat(rest), 1)
    return key, loaded[key], metadata


def _flat(entries: dict[Any, Any]) -> dict[Any, Any]:
    inner = entries.get("metadata")
    if not isinstance(inner, dict):
        return entries
    return {**inner, **{name: value for name, value in entries.items() if name != "metadata"}}


class _Reducer:
    """Reduces values to what JSON can carry, counting entries down from `MAX_ITEMS`."""

    def __init__(self) -> None:
        self.room = MAX_ITEMS

    def value(self, value: object, depth: int) -> Any:
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, list | tuple):
            return self.items(list(value), depth + 1) if self._has_room(value, depth) else _DROPPED
        if isinstance(value, dict):
            return self.dictionary(value, depth + 1) if self._has_room(value, depth) else _DROPPED
        return _scalar(value)

    def items(self, values: list[Any], depth: int) -> list[Any]:
        reduced = [self.value(value, depth) for value in values if self._take()]
        return [value for value in reduced if value is not _DROPPED]

    def dictionary(self, entries: dict[Any, Any], depth: int) -> dict[str, Any]:
        named = ((name, value) for name, value in entries.items() if isinstance(name, str) and _is_text(name))
        reduced = {str.__str__(name): self.value(value, depth) for name, value in named if self._take()}
        return {name: value for name, value in reduced.items() if value is not _DROPPED}

    def _has_room(self, values: list[Any] | tuple[Any, ...] | dict[Any, Any], depth: int) -> bool:
        return depth < MAX_DEPTH and len(values) <= self.room

    def _take(self) -> bool:
        self.room -= 1
        return self.room >= 0


def _scalar(value: object) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        # not `str(value)`: an enumeration of texts would give its own name
        return str.__str__(value) if _is_text(value) else _DROPPED
    if isinstance(value, int):
        return int(value) if value.bit_length() < 64 else _DROPPED
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return _DROPPED


def _is_text(value: str) -> bool:
    # a lone half of a surrogate pair can be pickled, but not written as UTF-8
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
