"""Tensors as a request has them: a name, a shape, a datatype and data, nested or flat; every problem of their form."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lading.http.oip.datatypes import DATATYPES, WITHOUT_JSON
from lading.schema.problems import Problem, Problems, pointer, suggest, type_name

_TOLD_ELEMENTS = 10**9
MAX_DIMENSIONS = 4
"""Of a tensor: an image has rows, lines, pixels and channels."""
Spot = tuple[str | int, ...]


class Tensor(NamedTuple):
    """One tensor, of as many elements as its shape says.

    Attributes:
        place: in the list of inputs.
        name: that the request gives it.
        datatype: one that JSON has.
        shape: how many elements there are in each dimension.
        data: the elements, row by row.
        is_nested: whether they came in lists of lists.
    """

    place: int
    name: str
    datatype: str
    shape: tuple[int, ...]
    data: Sequence[Any]
    is_nested: bool = False

    @property
    def rows(self) -> int:
        """Its first dimension."""
        return self.shape[0]

    @property
    def width(self) -> int:
        """How many elements a row has."""
        return math.prod(self.shape[1:])

    def spot(self, index: int) -> Spot:
        """Where in the body an element stands."""
        places = unravel(index, self.shape) if self.is_nested else (index,)
        return ("inputs", self.place, "data", *places)


def unravel(index: int, shape: Sequence[int]) -> tuple[int, ...]:
    """The place in each dimension of the element at `index`, row by row."""
    places: list[int] = []
    for size in reversed(shape):
        index, place = divmod(index, size)
        places.insert(0, place)
    return tuple(places)


def read_tensor(value: Any, place: int, problems: Problems) -> Tensor | None:
    """The tensor in an item of `inputs`; None where it has problems, which are added."""
    spot: Spot = ("inputs", place)
    if not isinstance(value, dict):
        problems.add(wrong, spot, "a tensor, which is an object", value)
        return None
    before = problems.total
    check_parameters(value, spot, problems)
    name = read_name(value, spot, problems)
    datatype = _read_datatype(value, spot, problems)
    shape = _read_shape(value, spot, problems)
    data = _read_data(value, spot, problems)
    if problems.total > before:
        return None
    is_nested = bool(data) and isinstance(data[0], list)
    elements = _nested(data, shape, spot, problems) if is_nested else _flat(data, shape, spot, problems)
    return Tensor(place, name, datatype, shape, elements, is_nested) if problems.total == before else None


def read_name(value: Mapping[str, Any], spot: Spot, problems: Problems) -> str:
    """The name of an input or an output; empty where it has none, which is a problem."""
    name = value.get("name")
    if isinstance(name, str) and name:
        return name
    problems.add(wrong, (*spot, "name"), "a name", name)
    return ""


def check_parameters(value: Mapping[str, Any], spot: Spot, problems: Problems) -> None:
    """Add what is wrong with the parameters of a request, an input or an output; nothing is done with them."""
    parameters = value.get("parameters")
    if parameters is None:
        return
    if not isinstance(parameters, dict):
        problems.add(wrong, (*spot, "parameters"), "an object", parameters)
        return
    for position, parameter in enumerate(parameters.values()):
        if not isinstance(parameter, str | int | float):
            problems.add(_wrong_parameter, spot, position, type_name(parameter))


def _wrong_parameter(spot: Spot, position: int, got: str) -> Problem:
    detail = f"expected strings, numbers and booleans, got {got} as value {position}"
    return Problem(pointer(*spot, "parameters"), "schema.wrong_type", detail, got=got)


def _read_datatype(value: Mapping[str, Any], spot: Spot, problems: Problems) -> str:
    name = value.get("datatype")
    if isinstance(name, str) and name in DATATYPES:
        return name
    if isinstance(name, str):
        problems.add(_unknown_datatype, spot, name)
    else:
        problems.add(wrong, (*spot, "datatype"), "the name of a datatype", name)
    return ""


def _unknown_datatype(spot: Spot, name: str) -> Problem:
    meant = suggest(name, DATATYPES)
    detail = f"expected one of {', '.join(DATATYPES)}" + (f": did you mean `{meant}`?" if meant else "")
    if name in WITHOUT_JSON:
        detail = f"{name} has no form in JSON: send the same numbers as FP32"
    return Problem(pointer(*spot, "datatype"), "schema.not_allowed", detail, suggestion=meant)


def _read_shape(value: Mapping[str, Any], spot: Spot, problems: Problems) -> tuple[int, ...]:
    shape = value.get("shape")
    if not isinstance(shape, list):
        problems.add(wrong, (*spot, "shape"), "a list of whole numbers", shape)
        return ()
    if not 1 <= len(shape) <= MAX_DIMENSIONS or not all(type(size) is int and size >= 1 for size in shape):
        problems.add(_wrong_shape, spot)
        return ()
    return tuple(shape)


def _wrong_shape(spot: Spot) -> Problem:
    detail = f"expected 1 to {MAX_DIMENSIONS} whole numbers, each at least 1, the first of which counts rows"
    return Problem(pointer(*spot, "shape"), "schema.wrong_shape", detail)


def _read_data(value: Mapping[str, Any], spot: Spot, problems: Problems) -> list[Any]:
    data = value.get("data")
    if isinstance(data, list):
        return data
    parameters = value.get("parameters")
    if data is None and isinstance(parameters, dict) and "binary_data_size" in parameters:
        problems.add(_binary, spot)
    else:
        problems.add(wrong, (*spot, "data"), "a list", data)
    return []


def _binary(spot: Spot) -> Problem:
    return Problem(pointer(*spot), "schema.wrong_shape", "binary tensors are not taken: send the elements in `data`")


def _flat(data: list[Any], shape: Sequence[int], spot: Spot, problems: Problems) -> list[Any]:
    if len(data) != math.prod(shape):
        wanted = math.prod(shape)
        says = f"says, {wanted:,}" if wanted <= _TOLD_ELEMENTS else "says"
        expected = f"as many elements as `shape` {says}, got {len(data)}"
        problems.add(_wrong_length, (*spot, "data"), expected)
    return data


def _nested(data: list[Any], shape: Sequence[int], spot: Spot, problems: Problems) -> list[Any]:
    """The elements of lists of lists, each of which has to be as long as the shape says."""
    if len(data) != shape[0]:
        problems.add(_wrong_length, (*spot, "data"), f"as many lists as the first number of `shape`, got {len(data)}")
        return []
    for depth, width in enumerate(shape[1:], start=1):
        before, inner = problems.total, []
        for index, part in enumerate(data):
            if isinstance(part, list) and len(part) == width:
                inner += part
            else:
                problems.add(_wrong_part, part, width, spot, unravel(index, shape[:depth]))
        if problems.total > before:
            return []
        data = inner
    return data


def _wrong_part(part: Any, width: int, spot: Spot, places: Spot) -> Problem:
    got = f"{len(part)}" if isinstance(part, list) else type_name(part)
    return _wrong_length((*spot, "data", *places), f"a list of {width} by `shape`, got {got}")


def _wrong_length(spot: Spot, expected: str) -> Problem:
    return Problem(pointer(*spot), "schema.wrong_shape", f"expected {expected}")


def wrong(spot: Spot, expected: str, value: object) -> Problem:
    """The problem of something that is missing, or of another type."""
    if value is None:
        return Problem(pointer(*spot), "schema.wrong_type", f"missing (required, {expected})", expected=expected)
    got = type_name(value)
    return Problem(pointer(*spot), "schema.wrong_type", f"expected {expected}, got {got}", expected=expected, got=got)
