"""Reading JSON without mercy: no duplicate key, no endless number, no NaN, no deep nesting.

The typed decoder is quick but lenient about these; whatever it cannot vouch for comes here. The parser is the
standard library's, which calls a hook for each object and number; depth is bounded before it starts.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from lading.errors import BrokenInput

MAX_DEPTH = 32
MAX_NUMBER_CHARS = 64

_ESCAPES = re.compile(rb"\\.", re.DOTALL)


def parse_json(body: bytes) -> Any:
    """The JSON value (RFC 8259) in the body.

    Raises:
        BrokenInput: the body is empty, not UTF-8, not JSON, nested deeper than `MAX_DEPTH`, has a number of more than
            `MAX_NUMBER_CHARS` characters, a duplicate key or a lone surrogate.
    """
    if not body.strip():
        raise BrokenInput("the body is empty: expected JSON", code="input.empty")
    if depth(body) > MAX_DEPTH:
        raise BrokenInput(f"nested deeper than {MAX_DEPTH} levels", code="input.too_deep")
    try:
        value = _DECODER.decode(body.decode("utf-8"))
    except UnicodeDecodeError:
        raise BrokenInput("not UTF-8 text", code="input.not_utf8") from None
    except json.JSONDecodeError as error:
        reason = error.msg.split(":")[0].lower()
        raise BrokenInput(f"not JSON: {reason} (character {error.pos})", code="input.not_json") from None
    if rb"\u" in body:
        _refuse_lone_surrogates(value)
    return value


def depth(body: bytes) -> int:
    """The deepest nesting of brackets outside of strings; one pass of array operations, whatever the body holds."""
    if b"\\" in body:
        body = _ESCAPES.sub(b"__", body)
    codes = np.frombuffer(body, dtype=np.uint8)
    steps = _STEPS[codes]
    if not steps.any():
        return 0
    is_inside_string = np.logical_xor.accumulate(codes == ord('"'))
    steps[is_inside_string] = 0
    return int(np.cumsum(steps, dtype=np.int32).max())


def _steps() -> npt.NDArray[np.int8]:
    steps = np.zeros(256, dtype=np.int8)
    steps[[ord("["), ord("{")]] = 1
    steps[[ord("]"), ord("}")]] = -1
    return steps


_STEPS = _steps()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise BrokenInput("an object has the same key twice", code="input.duplicate_key")
    return value


def _bounded(token: str) -> str:
    if len(token) > MAX_NUMBER_CHARS:
        raise BrokenInput(f"a number has more than {MAX_NUMBER_CHARS} characters", code="input.long_number")
    return token


def _constant(token: str) -> NoReturn:
    raise BrokenInput("NaN and Infinity are not JSON", code="input.not_finite")


def _refuse_lone_surrogates(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise BrokenInput("a string has half of a surrogate pair", code="input.not_utf8") from None


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_float=lambda token: float(_bounded(token)),
    parse_int=lambda token: int(_bounded(token)),
    parse_constant=_constant,
)
