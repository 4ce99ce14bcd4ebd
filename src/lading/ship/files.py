"""Files to write: what would change, and how; each is written whole or not at all."""

from __future__ import annotations

import difflib
import hashlib
import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from lading.bundle.names import shown
from lading.bundle.regular_file import CHUNK_BYTES, replace_file
from lading.errors import UsageError

Change = Literal["new", "changed", "same", "gone"]
_MAX_DIFF_BYTES = 1 << 20


class File(NamedTuple):
    """One file of a folder that is shipped.

    Attributes:
        path: within the folder, with `/` between its parts.
        content: its bytes, or the file that is copied.
        is_executable: whether it is a script.
    """

    path: str
    content: bytes | Path
    is_executable: bool = False

    @property
    def data(self) -> bytes:
        """Its bytes."""
        return self.content.read_bytes() if isinstance(self.content, Path) else self.content


def text_file(path: str, text: str, *, is_executable: bool = False) -> File:
    """A file of text."""
    return File(path, text.encode(), is_executable)


def within(folder: str, files: Iterable[File]) -> list[File]:
    """The same files in a folder of the folder."""
    return [file._replace(path=f"{folder}/{file.path}") for file in files]


def digest_of(content: bytes | Path) -> str:
    """The sha256 of bytes, or of a file, in hex."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def change_of(file: File, folder: Path) -> Change:
    """What writing a file would do to what is there.

    Raises:
        UsageError: what is there cannot be read.
    """
    target = folder / file.path
    try:
        if not target.exists():
            return "new"
        is_same_mode = bool(target.stat().st_mode & stat.S_IXUSR) == file.is_executable
        return "same" if is_same_mode and _is_same(file.content, target) else "changed"
    except OSError as error:
        raise UsageError(f"cannot read {shown(str(target))}: {error.strerror}") from None


def _is_same(content: bytes | Path, target: Path) -> bool:
    if isinstance(content, bytes):
        return target.read_bytes() == content
    if content.stat().st_size != target.stat().st_size:
        return False
    with content.open("rb") as one, target.open("rb") as other:
        while piece := one.read(CHUNK_BYTES):
            if other.read(CHUNK_BYTES) != piece:
                return False
    return True


def diff_of(file: File, folder: Path) -> str:
    """What writing a file would change, line by line; one line where it is no text, nothing where it is the same."""
    change = change_of(file, folder)
    if change == "same":
        return ""
    target = folder / file.path
    before = target.read_bytes() if change == "changed" else b""
    if isinstance(file.content, Path) or not (_is_text(before) and _is_text(file.content)):
        return f"{change}: {file.path}\n"
    old, new = (data.decode().splitlines(keepends=True) for data in (before, file.content))
    names = ("/dev/null" if change == "new" else f"a/{file.path}", f"b/{file.path}")
    return "".join(difflib.unified_diff(old, new, *names))


def _is_text(data: bytes) -> bool:
    """Whether people can read it, and a terminal does nothing by it."""
    try:
        text = data[:_MAX_DIFF_BYTES].decode() if len(data) <= _MAX_DIFF_BYTES else "\0"
    except UnicodeDecodeError:
        return False
    return all(line.isprintable() for line in text.replace("\t", " ").split("\n"))


def write_files(files: Sequence[File], folder: Path, left_over: Sequence[str] = ()) -> None:
    """Write those files that are new or changed, and take away what is left over; all else in the folder stays.

    Raises:
        UsageError: one of them cannot be written, or leads out of the folder.
    """
    for path in (*(file.path for file in files), *left_over):
        _refuse_link(folder, folder / path)
    for file in files:
        target = folder / file.path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if change_of(file, folder) != "same":
                _write(file, target)
        except OSError as error:
            raise UsageError(f"cannot write {shown(str(target))}: {error.strerror or error}") from None
    for path in left_over:
        (folder / path).unlink(missing_ok=True)


def _refuse_link(folder: Path, target: Path) -> None:
    if any(parent.is_symlink() for parent in target.parents if parent.is_relative_to(folder) and parent != folder):
        hint = "remove the link, or name another folder: -o"
        raise UsageError(f"{shown(str(target))} is behind a link", hint=hint)


def _write(file: File, target: Path) -> None:
    if isinstance(file.content, Path):
        with file.content.open("rb") as source:
            replace_file(target, iter(lambda: source.read(CHUNK_BYTES), b""))
    else:
        replace_file(target, [file.content])
    os.chmod(target, 0o755 if file.is_executable else 0o644)
