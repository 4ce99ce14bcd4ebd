"""Files as chunks: what they say of their columns, and where each chunk begins and ends."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Protocol, Self

import msgspec

from lading.batch.chunk import CHUNK_ROWS, Chunk
from lading.batch.records import blocks, records
from lading.batch.sources import STDIN, Source
from lading.errors import BrokenInput, LadingError, UsageError
from lading.schema.csv_text import read_csv

_ARROW_FILE = b"ARROW1"
_FEATHER_1 = b"FEA1"


class Header(msgspec.Struct, frozen=True):
    """What a file says of its columns.

    Attributes:
        names: of the columns, in its order; None where it does not say.
        types: of Arrow's, by name.
        example: the first object of JSON lines.
    """

    names: Sequence[str] | None
    types: Mapping[str, Any] = {}
    example: Mapping[str, Any] | None = None


class Reader(Protocol):
    """Reads one file, once, from its beginning to its end."""

    header: Header

    def chunks(self, columns: Sequence[str]) -> Iterator[Chunk]:
        """The chunks, of which these columns are needed. Raises `BrokenInput`."""


class Reading:
    """A context in which a file is read; whatever is wrong with it names it.

    Raises:
        BrokenInput: the file is broken, at its beginning or later.
        UsageError: it cannot be opened.
    """

    def __init__(self, source: Source, place: int = 0) -> None:
        self._source = source
        self._file = self._opened()
        try:
            self._reader: Reader = _READERS[source.kind](self._file, source, place)
        except Exception as error:
            self._close()
            raise self._named(error) from None
        self.header = self._reader.header

    def chunks(self, columns: Sequence[str]) -> Iterator[Chunk]:
        """The chunks, of which these columns are needed."""
        try:
            yield from self._reader.chunks(columns)
        except Exception as error:
            raise self._named(error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _opened(self) -> BinaryIO:
        try:
            # With a buffer: what is read at once is as long as it was asked for, wherever it comes from.
            return sys.stdin.buffer if self._source.path == STDIN else open(self._source.path, "rb")
        except OSError as error:
            raise self._named(error) from None

    def _close(self) -> None:
        if self._source.path != STDIN:
            self._file.close()

    def _named(self, error: Exception) -> Exception:
        name = self._source.name
        if isinstance(error, BrokenInput):
            return BrokenInput(f"{name} {error.message}", code=error.code)
        if isinstance(error, LadingError):
            return error
        if self._source.kind in ("parquet", "arrow"):  # of a broken file pyarrow raises nearly anything
            words = str(error).splitlines() or [""]
            return BrokenInput(f"{name} is not {self._source.kind} that can be read: {words[0][:200]}")
        if isinstance(error, OSError):
            return UsageError(f"cannot read {name}: {error.strerror}")
        return error


class _CsvReader:
    def __init__(self, file: BinaryIO, source: Source, place: int) -> None:
        self._source, self._place = source, place
        self._blocks = blocks(file, has_quotes=True)
        first = next((text for text in self._blocks if text.strip()), b"")
        header, *_ = [*records(first, has_quotes=True), b""]
        if not header:
            raise BrokenInput("is empty: expected a header line", code="input.empty")
        self._line = header.rstrip(b"\r") + b"\n"
        if b"\r" in self._line:
            raise BrokenInput("has line ends of CR alone: save it with LF", code="input.not_csv")
        self._first = first[first.index(header) + len(header) :].lstrip(b"\r").removeprefix(b"\n")
        self.header = Header(read_csv(self._line)[0])

    def chunks(self, columns: Sequence[str]) -> Iterator[Chunk]:
        """One for each block."""
        source = self._source
        if self._first:
            yield Chunk(self._place, source.path, "csv", len(self._first), self._line + self._first)
        for text in self._blocks:
            yield Chunk(self._place, source.path, "csv", len(text), self._line + text)


class _LineReader:
    def __init__(self, file: BinaryIO, source: Source, place: int) -> None:
        self._source, self._place = source, place
        self._blocks = blocks(file, has_quotes=False)
        self._first = next((text for text in self._blocks if text.strip()), b"")
        line, *_ = [*records(self._first, has_quotes=False), b""]
        self.header = _header_of(line)

    def chunks(self, columns: Sequence[str]) -> Iterator[Chunk]:
        """One for each block."""
        if self._first:
            yield Chunk(self._place, self._source.path, "jsonl", len(self._first), self._first)
        for text in self._blocks:
            yield Chunk(self._place, self._source.path, "jsonl", len(text), text)


def _header_of(line: bytes) -> Header:
    try:
        example = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Header(None)
    return Header(list(example), example=example) if isinstance(example, dict) else Header(None)


class _ParquetReader:
    def __init__(self, file: BinaryIO, source: Source, place: int) -> None:
        import pyarrow.parquet

        if not source.is_steady:
            raise BrokenInput("cannot be read as a stream: Parquet is read from a file")
        self._source, self._place = source, place
        with pyarrow.parquet.ParquetFile(source.path) as table:
            self._metadata = table.metadata
            self.header = _typed(table.schema_arrow)

    def chunks(self, columns: Sequence[str]) -> Iterator[Chunk]:
        """One for each large row group; neighbors that are small are one together."""
        metadata, source = self._metadata, self._source
        first, rows = 0, 0
        for group in range(metadata.num_row_groups):
            rows += metadata.row_group(group).num_rows
            if rows and (rows >= CHUNK_ROWS or group == metadata.num_row_groups - 1):
                size = source.size * rows // metadata.num_rows
                yield Chunk(self._place, source.path, "parquet", size, groups=(first, group + 1))
                first, rows = group + 1, 0


class _ArrowReader:
    def __init__(self, file: BinaryIO, source: Source, place: int) -> None:
        import pyarrow.ipc

        self._source, self._place = source, place
        start = file.peek(8)[:8]  # type: ignore[attr-defined]
        if start.startswith(_FEATHER_1):
            raise BrokenInput("is of Feather's first version, which is not read: save it anew")
        self._is_file = start.startswith(_ARROW_FILE)
        if self._is_file and not source.is_steady:
            raise BrokenInput("is an Arrow file, which is not read as a stream")
        self._batches = pyarrow.ipc.open_file(source.path) if self._is_file else pyarrow.ipc.open_stream(file)
        self.header = _typed(self._batches.schema)

    def chunks(self, columns: Sequence[str]) -> Iterator[Chunk]:
        """One for each large batch, or part of a very large one; neighbors that are small are one together."""
        waiting: list[Any] = []
        for piece in self._pieces(columns):
            waiting.append(piece)
            if sum(map(len, waiting)) >= CHUNK_ROWS:
                yield self._chunk(waiting)
                waiting = []
        if waiting:
            yield self._chunk(waiting)

    def _pieces(self, columns: Sequence[str]) -> Iterator[Any]:
        for batch in self._each():
            batch.validate(full=True)
            chosen = batch.select(list(columns))
            yield from (chosen.slice(start, CHUNK_ROWS) for start in range(0, len(chosen), CHUNK_ROWS))

    def _each(self) -> Iterator[Any]:
        if not self._is_file:
            yield from self._batches
            return
        for place in range(self._batches.num_record_batches):
            yield self._batches.get_batch(place)

    def _chunk(self, batches: list[Any]) -> Chunk:
        import pyarrow as pa

        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batches[0].schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
        body = sink.getvalue().to_pybytes()
        return Chunk(self._place, self._source.path, "arrow", len(body), body)


def _typed(schema: Any) -> Header:
    import pyarrow.types

    types = {
        field.name: field.type.value_type if pyarrow.types.is_dictionary(field.type) else field.type for field in schema
    }
    return Header(schema.names, types)


_READERS: dict[str, Any] = {
    "csv": _CsvReader,
    "jsonl": _LineReader,
    "parquet": _ParquetReader,
    "arrow": _ArrowReader,
}
