"""From a request's body to checked rows, by every shape that people send.

A body goes the quick way, typed decoding made from the schema, when that can vouch for it: it decodes, and it has
no more colons than its keys need, so no key stands twice, and no run of digits that is too long. Everything else is
read strictly (`strict`) and checked cell by cell (`rows`), which also lists every problem.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec

from lading.errors import BrokenInput, InputError, TooLarge
from lading.schema.cells import Complaint, cell_checker, number_bounds
from lading.schema.csv_text import read_csv
from lading.schema.fields import Field, Schema
from lading.schema.problems import Problem, type_name
from lading.schema.rows import RowChecker
from lading.schema.strict import MAX_NUMBER_CHARS, parse_json
from lading.schema.table import Row

_LONG_NUMBER = re.compile(rb"[0-9.eE+-]{%d}" % (MAX_NUMBER_CHARS + 1))
_SPLIT_KEYS = {"columns", "data", "index"}  # as pandas' `to_dict("split")` has it
_WRAPPER = re.compile(rb'\s*\{\s*"(instances|X)"\s*:')
_QUICK_NAME = re.compile(r'[^:"\\\x00-\x1f]*')
"""Names that the quick way can tell apart: no colon, and nothing that JSON escapes."""


class Limits(msgspec.Struct, frozen=True):
    """How much one request may hold."""

    max_rows: int = 10_000
    max_cells: int = 5_000_000


class Decoded(msgspec.Struct, frozen=True, gc=False):
    """Checked rows, and whether they came as one object, so that one answer goes back."""

    rows: Sequence[Row]
    is_single: bool


class Decoder:
    """Reads request bodies by one schema; made once, shared by all requests."""

    def __init__(self, schema: Schema, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._fields = schema.inputs
        self._takes_one = len(schema.inputs) <= self._limits.max_cells
        self._checker = RowChecker(schema)
        self._quick = _Quick(schema) if all(map(_QUICK_NAME.fullmatch, schema.names)) else None

    def json(self, body: bytes) -> Decoded:
        """The rows of a JSON body: an object, a list of objects, `instances`, `X`, or `columns` with `data`.

        Raises:
            BrokenInput: the body is not JSON as we take it.
            InputError: it is, but does not fit the schema; lists every problem.
            TooLarge: it has more rows or cells than one request may have.
        """
        quick = self._quick
        if quick is not None and self._takes_one and (row := quick.one(body)) is not None:
            return Decoded([row], is_single=True)
        decoded = (quick and quick.many(body)) or self._strict(parse_json(body))
        self._bound(len(decoded.rows))
        return decoded

    def value(self, value: Any) -> Decoded:
        """The rows of a value in one of the same shapes that is already parsed."""
        return self._strict(value)

    def query(self, pairs: Sequence[tuple[str, str]]) -> Decoded:
        """The one row of a query string's parameters."""
        names = [name for name, _ in pairs]
        if len(set(names)) != len(names):
            raise BrokenInput("a query parameter stands twice", code="input.duplicate_key")
        return Decoded([self._checker.text_object(dict(pairs))], is_single=True)

    def csv(self, body: bytes) -> Decoded:
        """The rows of CSV text (RFC 4180) whose first line names the columns."""
        lines = read_csv(body)
        self._bound(len(lines) - 1)
        return Decoded(self._checker.texts(lines[0], lines[1:]), is_single=False)

    def _strict(self, value: Any) -> Decoded:
        if isinstance(value, dict) and (wrapped := self._unwrap(value)) is not None:
            return wrapped
        if isinstance(value, dict):
            return Decoded([self._checker.object(value)], is_single=True)
        if isinstance(value, list):
            self._bound(len(value))
            return Decoded(self._checker.objects(value), is_single=False)
        raise InputError([_wrong_shape(f"expected an object or a list of objects, got {type_name(value)}")])

    def _unwrap(self, value: dict[str, Any]) -> Decoded | None:
        """The rows in `instances`, `X` or `data`; None when the object is itself a row."""
        keys = set(value)
        if keys == {"instances"} and isinstance(value["instances"], list):
            return Decoded(self._lines(value["instances"], "instances"), is_single=False)
        if keys == {"X"} and isinstance(value["X"], list):
            return self._matrix(value["X"])
        if {"columns", "data"} <= keys <= _SPLIT_KEYS and all(isinstance(value[key], list) for key in keys):
            self._bound(len(value["data"]))
            rows = self._checker.arrays(value["data"], "data", columns=value["columns"])
            return Decoded(rows, is_single=False)
        return None

    def _lines(self, lines: list[Any], key: str) -> list[Row]:
        self._bound(len(lines))
        if isinstance(_first_container(lines), list):
            return self._checker.arrays(lines, key)
        return self._checker.objects(lines, key)

    def _matrix(self, lines: list[Any]) -> Decoded:
        if lines and _first_container(lines) is None:
            return Decoded([self._checker.array(lines, "X")], is_single=False)
        return Decoded(self._lines(lines, "X"), is_single=False)

    def _bound(self, rows: int) -> None:
        limits = self._limits
        if rows < 1:
            raise InputError([_wrong_shape("expected at least one row, got none")])
        if rows > limits.max_rows:
            raise TooLarge(f"more than {limits.max_rows} rows in one request")
        if rows * len(self._fields) > limits.max_cells:
            raise TooLarge(f"more than {limits.max_cells} cells in one request")


