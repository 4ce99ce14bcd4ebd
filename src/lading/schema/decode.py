"""From a request's body to checked rows, by every shape that people send.

A body goes a quick way, which is typed decoding made from the schema (`quick`, `csv_rows`), when that can vouch for
it. Everything else is read strictly (`strict`, `csv_text`) and checked cell by cell (`rows`), which also lists every
problem.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from lading.errors import BrokenInput, InputError, TooLarge
from lading.schema.arrow.rows import ArrowRows, Columnar
from lading.schema.arrow.stream import ArrowStream, stream_of_file
from lading.schema.csv_rows import CsvRows
from lading.schema.csv_text import read_csv
from lading.schema.fields import Schema
from lading.schema.images import Images
from lading.schema.parquet.file import ParquetFile
from lading.schema.problems import Problem, type_name
from lading.schema.quick import QuickJson
from lading.schema.rows import RowChecker
from lading.schema.strict import parse_json
from lading.schema.table import Row
from lading.schema.typed import TypedRows

_SPLIT_KEYS = {"columns", "data", "index"}  # as pandas' `to_dict("split")` has it


class Limits(msgspec.Struct, frozen=True):
    """How much one request may hold."""

    max_rows: int = 10_000
    max_cells: int = 5_000_000
    max_image_pixels: int = 40_000_000


UNLIMITED = Limits(max_rows=2**62, max_cells=2**62)
"""For rows of one's own, which are no request; images have their bound all the same."""


class Decoded(msgspec.Struct, frozen=True, gc=False):
    """Checked rows, and whether they came as one object, so that one answer goes back."""

    rows: Sequence[Row]
    is_single: bool


