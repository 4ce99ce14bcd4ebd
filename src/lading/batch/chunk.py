"""A piece of an input that is scored by itself, and what comes of it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lading.batch.kinds import Kind

CHUNK_ROWS = 1 << 16
"""Rows of a chunk at least, where an input is made of blocks of rows; and what a model gets at once at most."""


class Chunk(msgspec.Struct, frozen=True):
    """A piece of an input; where it begins and ends depends on the input alone.

    Attributes:
        file: which of the inputs, from 0.
        path: of the input.
        kind: of the input.
        size: bytes of the input that it stands for.
        body: its text, with the header where it is CSV; or an Arrow stream.
        groups: the row groups of a Parquet file: the first, and the first that is not in it.
    """

    file: int
    path: str
    kind: Kind
    size: int
    body: bytes = b""
    groups: tuple[int, int] = (0, 0)


class Reject(msgspec.Struct, frozen=True, array_like=True):
    """A row that has no answer.

    Attributes:
        row: which, from 0 in its chunk.
        told: the rest of its line in the file of rejects: `"errors":…,"input":…}`.
        why: the first reason, without a value.
    """

    row: int
    told: bytes
    why: str


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """How many rows of a column hold what training did not."""

    column: str
    detail: str
    rows: int


class Part(msgspec.Struct, frozen=True, array_like=True):
    """What came of a chunk.

    Attributes:
        rows: that it has.
        body: those that have answers, as the output has them.
        rejects: those that have none.
        unusual: what training did not hold.
    """

    rows: int
    body: bytes
    rejects: Sequence[Reject] = ()
    unusual: Sequence[Seen] = ()


_decoder = msgspec.msgpack.Decoder(Part)


def encode_part(part: Part) -> bytes:
    """The part as bytes."""
    return msgspec.msgpack.encode(part)


def decode_part(data: bytes) -> Part | None:
    """The part that these bytes are; None where they are none."""
    try:
        return _decoder.decode(data)
    except msgspec.DecodeError:
        return None
