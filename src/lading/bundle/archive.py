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
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from lading.bundle.layout import CENTRAL, END, LOCAL, Entry, central_header, directory, end_record, local_header
from lading.bundle.names import AGAIN, AGAIN_SIGNED, MANIFEST_NAME, MAX_MEMBERS, MAX_NAME_CHARS, check_names, shown
from lading.bundle.regular_file import CHUNK_BYTES, RegularFile, replace_file
from lading.errors import BundleError, Untrusted, UsageError

__all__ = ["MAX_ARCHIVE_BYTES", "Archive", "is_archive", "write_archive"]

MAX_ARCHIVE_BYTES = 2**32 - 1
"""What the 32-bit sizes and offsets of a zip can say; beyond would be zip64."""


class Archive:
    """An opened archive: the names, sizes and bytes of its members.

    The file is opened once, so what happens to its name later does not matter. Should its bytes be changed in
    place, the first `read` or `digest` that meets another content than one before it raises. An archive is
    for one thread, and for one side of a fork: there is a single file position.
    """

    def __init__(self, file: RegularFile, entries: Sequence[Entry]) -> None:
        self._file = file
        self._entries = {entry.name: entry for entry in entries}
        self._seen: dict[str, bytes] = {}

    @classmethod
    def open(cls, path: Path, *, max_bytes: int = MAX_ARCHIVE_BYTES, sha256: str | None = None) -> Archive:
        """The archive at a path, all of its headers checked; members are checked when they are read.

        Args:
            path: of the file.
            max_bytes: what it may have at most.
            sha256: of the file, in hexadecimal, where that was signed: compared before anything is parsed, and again
                with what was parsed, so that no member is ever another one than it was then.

        Raises:
            BundleError: there is no such file, it is not a regular file (a symbolic link is not), it has more
                than `max_bytes`, or it is not as `write_archive` would have written it.
            Untrusted: it has another digest.
        """
        file = RegularFile.open(path)
        try:
            _check_size(file, min(max_bytes, MAX_ARCHIVE_BYTES))
            _check_digest(file, file.digest, sha256)
            archive = cls(file, _read_entries(file))
            _check_digest(file, archive.digest, sha256)
            return archive
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

    def digest_of(self, name: str) -> str:
        """The sha256 of a member in hexadecimal, however large it is; `BundleError` as `read`."""
        return self._digest_member(self._entry(name), hashlib.sha256()).hex()

    def digest(self) -> str:
        """The sha256 of the whole file in hexadecimal: of exactly what `names`, `size` and `read` give."""
        whole = hashlib.sha256()
        for entry in self._entries.values():
            # Written anew, not read again: so the headers cannot differ from the ones that were checked
            whole.update(local_header(entry))
            self._digest_member(entry, whole)
        whole.update(directory(tuple(self._entries.values())))
        return whole.hexdigest()

    def close(self) -> None:
        """Close the file; nothing can be read afterwards."""
        self._file.close()

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _entry(self, name: str) -> Entry:
        try:
            return self._entries[name]
        except KeyError:
            raise BundleError(f"{self._file.shown} has no member {shown(name)}", hint=AGAIN) from None

    def _digest_member(self, entry: Entry, whole: hashlib._Hash) -> bytes:
        own, crc = hashlib.sha256(), 0
        for start in range(entry.start, entry.end, CHUNK_BYTES):
            chunk = self._file.read(start, min(CHUNK_BYTES, entry.end - start))
            crc = zlib.crc32(chunk, crc)
            own.update(chunk)
            whole.update(chunk)
        self._check(entry, crc, own.digest())
        return own.digest()

    def _check(self, entry: Entry, crc: int, digest: bytes) -> None:
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
        replace_file(path, _digested(_pieces(members), digest))
    except OSError as error:
        message = f"cannot write {shown(str(path))}: {error.strerror or error}"
        raise UsageError(message, hint="write to another folder, or make room") from error
    return digest.hexdigest()


def is_archive(head: bytes) -> bool:
    """Whether these first bytes of a file (43 suffice) are of a zip whose first entry is `manifest.json`."""
    name = MANIFEST_NAME.encode("ascii")
    if len(head) < LOCAL.size + len(name):
        return False
    signature, *_, name_length, _ = LOCAL.unpack_from(head)
    return signature == b"PK\3\4" and name_length == len(name) and head.startswith(name, LOCAL.size)


