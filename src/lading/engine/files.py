"""Files that somebody named: they are there, regular and of bounded size before a byte of them is read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from lading.errors import FormatError, UsageError


def stat_file(path: Path) -> os.stat_result:
    """What the system knows of a file; `UsageError` for what is none, or could not be read to its end."""
    try:
        found = path.stat()
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no file has such a name"
        raise UsageError(f"cannot read {path}: {reason}") from None
    if stat.S_ISDIR(found.st_mode):
        raise UsageError(f"{path} is a folder", hint="name the file in it")
    if not stat.S_ISREG(found.st_mode):
        raise UsageError(f"{path} is not a regular file", hint="copy it into one")
    return found


def read_file(path: Path, max_bytes: int) -> bytes:
    """The bytes of a file.

    Raises:
        UsageError: there is no such file, or it cannot be read.
        FormatError: it is larger than `max_bytes`.
    """
    if stat_file(path).st_size > max_bytes:
        scale, unit = (30, "GiB") if max_bytes >> 30 else (20, "MiB")
        raise FormatError(f"{path.name} is larger than {max_bytes >> scale} {unit}")
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
