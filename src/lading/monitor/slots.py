"""Shared memory for numbers: one slot a worker, each with one writer, read by anybody at any time, without a lock.

    header   magic, layout, number of slots │ generation that serves, generations begun, generations failed │ secret
    owners   a slot each: pid of the process that writes it or 0, its generation, words of its table that are published
    slots    a slot each: a table of entries that only grows
    rates    a slot each: a fixed number of words; `lading.access.rates` says what is in them

    entry    one word │ its values, float64 │ name and label in UTF-8, filled up to a word

Everything is in words of eight bytes, which a processor writes whole. An entry is written first and published after
that, by one word, so a process that is killed at any instant leaves a table that can be read, and each value in it as
it was before or after the last change. What was counted outlives its writer: the slot's next owner goes on from it.

Pages that nobody wrote cost nothing, so slots may be many and large.
"""

from __future__ import annotations

import enum
import mmap
import os
import struct
import weakref
from collections.abc import Iterator
from typing import NamedTuple, Self
from zlib import crc32

from lading.errors import EnvironmentMismatch, UsageError

SLOT_BYTES = 1 << 20
"""Of the table of one slot: counters for 10,000 columns with names of 60 characters."""
RATES_BYTES = 1 << 18
"""Of the rates of one slot: 8,192 cells of 32 bytes."""
MAX_LABEL_BYTES = 1024
"""In UTF-8. A column's name has at most 256 characters."""

_MAGIC = int.from_bytes(b"lading#\n", "little")
_LAYOUT = 2
"""Another one whenever the words below, or the bounds of a histogram, get another meaning."""

_WORD = 8
_HEADER = struct.Struct("=qqq")
"""Magic, layout, number of slots: the first of its words."""
_SECRET_WORD = 8
_SECRET_BYTES = 32
_HEADER_WORDS = 16
_OWNER_WORDS = 8  # a cache line: the owner of one slot does not slow down that of the next
_PAGE_WORDS = 4096 // _WORD
_SLOT_WORDS = SLOT_BYTES // _WORD
_RATE_WORDS = RATES_BYTES // _WORD
_SPILL_WORDS = 256
"""At the start of a slot, as many as one entry may have: what has no room is written there, and never read."""
_ENTRY = struct.Struct("=BBHHH")
"""Kind, number of values, bytes of the name, bytes of the label, check sum of both."""


class Kind(enum.IntEnum):
    """What the values of an entry are."""

    COUNTER = 1
    GAUGE = 2
    HISTOGRAM = 3


class Entry(NamedTuple):
    """One published entry of a slot.

    Attributes:
        kind: what its values are.
        name: of the family.
        label: the values of the family's labels.
        first: the index of its first value among the values of the slot.
        words: how many values it has.
    """

    kind: int
    name: str
    label: str
    first: int
    words: int


class Slots:
    """The shared memory of a service, mapped into this process.

    Attributes:
        fd: the memory's descriptor; closed with this object. A child process gets it by `pass_fds` and attaches it.
        count: number of slots.
        secret: 32 random bytes that all who have this memory know, and nobody else.
    """

    def __init__(self, fd: int, count: int) -> None:
        self.fd = fd
        self.count = count
        weakref.finalize(self, os.close, fd)
        memory = memoryview(mmap.mmap(fd, _total_bytes(count)))
        self._bytes = memory
        self._integers = memory.cast("q")
        self._floats = memory.cast("d")
        self.secret = bytes(memory[_SECRET_WORD * _WORD :][:_SECRET_BYTES])

    @classmethod
    def create(cls, count: int) -> Self:
        """New memory of so many slots, all of them free; it has no name, and ends with the last process that has it."""
        fd = _anonymous_file()
        os.ftruncate(fd, _total_bytes(count))
        os.pwrite(fd, _HEADER.pack(_MAGIC, _LAYOUT, count), 0)
        os.pwrite(fd, os.urandom(_SECRET_BYTES), _SECRET_WORD * _WORD)
        return cls(fd, count)

    @classmethod
    def attach(cls, fd: int) -> Self:
        """The memory behind a descriptor that this process has inherited, which stays open.

        Raises:
            UsageError: there is something else behind it, or nothing.
            EnvironmentMismatch: another version of Lading made it.
        """
        try:
            size, header = os.fstat(fd).st_size, os.pread(fd, _HEADER.size, 0)
        except OSError as error:
            raise _foreign(fd, error.strerror or "nothing") from None
        magic, layout, count = _HEADER.unpack(header.ljust(_HEADER.size, b"\0"))
        if magic != _MAGIC:
            raise _foreign(fd, f"{size} bytes of something else")
        if layout != _LAYOUT:
            message = f"expected counters of layout {_LAYOUT}, got {layout}: another version began this service"
            raise EnvironmentMismatch(message, hint="stop the service and start it again")
        if count < 0 or size != _total_bytes(count):
            raise _foreign(fd, f"{size} bytes for {count} slots")
        return cls(os.dup(fd), count)

    @property
    def generation(self) -> int:
        """The generation that serves now; 0 as long as there is none. Set by the supervisor, like the next two."""
        return self._integers[3]

    @generation.setter
    def generation(self, number: int) -> None:
        self._integers[3] = number

    @property
    def generations_begun(self) -> int:
        """How many generations were begun."""
        return self._integers[4]

    @generations_begun.setter
    def generations_begun(self, number: int) -> None:
        self._integers[4] = number

    @property
    def generations_failed(self) -> int:
        """How many generations ended before they were ready."""
        return self._integers[5]

    @generations_failed.setter
    def generations_failed(self, number: int) -> None:
        self._integers[5] = number

    def __iter__(self) -> Iterator[Slot]:
        return (Slot(self, position) for position in range(self.count))


