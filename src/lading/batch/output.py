"""The output: parts one behind the other, in a file of its kind or on stdout, and beside it what was set aside."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import msgspec

from lading.batch.chunk import Reject
from lading.batch.columns import head
from lading.batch.folder import OUTPUT, REJECTS, PartsFolder, cannot_write, flush
from lading.batch.plan import Plan
from lading.schema.words import printable

GROUP_ROWS = 1 << 17
"""Rows of a row group, or of a batch of Arrow's, that is written; at least."""


def rejects_path(output: Path) -> Path:
    """Where the rows stand that were set aside."""
    return output.with_name(f"{output.stem}.rejects.jsonl")


class _Body(Protocol):
    def add(self, data: bytes) -> None: ...
    def end(self) -> None: ...
    def abandon(self) -> None: ...


class _Text:
    def __init__(self, file: BinaryIO, plan: Plan) -> None:
        self._file = file
        file.write(head(plan))

    def add(self, data: bytes) -> None:
        self._file.write(data)

    def end(self) -> None:
        self._file.flush()

    def abandon(self) -> None: ...


class _Table:
    """Batches of Arrow's, joined until they are worth a row group."""

    def __init__(self, file: BinaryIO, plan: Plan) -> None:
        import pyarrow as pa
        import pyarrow.parquet

        self._head = plan.arrow_schema
        self._schema = pa.ipc.read_schema(pa.py_buffer(self._head))
        self._waiting: list[Any] = []
        if plan.kind == "parquet":
            self._writer = pyarrow.parquet.ParquetWriter(file, self._schema, use_dictionary=_texts(self._schema))
        else:
            self._writer = pa.ipc.new_file(file, self._schema)

    def add(self, data: bytes) -> None:
        import pyarrow as pa

        self._waiting += pa.ipc.open_stream(self._head + data)
        if sum(map(len, self._waiting)) >= GROUP_ROWS:
            self._write()

    def end(self) -> None:
        self._write()
        self._writer.close()

    def abandon(self) -> None:
        # Else it would be closed when it is collected, and its file is closed by then.
        with suppress(Exception):
            self._writer.close()

    def _write(self) -> None:
        import pyarrow as pa

        if self._waiting:
            table = pa.Table.from_batches(self._waiting, self._schema).combine_chunks()
            self._writer.write_table(table, table.num_rows)
            self._waiting = []


def _texts(schema: Any) -> list[str]:
    """The columns in which values are worth a dictionary: numbers hardly ever repeat, and it takes time to find out."""
    import pyarrow.types

    return [field.name for field in schema if not pyarrow.types.is_primitive(field.type)]


def _body(file: BinaryIO, plan: Plan) -> _Body:
    return _Text(file, plan) if plan.kind in ("csv", "jsonl") else _Table(file, plan)


class FileOutput:
    """An output that grows in its folder and is put in its place when it is complete."""

    def __init__(self, path: Path, folder: PartsFolder, plan: Plan) -> None:
        self._path, self._folder = path, folder
        self._shown = printable(str(path))
        self._file = folder.create(OUTPUT)
        self._rejects: BinaryIO | None = None
        try:
            self._body = _body(self._file, plan)
        except OSError as error:
            raise cannot_write(self._shown, error) from None

    def add(self, data: bytes, rejects: Sequence[Reject], file: str, first_row: int) -> None:
        """Add what came of a chunk, which begins with this row of its file."""
        try:
            self._body.add(data)
            if rejects:
                self._rejects = self._rejects or self._folder.create(REJECTS)
                self._rejects.writelines(line_of(reject, file, first_row) for reject in rejects)
        except OSError as error:
            raise cannot_write(self._shown, error) from None

    def end(self) -> None:
        """Put the output and the rejects in their places."""
        aside = rejects_path(self._path)
        try:
            self._body.end()
            flush(self._file)
            self._file.close()
            if self._rejects is None:
                aside.unlink(missing_ok=True)
            else:
                flush(self._rejects)
                self._rejects.close()
                os.replace(self._folder.path / REJECTS, aside)
            os.replace(self._folder.path / OUTPUT, self._path)
            self._folder.remove()
        except OSError as error:
            raise cannot_write(self._shown, error) from None

    def close(self) -> None:
        """Close the files, as they are."""
        self._body.abandon()
        for file in filter(None, (self._file, self._rejects)):
            with suppress(OSError):
                file.close()


class StdoutOutput:
    """Text on stdout; what was set aside is kept nowhere."""

    def __init__(self, file: BinaryIO, plan: Plan) -> None:
        self._file, self._plan = file, plan
        self._body: _Text | None = None

    def add(self, data: bytes, rejects: Sequence[Reject], file: str, first_row: int) -> None:
        """Write what came of a chunk."""
        self._begun().add(data)

    def end(self) -> None:
        """Write what is left."""
        self._begun().end()

    def _begun(self) -> _Text:
        self._body = self._body or _Text(self._file, self._plan)
        return self._body

    def close(self) -> None:
        """Nothing: stdout stays open."""


def line_of(reject: Reject, file: str, first_row: int) -> bytes:
    """The line of a row that was set aside."""
    return b'{"file":%b,"row":%d,%b\n' % (msgspec.json.encode(file), first_row + reject.row, reject.told)