def _first_container(lines: list[Any]) -> list[Any] | dict[str, Any] | None:
    return next((line for line in lines if isinstance(line, list | dict)), None)


def _wrong_shape(detail: str) -> Problem:
    return Problem("", "schema.wrong_shape", detail)


class _Quick:
    """Typed decoding for the plain shapes; None wherever it cannot vouch for the body."""

    def __init__(self, schema: Schema) -> None:
        fields = schema.inputs
        self._width = len(fields)
        # A shorter object has no room for a number that is too long beside its names.
        self._short_bytes = MAX_NUMBER_CHARS + sum(len(name.encode()) + len('"":,') for name in schema.names)
        self._finish = [(position, cell_checker(field)) for position, field in enumerate(fields) if _needs_check(field)]
        row: Any = _row_type(fields)
        cells: Any = tuple.__class_getitem__(tuple(_cell_type(field) for field in fields))
        self._object = msgspec.json.Decoder(row)
        self._objects = msgspec.json.Decoder(list[row])
        instances = msgspec.defstruct("Instances", [("instances", list[row])], forbid_unknown_fields=True)
        matrix = msgspec.defstruct("Matrix", [("X", list[cells])], forbid_unknown_fields=True)
        self._instances: Any = msgspec.json.Decoder(instances)
        self._matrix: Any = msgspec.json.Decoder(matrix)

    def one(self, body: bytes) -> Row | None:
        """The row of an object, as most requests have it."""
        try:
            row = _astuple(self._object.decode(body))
            if body.count(b":") != self._width or (len(body) > self._short_bytes and _LONG_NUMBER.search(body)):
                return None
            return self._finished([row])[0] if self._finish else row
        except _UNREADABLE:
            return None

    def many(self, body: bytes) -> Decoded | None:
        """The rows of a list, or of an object that holds one."""
        try:
            rows, colons = self._typed(body)
            if body.count(b":") != colons or _LONG_NUMBER.search(body):
                return None
            return Decoded(self._finished(rows), is_single=False)
        except _UNREADABLE:
            return None

    def _typed(self, body: bytes) -> tuple[list[Row], int]:
        """The rows, and how many colons their keys need."""
        wrapper = _WRAPPER.match(body)
        if wrapper is None:
            objects = self._objects.decode(body)
            return list(map(_astuple, objects)), self._width * len(objects)
        if wrapper[1] == b"X":
            return self._matrix.decode(body).X, 1
        objects = self._instances.decode(body).instances
        return list(map(_astuple, objects)), self._width * len(objects) + 1

    def _finished(self, rows: list[Row]) -> list[Row]:
        if not self._finish:
            return rows
        lines = [list(row) for row in rows]
        for position, check in self._finish:
            for line in lines:
                line[position] = check(line[position])
        return [tuple(line) for line in lines]


_astuple = msgspec.structs.astuple
_UNREADABLE = (msgspec.DecodeError, RecursionError, UnicodeDecodeError, Complaint)


def _row_type(fields: Sequence[Field]) -> type[msgspec.Struct]:
    names = [f"x{position}" for position in range(len(fields))]
    return msgspec.defstruct(
        "Row",
        [(name, _cell_type(field)) for name, field in zip(names, fields, strict=True)],
        rename={name: field.name for name, field in zip(names, fields, strict=True)},
        forbid_unknown_fields=True,
        gc=False,
    )


def _cell_type(field: Field) -> Any:
    """The type that decodes a cell: as much of the field's rules as typed decoding knows."""
    base: Any
    if _has_literals(field):
        base = Literal[field.values]
    elif field.value_kind in ("int", "float"):
        base = _number_type(field)
    else:
        base = bool if field.value_kind == "bool" else str
    return base | None if field.nullable else base


def _number_type(field: Field) -> Any:
    low, high = number_bounds(field)
    if field.value_kind == "int":
        return Annotated[int, msgspec.Meta(ge=low, le=high)]
    return float if high == sys.float_info.max else Annotated[float, msgspec.Meta(ge=low, le=high)]


def _has_literals(field: Field) -> bool:
    """Whether the only values allowed are ones that a typed decoder can name: texts, or whole numbers."""
    if field.value_kind == "int":
        low, high = number_bounds(field)
        return bool(field.values) and all(type(value) is int and low <= value <= high for value in field.values)
    return field.value_kind == "text" and bool(field.values) and all(type(value) is str for value in field.values)


def _needs_check(field: Field) -> bool:
    """Whether the field has a rule that its decoding type does not know."""
    if field.value_kind == "date" or field.interval is not None:
        return True
    return bool(field.values) and not _has_literals(field)