class Decoder:
    """Reads request bodies by one schema; made once, shared by all requests.

    Attributes:
        takes_images: the columns may come as an image.

    Raises:
        EnvironmentMismatch: they may, and what reads images is not installed.
    """

    def __init__(self, schema: Schema, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._fields = schema.inputs
        self._takes_one = len(schema.inputs) <= self._limits.max_cells
        self._checker = RowChecker(schema)
        typed = TypedRows(schema.inputs)
        self._quick = QuickJson(schema, typed) if QuickJson.suits(schema) else None
        self._csv = CsvRows(schema, typed)
        self._arrow = ArrowRows(schema, self._checker)
        self._known_columns = len(schema.inputs) + len(schema.unused)
        image = schema.image
        self._images = Images(schema, image, self._limits.max_image_pixels) if image is not None else None
        self.takes_images = image is not None

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
        rows = quick.many(body) if quick is not None else None
        decoded = self._strict(parse_json(body)) if rows is None else Decoded(rows, is_single=False)
        self.bound(len(decoded.rows))
        return decoded

    def value(self, value: Any) -> Decoded:
        """The rows of a value in one of the same shapes that is already parsed."""
        return self._strict(value)

    def query(self, pairs: Sequence[tuple[str, str]]) -> Decoded:
        """The one row of a query string's parameters."""
        names = [name for name, _ in pairs]
        if len(set(names)) != len(names):
            raise BrokenInput("a query parameter stands twice", code="input.duplicate_key")
        row = dict(pairs)
        if self._images is not None and self._images.are_in(row):
            return Decoded(self._images.one(row), is_single=True)
        return Decoded([self._checker.text_object(row)], is_single=True)

    def csv(self, body: bytes) -> Decoded:
        """The rows of CSV text (RFC 4180) whose first line names the columns."""
        rows = self._csv.of_numbers(body)
        if rows is None:
            header, *lines = read_csv(body)
            self.bound(len(lines))
            rows = self._csv.of_lines(header, lines) or self._checker.texts(header, lines)
        self.bound(len(rows))
        return Decoded(rows, is_single=False)

    def arrow(self, body: bytes) -> Decoded:
        """The rows of an Arrow stream; they are a `Table`.

        Raises:
            BrokenInput: it cannot be read, or has something that is not taken.
            InputError: it does not fit the schema; lists every problem.
            TooLarge: it has more rows or cells than one request may have.
        """
        return self.columns(ArrowStream(body))

    def arrow_file(self, body: bytes) -> Decoded:
        """The rows of an Arrow file, in which a stream stands. Raises as `arrow`."""
        return self.arrow(stream_of_file(body))

    def parquet(self, body: bytes) -> Decoded:
        """The rows of a Parquet file; they are a `Table`. Raises as `arrow`."""
        return self.columns(ParquetFile(body, self._known_columns))

    def columns(self, columns: Columnar) -> Decoded:
        """The rows of Arrow's columns; they are a `Table`. Raises as `arrow`."""
        self.bound(columns.rows)
        return Decoded(self._arrow.read(columns), is_single=False)

    def images(self, files: Sequence[bytes], *, is_single: bool) -> Decoded:
        """The rows of image files; they are a `Table`.

        Raises:
            InputError: files that are no images which are taken; lists every problem.
            TooLarge: there are more, or they have more pixels, than one request may have.
        """
        assert self._images is not None
        self.bound(len(files))
        return Decoded(self._images.files(files), is_single)

    def bound(self, rows: int) -> None:
        """Nothing, for as many rows as one request may have.

        Raises:
            InputError: there is none.
            TooLarge: there are more, or more cells.
        """
        limits = self._limits
        if rows < 1:
            raise InputError([_wrong_shape("expected at least one row, got none")])
        if rows > limits.max_rows:
            raise TooLarge(f"more than {limits.max_rows} rows in one request")
        if rows * len(self._fields) > limits.max_cells:
            raise TooLarge(f"more than {limits.max_cells} cells in one request")

    def _strict(self, value: Any) -> Decoded:
        if isinstance(value, dict) and (wrapped := self._unwrap(value)) is not None:
            return wrapped
        if isinstance(value, dict):
            return Decoded(self._object(value), is_single=True)
        if isinstance(value, list):
            self.bound(len(value))
            return Decoded(self._objects(value), is_single=False)
        raise InputError([_wrong_shape(f"expected an object or a list of objects, got {type_name(value)}")])

    def _unwrap(self, value: dict[str, Any]) -> Decoded | None:
        """The rows in `instances`, `X` or `data`; None when the object is itself a row."""
        keys = set(value)
        if keys == {"instances"} and isinstance(value["instances"], list):
            return Decoded(self._lines(value["instances"], "instances"), is_single=False)
        if keys == {"X"} and isinstance(value["X"], list):
            return self._matrix(value["X"])
        if {"columns", "data"} <= keys <= _SPLIT_KEYS and all(isinstance(value[key], list) for key in keys):
            self.bound(len(value["data"]))
            rows = self._checker.arrays(value["data"], "data", columns=value["columns"])
            return Decoded(rows, is_single=False)
        return None

    def _object(self, value: dict[str, Any]) -> Sequence[Row]:
        if self._images is not None and self._images.are_in(value):
            return self._images.one(value)
        return [self._checker.object(value)]

    def _objects(self, values: list[Any], *within: str) -> Sequence[Row]:
        if self._images is not None and self._images.are_in(values):
            return self._images.many(values, *within)
        return self._checker.objects(values, *within)

    def _lines(self, lines: list[Any], key: str) -> Sequence[Row]:
        self.bound(len(lines))
        if isinstance(_first_container(lines), list):
            return self._checker.arrays(lines, key)
        return self._objects(lines, key)

    def _matrix(self, lines: list[Any]) -> Decoded:
        if lines and _first_container(lines) is None and len(self._fields) == 1:
            self.bound(len(lines))
            return Decoded(self._checker.cells(lines, "X"), is_single=False)
        if lines and _first_container(lines) is None:
            return Decoded([self._checker.array(lines, "X")], is_single=False)
        return Decoded(self._lines(lines, "X"), is_single=False)


def _first_container(lines: list[Any]) -> list[Any] | dict[str, Any] | None:
    return next((line for line in lines if isinstance(line, list | dict)), None)


def _wrong_shape(detail: str) -> Problem:
    return Problem("", "schema.wrong_shape", detail)
