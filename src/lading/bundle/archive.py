"""The archive: named members in one stored, deterministic zip file.

An archive is valid exactly when `write_archive`, given its members, would write these very bytes. So nothing
is lenient here: the reader takes name, size and checksum of each member, and demands that every other byte is
as the writer would have put it. The layout is a subset of PKWARE's APPNOTE.TXT 6.3 (4.3.7 local header,
4.3.12 central header, 4.3.16 end record, 4.4 their fields): no compression, encryption, data descriptor,
extra field, comment or zip64, and one time stamp for all.
https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import stat
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from lading.errors import BundleError, UsageError

__all__ = ["Archive", "check_names", "is_archive", "write_archive"]

MANIFEST_NAME = "manifest.json"
"""The name of the first member of every bundle."""
MAX_ARCHIVE_BYTES = 2**32 - 1
"""What the 32-bit sizes and offsets of a zip can say; beyond would be zip64."""
MAX_MEMBERS = 10_000
MAX_NAME_CHARS = 200

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")

# In both headers of every member: needs version 1.0, no flags, stored, midnight of 1980-01-01
_COMMON = (10, 0, 0, 0, 1 << 5 | 1)
_MADE_BY = 3 << 8 | 20  # Unix, so that the mode counts; specification 2.0
_MODE = (stat.S_IFREG | 0o644) << 16

_SEGMENT = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?")
# Windows opens these in every folder, whatever the extension
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[1-9]|lpt[1-9])(?:\..*)?", re.IGNORECASE)

# Without NONBLOCK, opening a named pipe would wait for somebody to write to it
_OPEN_FLAGS = os.O_RDONLY | sum(getattr(os, flag, 0) for flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))
_CHUNK_BYTES = 1 << 20

_AGAIN = "fetch the bundle again or pack it again; unzipping and zipping it anew makes another file"
_RENAME = "rename it: ASCII letters, digits, `_`, `-` and `.`, with `/` between folders"
_RENAME_ONE = "rename one of them"


class Archive:
    """An opened archive: the names, sizes and bytes of its members.

    The file is opened once, so what happens to its name later does not matter. Should its bytes be changed in
    place, the first `read` or `digest` that meets another content than one before it raises. An archive is
    for one thread, and for one side of a fork: there is a single file position.
    """

    def __init__(self, file: _File, entries: Sequence[_Entry]) -> None:
        self._file = file
        self._entries = {entry.name: entry for entry in entries}
        self._seen: dict[str, bytes] = {}

    @classmethod
    def open(cls, path: Path, *, max_bytes: int = MAX_ARCHIVE_BYTES) -> Archive:
        """The archive at a path, all of its headers checked; members are checked when they are read.

        Raises:
            BundleError: there is no such file, it is not a regular file (a symbolic link is not), it has more
                than `max_bytes`, or it is not as `write_archive` would have written it.
        """
        file = _File.open(path)
        try:
            return cls(file, _read_entries(file, min(max_bytes, MAX_ARCHIVE_BYTES)))
        except BaseException:
            file.close()
            raise

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the members, in the order of the file: `manifest.json` first."""
        return tuple(self._entries)

    def size(self, name: str) -> int:
        """The number of bytes of a member; `BundleError` when there is none of that name."""
        return self._entry(name).size

    def read(self, name: str) -> bytes:
        """The bytes of a member; `BundleError` when there is none of that name or its checksum is wrong."""
        entry = self._entry(name)
        data = self._file.read(entry.start, entry.size)
        self._check(entry, zlib.crc32(data), hashlib.sha256(data).digest())
        return data

    def digest(self) -> str:
        """The sha256 of the whole file in hexadecimal: of exactly what `names`, `size` and `read` give."""
        whole = hashlib.sha256()
        for entry in self._entries.values():
            # Written anew, not read again: so the headers cannot differ from the ones that were checked
            whole.update(_local_header(entry))
            self._digest_member(entry, whole)
        whole.update(_directory(tuple(self._entries.values())))
        return whole.hexdigest()

    def close(self) -> None:
        """Close the file; nothing can be read afterwards."""
        self._file.close()

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _entry(self, name: str) -> _Entry:
        try:
            return self._entries[name]
        except KeyError:
            raise BundleError(f"{self._file.shown} has no member {_shown(name)}", hint=_AGAIN) from None

    def _digest_member(self, entry: _Entry, whole: hashlib._Hash) -> None:
        own, crc = hashlib.sha256(), 0
        for start in range(entry.start, entry.end, _CHUNK_BYTES):
            chunk = self._file.read(start, min(_CHUNK_BYTES, entry.end - start))
            crc = zlib.crc32(chunk, crc)
            own.update(chunk)
            whole.update(chunk)
        self._check(entry, crc, own.digest())

    def _check(self, entry: _Entry, crc: int, digest: bytes) -> None:
        if crc != entry.crc:
            raise self._file.damaged(f"the checksum of `{entry.name}` is wrong")
        if self._seen.setdefault(entry.name, digest) != digest:
            raise self._file.damaged(f"`{entry.name}` changed while the file was open")


