"""What is wrong with an input, spot by spot: never a value, always where, what was expected and what came."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable
from typing import ParamSpec

import msgspec

from lading.errors import InputError

MAX_LISTED = 100
"""Problems listed in one answer; the rest are counted."""
MAX_COUNTED = 100_000
"""Problems after which checking ends: to count millions of them would hold up everybody else for seconds."""
MAX_COMPARED = 2_000
"""Names compared in one answer to say which was meant: about 40 ms, where all are alike."""

_P = ParamSpec("_P")
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_ .()%/-]{0,63}")


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """One problem with one spot of an input.

    Attributes:
        pointer: JSON Pointer (RFC 6901) to the spot in the body; empty for the whole body.
        code: stable, for programs (`schema.missing_column`).
        detail: for people.
        column: the column's name, where one is concerned.
        row: the row's position from 0, where the input has several.
        expected: what the schema asks for.
        got: the type that came, never the value.
        suggestion: the name that was probably meant.
    """

    pointer: str
    code: str
    detail: str
    column: str | None = None
    row: int | None = None
    expected: str | None = None
    got: str | None = None
    suggestion: str | None = None


class Problems:
    """Collects problems; lists the first `MAX_LISTED` and counts all: a small body can have millions."""

    def __init__(self) -> None:
        self.listed: list[Problem] = []
        self.total = 0
        self._compared = 0

    @property
    def is_full(self) -> bool:
        """Whether further problems are only counted."""
        return len(self.listed) == MAX_LISTED

    def add(self, describe: Callable[_P, Problem], *args: _P.args, **kwargs: _P.kwargs) -> None:
        """Count a problem, and describe it only while there is room for it."""
        if len(self.listed) < MAX_LISTED:
            self.listed.append(describe(*args, **kwargs))
        self.count(1)

    def count(self, number: int) -> None:
        """Count problems; raise `InputError` once there are `MAX_COUNTED`."""
        self.total += number
        if self.total >= MAX_COUNTED:
            self.raise_any()

    def suggest(self, name: str, known: Collection[str]) -> str | None:
        """The known name that was probably meant; None when none is close, or enough were listed or compared."""
        self._compared += len(known)
        if self.is_full or self._compared > MAX_COMPARED:
            return None
        return suggest(name, known)

    def raise_any(self) -> None:
        """Raise `InputError` when there is at least one problem."""
        if self.total:
            raise InputError(self.listed, total=self.total)


def pointer(*parts: str | int) -> str:
    """The JSON Pointer (RFC 6901) to a spot: `~` and `/` in names are escaped."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def suggest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant, or None when none is close."""
    by_folded = {other.casefold(): other for other in known}
    matches = difflib.get_close_matches(name.casefold()[:256], by_folded, n=1, cutoff=0.6)
    return by_folded[matches[0]] if matches else None


def presentable(name: str) -> str | None:
    """The name, if it is what people call columns; a key that may be anything else is not repeated."""
    return name if _PLAIN_NAME.fullmatch(name) else None


def type_name(value: object) -> str:
    """What came, in the words of JSON."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int):
        return "an integer"
    if isinstance(value, float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "an object" if isinstance(value, dict) else "an array"
