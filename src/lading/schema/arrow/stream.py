"""Arrow streams as columns, read with pyarrow where it is installed.

A body is anybody's bytes. So it is looked through before it is read (`messages`); of types, only flat ones are
taken; every batch is validated in full; and what its columns hold together is never more than the body has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from typing import Any

from lading.errors import BrokenInput
from lading.schema.arrow.column import ArrowColumn
from lading.schema.arrow.messages import count_rows

_FILE_BEGIN, _FILE_END = b"ARROW1\0\0", b"ARROW1"


def is_installed() -> bool:
    """Whether Arrow streams can be read here; imports nothing."""
    return find_spec("pyarrow") is not None


class ArrowStream:
    """An Arrow stream of which only the schema was read, and how many rows it says it has.

    Attributes:
        names: of its columns, in its order.
        rows: how many there are.

    Raises:
        BrokenInput: it cannot be read, or has something that is not taken.
    """

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.rows = _read(lambda pyarrow: count_rows(_messages(pyarrow, body)))
        self._schema = _read(lambda pyarrow: pyarrow.ipc.open_stream(body).schema)
        self.names: Sequence[str] = _read(lambda pyarrow: list(self._schema.names))

    def is_taken(self, place: int) -> bool:
        """Whether a column is of numbers, booleans, texts, dates or gaps, or of a dictionary of these."""
        return bool(_read(lambda pyarrow: is_flat(pyarrow.types, self._schema.field(place).type)))

    def columns(self, places: Sequence[int]) -> list[ArrowColumn]:
        """These columns, all of which have a kind; the others are not looked at."""
        columns: list[ArrowColumn] = _read(lambda pyarrow: _columns(pyarrow, self._body, places))
        if any(len(column) != self.rows for column in columns):
            raise _broken()
        return columns


def stream_of_file(body: bytes) -> bytes:
    """The stream that stands in an Arrow file, between its magic bytes and its footer, which is not needed.

    Raises:
        BrokenInput: it is not an Arrow file, or was cut.
    """
    if not (body.startswith(_FILE_BEGIN) and body.endswith(_FILE_END)):
        raise BrokenInput("the body is not an Arrow file that can be read", code="input.not_arrow")
    return body[len(_FILE_BEGIN) :]


def _read(call: Callable[[Any], Any]) -> Any:
    """What a call gives that is given pyarrow."""
    import pyarrow
    import pyarrow.ipc

    try:
        return call(pyarrow)
    except BrokenInput:
        raise
    # Of a broken stream pyarrow raises nearly anything, and types that extend Arrow's are read by other libraries.
    except Exception:
        raise _broken() from None


def _broken() -> BrokenInput:
    return BrokenInput("the body is not an Arrow stream that can be read", code="input.not_arrow")


def _messages(pyarrow: Any, body: bytes) -> Iterator[Any]:
    reader = pyarrow.ipc.MessageReader.open_stream(body)
    while True:
        try:
            yield reader.read_next_message()
        except StopIteration:
            return


def is_flat(types: Any, type_: Any) -> bool:
    """Whether a type is one whose values are cells; `types` is `pyarrow.types`."""
    if types.is_dictionary(type_):
        type_ = type_.value_type
    tests = (types.is_boolean, types.is_integer, types.is_floating, types.is_string, types.is_large_string)
    return any(test(type_) for test in (*tests, types.is_date, types.is_timestamp, types.is_null))


def _columns(pyarrow: Any, body: bytes, places: Sequence[int]) -> list[ArrowColumn]:
    options = pyarrow.ipc.IpcReadOptions(use_threads=False, included_fields=sorted(places))
    with pyarrow.ipc.open_stream(body, options=options) as reader:
        batches = list(reader)
    for batch in batches:
        batch.validate(full=True)
    chunks = zip(*(batch.columns for batch in batches if batch.num_rows), strict=True)
    by_place = dict(zip(sorted(places), map(ArrowColumn, chunks), strict=True))
    # Buffers may overlap: what is small in the body could be large, once for each column.
    if sum(column.bytes for column in by_place.values()) > len(body):
        raise _broken()
    return [by_place[place] for place in places]