def write_archive(path: Path, members: Sequence[tuple[str, bytes]]) -> str:
    """The sha256, in hexadecimal, of the archive that now stands at `path`.

    The same members in the same order give the same bytes, whenever and wherever they are written. What stood
    at `path` before is replaced whole or not at all.

    Args:
        path: where to write.
        members: names and contents, `manifest.json` first.

    Raises:
        BundleError: a name may not be in a bundle, or there is too much for one.
        UsageError: nothing can be written at `path`.
    """
    check_names([name for name, _ in members])
    _check_total(members)
    digest = hashlib.sha256()
    try:
        _replace(path, _pieces(members), digest)
    except OSError as error:
        message = f"cannot write {_shown(str(path))}: {error.strerror or error}"
        raise UsageError(message, hint="write to another folder, or make room") from error
    return digest.hexdigest()


def is_archive(head: bytes) -> bool:
    """Whether these first bytes of a file (43 suffice) are of a zip whose first entry is `manifest.json`."""
    name = MANIFEST_NAME.encode("ascii")
    if len(head) < _LOCAL.size + len(name):
        return False
    signature, *_, name_length, _ = _LOCAL.unpack_from(head)
    return signature == b"PK\3\4" and name_length == len(name) and head.startswith(name, _LOCAL.size)


def check_names(names: Sequence[str]) -> None:
    """Nothing when these names, in this order, may be the members of a bundle; `BundleError` otherwise.

    Each must be safe to extract on every system: relative, plain ASCII, hidden nowhere, no device of Windows.
    No two may be one file, or a file and a folder, where upper and lower case are the same.
    """
    if not names or names[0] != MANIFEST_NAME:
        raise BundleError(f"the first member of a bundle must be `{MANIFEST_NAME}`", hint=_AGAIN)
    if len(names) > MAX_MEMBERS:
        raise BundleError(f"a bundle has at most {MAX_MEMBERS} members, not {len(names)}", hint="pack fewer")
    for name in names:
        _check_name(name)
    _check_together(names)


def _check_name(name: str) -> None:
    if len(name) > MAX_NAME_CHARS:
        message = f"a member's name has {len(name)} characters; {MAX_NAME_CHARS} is the most"
        raise BundleError(message, hint="shorten it")
    for segment in name.split("/"):
        if not _SEGMENT.fullmatch(segment) or _DEVICE.fullmatch(segment):
            raise BundleError(f"{_shown(name)} may not be the name of a member", hint=_RENAME)


