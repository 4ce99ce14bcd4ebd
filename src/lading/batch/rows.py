"""The rows of a chunk, as its file has them: some or all of them decoded, put through, or shown as they were."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import msgspec

from lading.batch.chunk import CHUNK_ROWS, Chunk
from lading.batch.records import records
from lading.errors import BrokenInput
from lading.schema.arrow.column import ArrowColumn
from lading.schema.arrow.stream import is_flat
from lading.schema.arrow.table import ArrowTable
from lading.schema.csv_text import read_csv
from lading.schema.decode import Decoder
from lading.schema.table import Row
from lading.schema.words import printable

Places = Sequence[int]


class Rows(Protocol):
    """Rows of a file; `places` are positions among them, in their order.

    Attributes:
        count: how many there are.
        are_typed: the columns of the file have types, so that what it says is what is meant.
    """

    count: int
    are_typed: bool

    def decode(self, decoder: Decoder, places: Places) -> Sequence[Row]:
        """The checked rows. Raises `InputError` or `BrokenInput`, with positions among the places."""

    def column(self, name: str, places: Places) -> Any:
        """A column as it is in the file: a list of JSON values or, of a table, `pyarrow.ChunkedArray`."""

    def original(self, place: int) -> Any:
        """A row as it was, as a JSON value."""


def rows_of(chunk: Chunk, columns: Sequence[str]) -> Iterator[Rows]:
    """The rows of a chunk, of which these columns are needed, in tables of bounded size.

    Raises:
        BrokenInput: the file cannot be read there.
    """
    if chunk.kind == "csv":
        yield CsvRows(chunk.body)
    elif chunk.kind == "jsonl":
        yield LineRows(chunk.body)
    else:
        yield from map(TableRows, _tables(chunk, list(columns)))


def _tables(chunk: Chunk, columns: list[str]) -> Iterator[Any]:
    import pyarrow
    import pyarrow.ipc
    import pyarrow.parquet

    try:
        if chunk.kind == "arrow":
            yield pyarrow.ipc.open_stream(chunk.body).read_all()
            return
        with pyarrow.parquet.ParquetFile(chunk.path, pre_buffer=False) as file:
            groups = list(range(*chunk.groups))
            for batch in file.iter_batches(CHUNK_ROWS, row_groups=groups, columns=columns, use_threads=False):
                batch.validate(full=True)  # of texts that are none
                yield pyarrow.Table.from_batches([batch])
    except (pyarrow.ArrowException, OSError) as error:
        raise BrokenInput(f"{printable(chunk.path)} cannot be read: {str(error).splitlines()[0][:200]}") from None


class CsvRows:
    """Records of CSV below a header."""

    are_typed = False

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._header, *found = records(body, has_quotes=True)
        self._records = [record.removesuffix(b"\r") for record in found]
        self._has_returns = b"\r" in body
        self.count = len(self._records)

    def decode(self, decoder: Decoder, places: Places) -> Sequence[Row]:
        """The checked rows; see `Rows`."""
        if len(places) > 1 and self._has_returns and any(b"\r" in self._records[place] for place in places):
            # Outside of quotes it ends a line, so that there are more of them than records: each is read alone.
            raise BrokenInput("a record has a line end of CR alone", code="input.not_csv")
        return decoder.csv(self._text(places)).rows

    def column(self, name: str, places: Places) -> list[str | None]:
        """The texts of a column; see `Rows`."""
        header, *lines = read_csv(self._text(places))
        place = header.index(name)
        return [line[place] for line in lines]

    def original(self, place: int) -> Any:
        """The texts by their names, or the record where it cannot be read."""
        try:
            header, *lines = read_csv(self._text([place]))
        except BrokenInput:
            return self._records[place].decode("utf-8", "replace")
        return dict(zip(header, lines[0], strict=True)) if len(lines) == 1 else lines

    def _text(self, places: Places) -> bytes:
        if len(places) == self.count:
            return self._body
        return b"\n".join([self._header, *(self._records[place] for place in places), b""])


class LineRows:
    """Lines, each of which is a JSON object."""

    are_typed = False

    def __init__(self, body: bytes) -> None:
        self._lines = [line.strip(b" \t\r") for line in records(body, has_quotes=False)]
        self.count = len(self._lines)

    def decode(self, decoder: Decoder, places: Places) -> Sequence[Row]:
        """The checked rows; see `Rows`."""
        lines = [self._lines[place] for place in places]
        if len(lines) == 1:
            return _one(decoder, lines[0])
        # What is no object by itself could make another one together with its neighbor.
        if not all(map(_is_object, lines)):
            raise BrokenInput("a line is not a JSON object", code="input.not_json")
        return decoder.json(b"[%b]" % b",\n".join(lines)).rows

    def column(self, name: str, places: Places) -> list[Any]:
        """The values of a column; see `Rows`."""
        return [msgspec.json.decode(self._lines[place]).get(name) for place in places]

    def original(self, place: int) -> Any:
        """The object, or the line where it is none."""
        line = self._lines[place]
        return msgspec.Raw(line) if _is_json(line) else line.decode("utf-8", "replace")


_objects = msgspec.json.Decoder(dict[str, msgspec.Raw])


def _is_object(line: bytes) -> bool:
    try:
        _objects.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _one(decoder: Decoder, line: bytes) -> Sequence[Row]:
    if line[:1] != b"{":
        raise BrokenInput("the line is not a JSON object", code="input.not_json")
    decoded = decoder.json(line)
    if not decoded.is_single:
        raise BrokenInput("the line holds several rows", code="input.not_json")
    return decoded.rows


class TableRows:
    """Rows of a `pyarrow.Table`."""

    are_typed = True

    def __init__(self, table: Any) -> None:
        self._table = table
        self.count: int = table.num_rows

    def decode(self, decoder: Decoder, places: Places) -> Sequence[Row]:
        """The checked rows; see `Rows`."""
        return decoder.columns(ArrowTable(self._some(places))).rows

    def column(self, name: str, places: Places) -> Any:
        """A `pyarrow.ChunkedArray`; see `Rows`."""
        return self._some(places).column(name)

    def original(self, place: int) -> Any:
        """The values by their names; what JSON has not as text."""
        return self._table.slice(place, 1).to_pylist()[0]

    def _some(self, places: Places) -> Any:
        if len(places) == self.count:
            return self._table
        if places[-1] - places[0] + 1 == len(places):
            return self._table.slice(places[0], len(places))
        return self._table.take(list(places))


def cells_of(column: Any) -> list[Any]:
    """A column of `Rows` as JSON values; of an Arrow type that JSON has not, as Python's."""
    if isinstance(column, list):
        return column
    import pyarrow.types

    if not is_flat(pyarrow.types, column.type):
        values: list[Any] = column.to_pylist()
        return values
    return ArrowColumn([chunk for chunk in column.unify_dictionaries().chunks if len(chunk)]).cells()
