"""Regular files: read through one descriptor, and written whole or not at all."""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from lading.bundle.names import AGAIN, shown
from lading.errors import BundleError

CHUNK_BYTES = 1 << 20

# Without NONBLOCK, opening a named pipe would wait for somebody to write to it
_OPEN_FLAGS = os.O_RDONLY | sum(getattr(os, flag, 0) for flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))


class RegularFile:
    """A regular file opened for reading, with the size that it had then."""

    def __init__(self, path: Path, handle: BinaryIO) -> None:
        self.shown = shown(str(path))
        self.size = os.fstat(handle.fileno()).st_size
        self._handle = handle

    @classmethod
    def open(cls, path: Path) -> RegularFile:
        """The file at a path; `BundleError` when it cannot be opened or is not a regular one."""
        try:
            number = os.open(path, _OPEN_FLAGS)
        except FileNotFoundError:
            raise BundleError(f"no such file: {shown(str(path))}", hint="check the path") from None
        except OSError as error:
            why = "it is a symbolic link" if path.is_symlink() else error.strerror or str(error)
            raise BundleError(f"cannot open {shown(str(path))}: {why}", hint="check the path") from error
        if not stat.S_ISREG(os.fstat(number).st_mode):
            os.close(number)
            raise BundleError(f"{shown(str(path))} is not a regular file", hint="give the path of a bundle")
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

    def digest(self) -> str:
        """The sha256 of its bytes in hexadecimal, whatever they are."""
        whole = hashlib.sha256()
        for start in range(0, self.size, CHUNK_BYTES):
            whole.update(self.read(start, min(CHUNK_BYTES, self.size - start)))
        return whole.hexdigest()

    def damaged(self, how: str) -> BundleError:
        """The error for a file that begins as a bundle does, but is none."""
        return BundleError(f"{self.shown} is damaged: {how}", hint=AGAIN)

    def close(self) -> None:
        """Close the file."""
        self._handle.close()


def replace_file(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a file: what stood there before is replaced whole or not at all.

    Raises:
        OSError: nothing can be written there.
    """
    temporary = path.parent / f".lading-{secrets.token_hex(8)}.tmp"
    # Not `tempfile`, whose mode 0600 would remain: the file is to be like any other new file of this user
    file = temporary.open("xb")
    try:
        with file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
