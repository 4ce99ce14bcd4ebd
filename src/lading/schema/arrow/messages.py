"""What the messages of an Arrow stream say of themselves, before anything of them is read.

The layout is that of `Message.fbs` and `Schema.fbs` of the Arrow format: a FlatBuffers table begins with the distance
back to its vtable, which says how far into the table each field stands, 0 for one that is absent. Arrow has verified
the metadata of a message before it hands it out.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

from lading.errors import BrokenInput

MAX_BATCHES = 1024
"""Record batches of one stream; each takes time, even an empty one."""
_HEADER, _BODY_OF_DICTIONARY, _COMPRESSION, _IS_DELTA = 2, 1, 3, 2


class _Table:
    """A FlatBuffers table at a place of a message's metadata."""

    def __init__(self, data: Any, place: int) -> None:
        self._data = data
        self._place = place
        self._fields: int = place - struct.unpack_from("<i", data, place)[0]

    def _offset(self, field: int) -> int:
        (size,) = struct.unpack_from("<H", self._data, self._fields)
        slot = 4 + 2 * field
        return int(struct.unpack_from("<H", self._data, self._fields + slot)[0]) if slot < size else 0

    def has(self, field: int) -> bool:
        return self._offset(field) != 0

    def number(self, field: int, form: str) -> int:
        offset = self._offset(field)
        return int(struct.unpack_from(form, self._data, self._place + offset)[0]) if offset else 0

    def table(self, field: int) -> _Table:
        place = self._place + self._offset(field)
        return _Table(self._data, place + struct.unpack_from("<I", self._data, place)[0])


def count_rows(messages: Iterable[Any]) -> int:
    """The rows of a stream (of `pyarrow.ipc.Message`), by what its record batches say.

    Raises:
        BrokenInput: buffers are compressed, so that a few bytes might become any number; a dictionary stands twice or
            behind rows; or there are more than `MAX_BATCHES` record batches.
        struct.error: the metadata are broken.
    """
    rows = batches = 0
    dictionaries: set[int] = set()
    for message in messages:
        kind = message.type
        if kind not in ("dictionary", "record batch"):
            continue
        header = _Table(message.metadata, struct.unpack_from("<I", message.metadata)[0]).table(_HEADER)
        if kind == "dictionary":
            if batches:
                raise _unusual("a dictionary of the Arrow stream stands behind rows: write one for each column")
            _note_dictionary(header, dictionaries)
            continue
        _refuse_compression(header)
        # Less than none would hide others.
        rows += max(0, header.number(0, "<q"))
        batches += 1
        if batches > MAX_BATCHES:
            raise _unusual(f"the Arrow stream has more than {MAX_BATCHES} record batches: write fewer, of more rows")
    return rows


def _note_dictionary(header: _Table, seen: set[int]) -> None:
    identity = header.number(0, "<q")
    if identity in seen or header.number(_IS_DELTA, "<B"):
        raise _unusual("a dictionary of the Arrow stream comes in several parts: write one for each column")
    seen.add(identity)
    _refuse_compression(header.table(_BODY_OF_DICTIONARY))


def _refuse_compression(batch: _Table) -> None:
    if batch.has(_COMPRESSION):
        raise _unusual("the buffers of the Arrow stream are compressed: write them without compression")


def _unusual(message: str) -> BrokenInput:
    return BrokenInput(message, code="input.arrow_feature")