def _check_together(names: Sequence[str]) -> None:
    files: dict[str, str] = {}
    folders: dict[str, str] = {}
    for name in names:
        if (twin := files.get(name.lower())) is not None:
            raise BundleError(f"`{twin}` and `{name}` would be one file on some systems", hint=_RENAME_ONE)
        files[name.lower()] = name
    for folder in (name[: slash.start()] for name in names for slash in re.finditer("/", name)):
        if (file := files.get(folder.lower())) is not None:
            raise BundleError(f"`{file}` is a file, so `{folder}` cannot be a folder", hint=_RENAME_ONE)
        if (twin := folders.setdefault(folder.lower(), folder)) != folder:
            raise BundleError(f"`{twin}` and `{folder}` would be one folder on some systems", hint=_RENAME_ONE)


def _shown(name: str) -> str:
    """The name in backticks, with whatever could break or disguise a line as an escape."""
    return f"`{name}`" if name.isprintable() else f"`{ascii(name)[1:-1]}`"


class _Entry(NamedTuple):
    """A member, as far as the headers know it; `offset` is where its local header begins."""

    name: str
    size: int
    crc: int
    offset: int

    @property
    def start(self) -> int:
        """Where the data begins."""
        return self.offset + _LOCAL.size + len(self.name)

    @property
    def end(self) -> int:
        """Where the data ends, and whatever comes next begins."""
        return self.start + self.size


def _local_header(entry: _Entry) -> bytes:
    sizes = (entry.crc, entry.size, entry.size, len(entry.name), 0)
    return _LOCAL.pack(b"PK\3\4", *_COMMON, *sizes) + entry.name.encode("latin-1")


def _central_header(entry: _Entry) -> bytes:
    sizes = (entry.crc, entry.size, entry.size, len(entry.name), 0, 0)
    place = (0, 0, _MODE, entry.offset)
    return _CENTRAL.pack(b"PK\1\2", _MADE_BY, *_COMMON, *sizes, *place) + entry.name.encode("latin-1")


def _end_record(count: int, size: int, start: int) -> bytes:
    return _END.pack(b"PK\5\6", 0, 0, count, count, size, start, 0)


def _directory(entries: Sequence[_Entry]) -> bytes:
    """All that follows the members: the central headers and the end record."""
    headers = b"".join(map(_central_header, entries))
    return headers + _end_record(len(entries), len(headers), entries[-1].end)


def _pieces(members: Sequence[tuple[str, bytes]]) -> Iterator[bytes]:
    entries: list[_Entry] = []
    for name, data in members:
        offset = entries[-1].end if entries else 0
        entries.append(_Entry(name, len(data), zlib.crc32(data), offset))
        yield _local_header(entries[-1])
        yield data
    yield _directory(entries)


def _check_total(members: Sequence[tuple[str, bytes]]) -> None:
    headers = _LOCAL.size + _CENTRAL.size
    total = _END.size + sum(headers + 2 * len(name) + len(data) for name, data in members)
    if total > MAX_ARCHIVE_BYTES:
        message = f"the bundle would have {total} bytes; {MAX_ARCHIVE_BYTES} (4 GiB) is the most"
        raise BundleError(message, hint="save a smaller model, or leave out what it does not need")


def _replace(path: Path, pieces: Iterator[bytes], digest: hashlib._Hash) -> None:
    temporary = path.parent / f".lading-{secrets.token_hex(8)}.tmp"
    # Not `tempfile`, whose mode 0600 would remain: the file is to be like any other new file of this user
    file = temporary.open("xb")
    try:
        with file:
            for piece in pieces:
                digest.update(piece)
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


