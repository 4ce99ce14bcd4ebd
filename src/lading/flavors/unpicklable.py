"""Which part of a model keeps it from being pickled: found by looking, nothing of the model is called."""

from __future__ import annotations

import functools
import types
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

__all__ = ["culprit"]

_MAX_PARTS = 100_000
"""Parts of a model that are looked at; its arrays of numbers count as one."""
_CONTAINERS: tuple[Any, ...] = (list, tuple, set, frozenset, deque)
_PLAIN = frozenset({type(None), bool, bytes, complex, float, int, str})


@dataclass(frozen=True)
class _Spot:
    """A part of a model and where it is: in which attribute, of an object of which class, in which step."""

    value: Any
    attribute: str = ""
    owner: str = ""
    step: str = ""

    def __str__(self) -> str:
        if self.attribute and not self.owner:
            return f"`{self.attribute}` of the model"
        if not self.owner:
            return f"the model's step `{self.step}`" if self.step else "the model"
        step = f" in step `{self.step}`" if self.step else ""
        return f"`{self.attribute}` of `{self.owner}`{step}"


def culprit(model: object) -> str | None:
    """One sentence on the first part of a model that is a lambda, or was defined inside of a function; else None.

    `pickle` saves functions and classes by their names, and these have none that could be looked up.
    """
    seen: set[int] = set()
    stack = [_Spot(model)]
    while stack and len(seen) < _MAX_PARTS:
        spot = stack.pop()
        if type(spot.value) in _PLAIN or id(spot.value) in seen:
            continue
        seen.add(id(spot.value))
        what = _what(spot.value)
        if what:
            return f"{spot} is {what}"
        stack.extend(reversed(list(_inside(spot))))
    return None


def _what(value: Any) -> str | None:
    """What is wrong with a value itself; None where nothing is."""
    if type(value) is types.FunctionType:
        if value.__name__ == "<lambda>":
            return "a lambda"
        return _inner(value.__qualname__, "a function defined inside another one")
    if _is_a(value, type):
        return _inner(_qualname(value), "a class defined inside a function")
    inner = _inner(_qualname(type(value)), "a class defined inside a function")
    return f"an object of {inner}" if inner else None


def _is_a(value: object, *kinds: type) -> bool:
    # `isinstance` would ask the value for its `__class__`.
    return issubclass(type(value), kinds)


def _inner(qualname: str, what: str) -> str | None:
    return f"`{qualname}`, {what}" if "<locals>" in qualname else None


def _qualname(kind: type) -> str:
    # A metaclass may answer for `__qualname__` by code of its own.
    return str(type.__dict__["__qualname__"].__get__(kind))


def _inside(spot: _Spot) -> Iterator[_Spot]:
    """The parts of a part: items of containers, what a partial function holds, and attributes."""
    value = spot.value
    if _is_a(value, type, types.FunctionType, types.ModuleType):
        return
    if _is_a(value, dict):
        yield from _of_dict(spot)
    elif _is_a(value, *_CONTAINERS):
        yield from _of_items(spot)
    elif type(value) is np.ndarray:
        yield from (replace(spot, value=item) for item in (value.flat if value.dtype == object else ()))
    elif type(value) is functools.partial:
        yield from (replace(spot, value=part) for part in (value.func, value.args, value.keywords))
    elif type(value) is types.MethodType:
        yield from (replace(spot, value=part) for part in (value.__func__, value.__self__))
    owner = type(value).__name__
    yield from (_Spot(held, name, owner, spot.step) for name, held in _attributes(value))


def _of_dict(spot: _Spot) -> Iterator[_Spot]:
    if type(spot.value) is defaultdict:
        yield replace(spot, value=spot.value.default_factory)
    for key, item in dict.items(spot.value):
        is_name = type(key) is str and not spot.owner and not spot.step
        yield replace(spot, value=item, attribute=key if is_name else spot.attribute)


def _of_items(spot: _Spot) -> Iterator[_Spot]:
    """The items of a container; those of `("name", estimator)`, as pipelines have them, lie in a step of that name."""
    base = next(kind for kind in _CONTAINERS if _is_a(spot.value, kind))
    items = list(base.__iter__(spot.value))
    if base is tuple and len(items) in (2, 3) and type(items[0]) is str:
        yield from (_Spot(item, step=items[0]) if _is_object(item) else replace(spot, value=item) for item in items[1:])
    else:
        yield from (replace(spot, value=item) for item in items)


def _is_object(value: object) -> bool:
    return type(value).__module__ != "builtins"


def _attributes(value: object) -> Iterator[tuple[str, Any]]:
    """The attributes that the object itself holds, in its dictionary and in its slots; no property is asked."""
    for kind in type(value).__mro__:
        for name, slot in vars(kind).items():
            if type(slot) is types.MemberDescriptorType and kind.__module__ != "builtins":
                yield from _slot(name, slot, value)
            elif name == "__dict__" and type(slot) is types.GetSetDescriptorType:
                yield from list(slot.__get__(value).items())


def _slot(name: str, slot: types.MemberDescriptorType, value: object) -> Iterator[tuple[str, Any]]:
    try:
        yield name, slot.__get__(value)
    except AttributeError:
        return
