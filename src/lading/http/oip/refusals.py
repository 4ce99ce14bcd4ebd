"""Errors as the Open Inference Protocol tells them: `{"error": "…"}`, every problem in one text."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec
from starlette.responses import Response
from starlette.types import Scope

from lading.errors import InputError, LadingError
from lading.http.oip.paths import ROOTS
from lading.http.problems import headers_of, problem, status_of
from lading.schema.problems import Problem

_NAMED = frozenset({"schema.missing_column", "schema.unknown_column"})
"""Problems with a column of which only its name says which one."""
_INDEX = re.compile(r"[0-9]+")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What is wrong with a request has one status in the protocol, also where it could be read.
_BAD_REQUEST = 400


def refusal(error: LadingError, request_id: str = "") -> Response:
    """The answer that tells the error; the id is in its head, as in every other."""
    status = _BAD_REQUEST if isinstance(error, InputError) else status_of(error)[0]
    body = msgspec.json.encode({"error": text_of(error)}) + b"\n"
    return Response(body, status, headers=headers_of(error), media_type="application/json")


def refuser_of(scope: Scope) -> Callable[[LadingError, str], Response]:
    """How a request is told an error, by where it went."""
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    is_below = any(path == root or path.startswith(f"{root}/") for root in ROOTS)
    return refusal if is_below else problem


def text_of(error: LadingError) -> str:
    """The error in one line, each problem with its place: `inputs[2].data[17]: expected number, got a string`."""
    if not isinstance(error, InputError):
        return error.message
    told = [_line(each) for each in error.problems]
    if (more := error.total - len(told)) > 0:
        told.append(f"and {more} more")
    return "; ".join(told)


def _line(problem: Problem) -> str:
    place, detail = place_of(problem.pointer), problem.detail
    if problem.column is not None and problem.code in _NAMED:
        detail = f"`{problem.column}` is {detail}"
    return f"{place}: {detail}" if place else detail


def place_of(pointer: str) -> str:
    """A JSON Pointer (RFC 6901) in the words of programs: `inputs[2].data[17]`; empty for the whole body."""
    place = ""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if _INDEX.fullmatch(name):
            place += f"[{name}]"
        elif _WORD.fullmatch(name):
            place += f".{name}" if place else name
        else:
            place += f"[{msgspec.json.encode(name).decode()}]"
    return place