class Slot:
    """One slot, for its owner to write and for all to read.

    Attributes:
        position: which it is, from 0.
        values: all the words of its table as float64; an entry's `first` says where its values are.
        rates: words beside the table, for its owner to write and for all to read; what is in them stays.
    """

    def __init__(self, slots: Slots, position: int) -> None:
        if not 0 <= position < slots.count:
            raise UsageError(f"expected a slot from 0 to {slots.count - 1}, got {position}")
        start = _start_word(slots.count) + position * _SLOT_WORDS
        owner = _HEADER_WORDS + position * _OWNER_WORDS
        self.position = position
        self.values = slots._floats[start : start + _SLOT_WORDS]
        rates = _rates_word(slots.count) + position * _RATE_WORDS
        self.rates = slots._integers[rates : rates + _RATE_WORDS]
        self._bytes = slots._bytes[start * _WORD : (start + _SLOT_WORDS) * _WORD]
        self._owner = slots._integers[owner : owner + _OWNER_WORDS]

    @property
    def pid(self) -> int:
        """The process that writes here; 0 when it is free."""
        return self._owner[0]

    @property
    def generation(self) -> int:
        """The generation of the process that writes here, or wrote here last."""
        return self._owner[1]

    def take(self, pid: int, generation: int) -> None:
        """Make a process the owner; it goes on from what was counted, with gauges of its own."""
        self.free()
        self._owner[1] = generation
        self._owner[0] = pid

    def free(self) -> None:
        """Leave the slot without an owner; what was counted stays, gauges do not."""
        self._owner[0] = 0
        for entry in self.entries():
            if entry.kind == Kind.GAUGE:
                self.values[entry.first] = 0.0

    def entries(self) -> Iterator[Entry]:
        """What is published."""
        at = _SPILL_WORDS
        end = min(at + self._owner[2], _SLOT_WORDS)
        while at < end:
            kind, words, name_bytes, label_bytes, check = _ENTRY.unpack_from(self._bytes, at * _WORD)
            first = (at + 1 + words) * _WORD
            key = bytes(self._bytes[first : first + name_bytes + label_bytes])
            # A processor may show another one the published word before the entry; it is there at the next reading.
            if not name_bytes or _check_sum(key) != check:
                return
            name, label = key[:name_bytes].decode("utf-8", "replace"), key[name_bytes:].decode("utf-8", "replace")
            yield Entry(kind, name, label, at + 1, words)
            at += _entry_words(words, key)

    def append(self, kind: Kind, name: str, label: str, words: int, *, leave_words: int = 0) -> int | None:
        """The index of the first value of a new entry, published with zeros; None where so much room is not left."""
        family, text = name.encode(), label.encode("utf-8", "replace")
        key = family + text
        at = _SPILL_WORDS + self._owner[2]
        end = at + _entry_words(words, key)
        if end + leave_words > _SLOT_WORDS or len(text) > MAX_LABEL_BYTES:
            return None
        first = (at + 1 + words) * _WORD
        self._bytes[first : first + len(key)] = key
        for index in range(at + 1, at + 1 + words):
            self.values[index] = 0.0  # whoever was killed before it published may have left something
        _ENTRY.pack_into(self._bytes, at * _WORD, kind, words, len(family), len(text), _check_sum(key))
        self._owner[2] = end - _SPILL_WORDS
        return at + 1


def release(slots: Slots, position: int) -> None:
    """Leave a slot without an owner, whose process has ended; what it counted stays."""
    Slot(slots, position).free()


def _foreign(fd: int, found: str) -> UsageError:
    message = f"expected the memory of counters behind descriptor {fd}, got {found}"
    return UsageError(message, hint="pass the `fd` of the service's own slots")


def _check_sum(key: bytes) -> int:
    return crc32(key) & 0xFFFF


def _entry_words(words: int, key: bytes) -> int:
    return 1 + words + -(-len(key) // _WORD)


def _start_word(count: int) -> int:
    words = _HEADER_WORDS + count * _OWNER_WORDS
    return -(-words // _PAGE_WORDS) * _PAGE_WORDS


def _rates_word(count: int) -> int:
    return _start_word(count) + count * _SLOT_WORDS


def _total_bytes(count: int) -> int:
    return (_rates_word(count) + count * _RATE_WORDS) * _WORD


def _anonymous_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("lading-counters")
    import tempfile

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
