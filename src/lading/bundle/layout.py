"""The bytes of the archive around its members: local headers, central headers, end record (APPNOTE.TXT 6.3).

https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
"""

from __future__ import annotations

import stat
import struct
from collections.abc import Sequence
from typing import NamedTuple

LOCAL = struct.Struct("<4s5H3L2H")
CENTRAL = struct.Struct("<4s6H3L5H2L")
END = struct.Struct("<4s4H2LH")

# In both headers of every member: needs version 1.0, no flags, stored, midnight of 1980-01-01
_COMMON = (10, 0, 0, 0, 1 << 5 | 1)
_MADE_BY = 3 << 8 | 20  # Unix, so that the mode counts; specification 2.0
_MODE = (stat.S_IFREG | 0o644) << 16


class Entry(NamedTuple):
    """A member, as far as the headers know it; `offset` is where its local header begins."""

    name: str
    size: int
    crc: int
    offset: int

    @property
    def start(self) -> int:
        """Where the data begins."""
        return self.offset + LOCAL.size + len(self.name)

    @property
    def end(self) -> int:
        """Where the data ends, and whatever comes next begins."""
        return self.start + self.size


def local_header(entry: Entry) -> bytes:
    """What stands before a member (4.3.7)."""
    sizes = (entry.crc, entry.size, entry.size, len(entry.name), 0)
    return LOCAL.pack(b"PK\3\4", *_COMMON, *sizes) + entry.name.encode("latin-1")


def central_header(entry: Entry) -> bytes:
    """A member in the directory (4.3.12)."""
    sizes = (entry.crc, entry.size, entry.size, len(entry.name), 0, 0)
    place = (0, 0, _MODE, entry.offset)
    return CENTRAL.pack(b"PK\1\2", _MADE_BY, *_COMMON, *sizes, *place) + entry.name.encode("latin-1")


def end_record(count: int, size: int, start: int) -> bytes:
    """What the file ends with (4.3.16): how many entries the directory has, its bytes, and where it starts."""
    return END.pack(b"PK\5\6", 0, 0, count, count, size, start, 0)


def directory(entries: Sequence[Entry]) -> bytes:
    """All that follows the members: the central headers and the end record."""
    headers = b"".join(map(central_header, entries))
    return headers + end_record(len(entries), len(headers), entries[-1].end)
