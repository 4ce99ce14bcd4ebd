"""The folder beside an output that holds what is done of it, so that a run that was cut off goes on from there.

`run.json` says what the run is of; it is locked while one goes on. Each part is written under another name, flushed to
the disk and renamed: a part that is there is whole. The output and the rejects grow in the folder too, and are renamed
when they are complete.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import msgspec

from lading.errors import LadingError, UsageError
from lading.schema.words import printable

OUTPUT, REJECTS, RUN = "output", "rejects", "run.json"
_OURS = re.compile(r"\d{8}\.(part|tmp)|output|rejects|run\.json")
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_READ = os.O_RDONLY | _NO_FOLLOW
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW


def parts_path(output: Path) -> Path:
    """Where the folder of an output is."""
    return output.with_name(f"{output.name}.parts")


class PartsFolder:
    """The folder of one output, made where it is missing and locked for as long as a `with` lasts.

    Attributes:
        path: of the folder.
        done: which parts are there.

    Raises:
        UsageError: it holds another run, or cannot be made.
        LadingError: another run is going on in it, or it is not ours.
    """

    def __init__(self, output: Path, about: Mapping[str, Any], *, is_resumable: bool, restart: bool) -> None:
        self.path = parts_path(output)
        self._shown = printable(str(self.path))
        self._is_resumable = is_resumable
        try:
            self._make()
            self._lock = _locked(self.path / RUN, self._shown)
        except OSError as error:
            raise UsageError(f"cannot write {printable(str(output))}: {error.strerror}") from None
        try:
            self._begin(msgspec.json.encode(about), restart=restart or not is_resumable)
            self.done = {int(name[:8]) for name in os.listdir(self.path) if name.endswith(".part")}
        except BaseException:
            os.close(self._lock)
            raise

    def read(self, place: int) -> bytes | None:
        """A part; None where there is none that can be read."""
        if place not in self.done:
            return None
        try:
            with os.fdopen(os.open(self._part(place), _READ), "rb") as file:
                return file.read() if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else None
        except OSError:
            return None

    def keep(self, place: int, data: bytes) -> None:
        """Keep a part, for a run that goes on from here."""
        if not self._is_resumable:
            return
        temporary = self._part(place).with_suffix(".tmp")
        try:
            with os.fdopen(os.open(temporary, _NEW, 0o600), "wb") as file:
                file.write(data)
                flush(file)
            os.replace(temporary, self._part(place))
        except OSError as error:
            raise cannot_write(self._shown, error) from None

    def create(self, name: str) -> BinaryIO:
        """A new file in it, for the output or the rejects, instead of one that was begun before."""
        try:
            (self.path / name).unlink(missing_ok=True)
            return os.fdopen(os.open(self.path / name, _NEW, 0o666), "wb")
        except OSError as error:
            raise cannot_write(self._shown, error) from None

    def remove(self) -> None:
        """Remove the folder with what is in it."""
        self._clear()
        (self.path / RUN).unlink(missing_ok=True)
        with suppress(OSError):  # something was put there meanwhile
            self.path.rmdir()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and not (self._is_resumable and self._has_parts()):
            self.remove()
        os.close(self._lock)

    def _part(self, place: int) -> Path:
        return self.path / f"{place:08}.part"

    def _has_parts(self) -> bool:
        return any(name.endswith(".part") for name in os.listdir(self.path))

    def _make(self) -> None:
        with suppress(FileExistsError):
            self.path.mkdir(0o700)
        found = self.path.lstat()
        is_ours = found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        strange = not stat.S_ISDIR(found.st_mode) or not is_ours
        if strange or not _are_ours(self.path):
            raise LadingError(f"{self._shown} was not made by this command", hint="move it away, or write elsewhere")

    def _begin(self, about: bytes, *, restart: bool) -> None:
        """Take up the run that the folder holds, or begin one."""
        said = os.pread(self._lock, os.fstat(self._lock).st_size, 0)
        if said and said != about and not restart:
            what = _difference(said, about)
            raise UsageError(f"{self._shown} is of another run, with {what}", hint="begin anew: --restart")
        if said != about or restart:
            self._clear()
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, about, 0)
            os.fsync(self._lock)
        for name in os.listdir(self.path):
            if name.endswith(".tmp"):
                (self.path / name).unlink()

    def _clear(self) -> None:
        for name in os.listdir(self.path):
            if name != RUN and _OURS.fullmatch(name):
                (self.path / name).unlink()


def _are_ours(folder: Path) -> bool:
    """Whether nothing is in it but files of such names; links are, and not followed."""
    with os.scandir(folder) as entries:
        return all(
            _OURS.fullmatch(entry.name) and (entry.is_file(follow_symlinks=False) or entry.is_symlink())
            for entry in entries
        )


def flush(file: BinaryIO) -> None:
    """Write a file to the disk itself."""
    file.flush()
    os.fsync(file.fileno())


def cannot_write(shown: str, error: OSError) -> LadingError:
    """The error that a file cannot be written."""
    hint = "make room; the same command goes on from here" if error.errno in _FULL else None
    return LadingError(f"cannot write {shown}: {error.strerror or error}", hint=hint)


_FULL = (28, 122)
"""No space, and no quota (`errno.ENOSPC`, `errno.EDQUOT`)."""


def _locked(path: Path, shown: str) -> int:
    import fcntl

    number = os.open(path, os.O_RDWR | os.O_CREAT | _NO_FOLLOW, 0o600)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_there = os.stat(path, follow_symlinks=False).st_ino == os.fstat(number).st_ino
    except OSError:
        is_there = False
    if not is_there:
        os.close(number)
        raise LadingError(f"another run is going on in {shown}", hint="wait until it has ended")
    return number


def _difference(said: bytes, about: bytes) -> str:
    """What another run is of, in words."""
    new = msgspec.json.decode(about)
    try:
        old = msgspec.json.decode(said, type=dict[str, Any])
    except msgspec.DecodeError:
        return "a run.json that cannot be read"
    return " and ".join(_OTHER[key] for key in new if old.get(key) != new[key])


_OTHER = {
    "version": "another version of Lading",
    "model": "another model",
    "inputs": "other inputs",
    "options": "other options",
}
