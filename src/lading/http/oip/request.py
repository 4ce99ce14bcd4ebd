"""A request for an inference, read strictly: what it asks for, or every problem with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lading.errors import InputError
from lading.http.dialect import Asked
from lading.http.oip.columns import TensorRows
from lading.http.oip.outputs import Outputs
from lading.http.oip.tensors import Tensor, check_parameters, read_name, read_tensor, wrong
from lading.schema.problems import Problem, Problems, pointer, presentable

MAX_ID_CHARS = 128


def is_id(text: object) -> bool:
    """Whether it may be the id of a request, which its answer repeats."""
    return isinstance(text, str) and len(text) <= MAX_ID_CHARS and text.isprintable()


def read_request(value: Any, rows: TensorRows, outputs: Outputs) -> Asked:
    """What the parsed JSON value of a body asks for.

    Keys that the protocol does not have are ignored, and null where something may be left out is the same as leaving
    it out: clients send both.

    Raises:
        InputError: it does not fit; lists every problem.
        TooLarge: it has more rows or cells than one request may have.
    """
    if not isinstance(value, dict):
        raise InputError([wrong((), "an object with `inputs`", value)])
    problems = Problems()
    check_parameters(value, (), problems)
    request_id = value.get("id")
    if request_id is not None and not is_id(request_id):
        problems.add(_wrong_id)
    wanted = _wanted(value, outputs, problems)
    tensors = _tensors(value, rows, problems)
    problems.raise_any()
    is_whole = len(tensors) == 1 and rows.is_whole(tensors[0])
    checked = rows.whole(tensors[0]) if is_whole else rows.of_columns(tensors)
    return Asked(checked, False, outputs.have_probabilities(wanted), request_id, wanted)


def _tensors(value: Mapping[str, Any], rows: TensorRows, problems: Problems) -> list[Tensor]:
    inputs = value.get("inputs")
    if not isinstance(inputs, list) or not inputs:
        problems.add(wrong, ("inputs",), "a list of tensors", inputs or None)
        return []
    read = [read_tensor(each, place, problems) for place, each in enumerate(inputs)]
    tensors = [tensor for tensor in read if tensor is not None]
    names = [each.get("name") if isinstance(each, dict) else None for each in inputs]
    if len(inputs) == 1 and tensors and rows.is_one_row(tensors[0]):
        problems.add(_flat_row, tensors[0])
        return []
    is_whole = len(inputs) == 1 and (not tensors or rows.is_whole(tensors[0]))
    if not is_whole and all(isinstance(name, str) for name in names):
        rows.check_names([(place, str(name)) for place, name in enumerate(names)], problems)
    return tensors


def _flat_row(tensor: Tensor) -> Problem:
    columns = len(tensor.data)
    detail = f"expected one row of all columns to have the shape [1, {columns}], got [{columns}]"
    return Problem(pointer("inputs", 0, "shape"), "schema.wrong_shape", detail)


def _wanted(value: Mapping[str, Any], outputs: Outputs, problems: Problems) -> tuple[str, ...]:
    """Names of the outputs that are asked for; all of them where none is."""
    asked = value.get("outputs")
    if asked is None or asked == []:
        return outputs.names
    if not isinstance(asked, list):
        problems.add(wrong, ("outputs",), "a list of outputs", asked)
        return ()
    names: dict[str, None] = {}
    for place, each in enumerate(asked):
        _want(each, place, names, outputs, problems)
    return tuple(names)


def _want(value: Any, place: int, names: dict[str, None], outputs: Outputs, problems: Problems) -> None:
    spot = ("outputs", place)
    if not isinstance(value, dict):
        problems.add(wrong, spot, "an object with `name`", value)
        return
    check_parameters(value, spot, problems)
    name = read_name(value, spot, problems)
    if name in names:
        problems.add(_twice, place)
    elif name and name not in outputs.names:
        problems.add(_unknown, place, name, outputs.names)
    names[name] = None


def _wrong_id() -> Problem:
    detail = f"expected a printable string of at most {MAX_ID_CHARS} characters"
    return Problem(pointer("id"), "schema.wrong_type", detail)


def _twice(place: int) -> Problem:
    return Problem(pointer("outputs", place, "name"), "schema.columns", "another output has this name")


def _unknown(place: int, name: str, known: Sequence[str]) -> Problem:
    shown = presentable(name)
    what = f"`{shown}` is not" if shown else "not"
    detail = f"{what} an output of this model, which gives {', '.join(known)}"
    return Problem(pointer("outputs", place, "name"), "schema.not_allowed", detail)