class _File:
    """A regular file opened for reading, with the size that it had then."""

    def __init__(self, path: Path, handle: BinaryIO) -> None:
        self.shown = _shown(str(path))
        self.size = os.fstat(handle.fileno()).st_size
        self._handle = handle

    @classmethod
    def open(cls, path: Path) -> _File:
        """The file at a path; `BundleError` when it cannot be opened or is not a regular one."""
        try:
            number = os.open(path, _OPEN_FLAGS)
        except FileNotFoundError:
            raise BundleError(f"no such file: {_shown(str(path))}", hint="check the path") from None
        except OSError as error:
            why = "it is a symbolic link" if path.is_symlink() else error.strerror or str(error)
            raise BundleError(f"cannot open {_shown(str(path))}: {why}", hint="check the path") from error
        if not stat.S_ISREG(os.fstat(number).st_mode):
            os.close(number)
            raise BundleError(f"{_shown(str(path))} is not a regular file", hint="give the path of a bundle")
        return cls(path, os.fdopen(number, "rb"))

    def read(self, start: int, size: int) -> bytes:
        """Exactly `size` bytes from `start` on, which must lie within the file."""
        try:
            self._handle.seek(start)
            data = self._handle.read(size)
        except OSError as error:
            raise self.damaged(f"it cannot be read ({error.strerror or error})") from error
        if len(data) != size:
            raise self.damaged("it became shorter while it was open")
        return data

    def damaged(self, how: str) -> BundleError:
        """The error for a file that begins as a bundle does, but is none."""
        return BundleError(f"{self.shown} is damaged: {how}", hint=_AGAIN)

    def close(self) -> None:
        """Close the file."""
        self._handle.close()


def _read_entries(file: _File, max_bytes: int) -> list[_Entry]:
    """The members, after every byte of the file that is not theirs was found to be right."""
    if file.size > max_bytes:
        message = f"{file.shown} has {file.size} bytes; {max_bytes} is the most"
        raise BundleError(message, hint="check that it is a bundle")
    if not is_archive(file.read(0, min(file.size, _LOCAL.size + len(MANIFEST_NAME)))):
        message = f"{file.shown} is not a bundle: it is no zip that begins with `{MANIFEST_NAME}`"
        raise BundleError(message, hint="check the path; `lading pack` makes a bundle from a model")
    count, start, headers = _read_directory(file)
    entries = _parse_directory(file, count, headers)
    if entries[-1].end != start:
        raise file.damaged("the members do not end where the directory begins")
    check_names([entry.name for entry in entries])
    for entry in entries:
        if file.read(entry.offset, entry.start - entry.offset) != _local_header(entry):
            raise file.damaged(f"the header of `{entry.name}` is not as it was written")
    return entries


def _read_directory(file: _File) -> tuple[int, int, bytes]:
    """The number of central headers, where they start, and their bytes."""
    tail = file.read(file.size - _END.size, _END.size)
    _, _, _, _, count, size, start, _ = _END.unpack(tail)
    if tail != _end_record(count, size, start) or start + size + _END.size != file.size:
        raise file.damaged("it does not end as a bundle ends; perhaps a part is missing")
    if not 0 < count <= MAX_MEMBERS or size > count * (_CENTRAL.size + MAX_NAME_CHARS):
        raise file.damaged("its directory is empty or too long")
    return count, start, file.read(start, size)


def _parse_directory(file: _File, count: int, headers: bytes) -> list[_Entry]:
    entries: list[_Entry] = []
    position, offset = 0, 0
    for _ in range(count):
        entry = _parse_entry(headers, position, offset)
        if entry is None or entry.end > file.size:
            raise file.damaged(f"entry {len(entries) + 1} of its directory is not as it was written")
        entries.append(entry)
        position += _CENTRAL.size + len(entry.name)
        offset = entry.end
    if position != len(headers):
        raise file.damaged("its directory is longer than its entries")
    return entries


def _parse_entry(headers: bytes, position: int, offset: int) -> _Entry | None:
    """The entry whose central header stands here; None where the writer would have put another byte."""
    name_start = position + _CENTRAL.size
    if name_start > len(headers):
        return None
    fields = _CENTRAL.unpack_from(headers, position)
    crc, size, name_length = fields[7], fields[9], fields[10]
    # In Latin-1 any byte is a character; that none beyond ASCII stays is for `check_names` to say
    name = headers[name_start : name_start + name_length].decode("latin-1")
    entry = _Entry(name, size, crc, offset)
    return entry if headers.startswith(_central_header(entry), position) else None