def _pieces(members: Sequence[tuple[str, bytes]]) -> Iterator[bytes]:
    entries: list[Entry] = []
    for name, data in members:
        offset = entries[-1].end if entries else 0
        entries.append(Entry(name, len(data), zlib.crc32(data), offset))
        yield local_header(entries[-1])
        yield data
    yield directory(entries)


def _digested(pieces: Iterator[bytes], digest: hashlib._Hash) -> Iterator[bytes]:
    for piece in pieces:
        digest.update(piece)
        yield piece


def _check_total(members: Sequence[tuple[str, bytes]]) -> None:
    headers = LOCAL.size + CENTRAL.size
    total = END.size + sum(headers + 2 * len(name) + len(data) for name, data in members)
    if total > MAX_ARCHIVE_BYTES:
        message = f"the bundle would have {total} bytes; {MAX_ARCHIVE_BYTES} (4 GiB) is the most"
        raise BundleError(message, hint="save a smaller model, or leave out what it does not need")


def _check_size(file: RegularFile, max_bytes: int) -> None:
    if file.size > max_bytes:
        message = f"{file.shown} has {file.size} bytes; {max_bytes} is the most"
        raise BundleError(message, hint="check that it is a bundle")


def _check_digest(file: RegularFile, digest: Callable[[], str], expected: str | None) -> None:
    if expected is not None and digest() != expected:
        raise Untrusted(
            f"{file.shown} is not what was signed: it was changed", hint=AGAIN_SIGNED, code="bundle.changed"
        )


def _read_entries(file: RegularFile) -> list[Entry]:
    """The members, after every byte of the file that is not theirs was found to be right."""
    if not is_archive(file.read(0, min(file.size, LOCAL.size + len(MANIFEST_NAME)))):
        message = f"{file.shown} is not a bundle: it is no zip that begins with `{MANIFEST_NAME}`"
        raise BundleError(message, hint="check the path; `lading pack` makes a bundle from a model")
    count, start, headers = _read_directory(file)
    entries = _parse_directory(file, count, headers)
    if entries[-1].end != start:
        raise file.damaged("the members do not end where the directory begins")
    check_names([entry.name for entry in entries])
    for entry in entries:
        if file.read(entry.offset, entry.start - entry.offset) != local_header(entry):
            raise file.damaged(f"the header of `{entry.name}` is not as it was written")
    return entries


def _read_directory(file: RegularFile) -> tuple[int, int, bytes]:
    """The number of central headers, where they start, and their bytes."""
    tail = file.read(file.size - END.size, END.size)
    _, _, _, _, count, size, start, _ = END.unpack(tail)
    if tail != end_record(count, size, start) or start + size + END.size != file.size:
        raise file.damaged("it does not end as a bundle ends; perhaps a part is missing")
    if not 0 < count <= MAX_MEMBERS or size > count * (CENTRAL.size + MAX_NAME_CHARS):
        raise file.damaged("its directory is empty or too long")
    return count, start, file.read(start, size)


def _parse_directory(file: RegularFile, count: int, headers: bytes) -> list[Entry]:
    entries: list[Entry] = []
    position, offset = 0, 0
    for _ in range(count):
        entry = _parse_entry(headers, position, offset)
        if entry is None or entry.end > file.size:
            raise file.damaged(f"entry {len(entries) + 1} of its directory is not as it was written")
        entries.append(entry)
        position += CENTRAL.size + len(entry.name)
        offset = entry.end
    if position != len(headers):
        raise file.damaged("its directory is longer than its entries")
    return entries


def _parse_entry(headers: bytes, position: int, offset: int) -> Entry | None:
    """The entry whose central header stands here; None where the writer would have put another byte."""
    name_start = position + CENTRAL.size
    if name_start > len(headers):
        return None
    fields = CENTRAL.unpack_from(headers, position)
    crc, size, name_length = fields[7], fields[9], fields[10]
    # In Latin-1 any byte is a character; that none beyond ASCII stays is for `check_names` to say
    name = headers[name_start : name_start + name_length].decode("latin-1")
    entry = Entry(name, size, crc, offset)
    return entry if headers.startswith(central_header(entry), position) else None
