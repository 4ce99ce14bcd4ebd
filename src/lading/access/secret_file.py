"""Files that nobody else may read: looked at once they are open, and written whole.

A link is followed, as secrets are mounted as links in Kubernetes; what counts is the file that was opened.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from lading.errors import LadingError, NotForProduction, SettingsError

logger = logging.getLogger(__name__)

MAX_BYTES = 16 << 20
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_READ = os.O_RDONLY | sum(getattr(os, flag, 0) for flag in ("O_NONBLOCK", "O_CLOEXEC", "O_BINARY"))
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW | getattr(os, "O_BINARY", 0)
_LOCK = os.O_RDWR | os.O_CREAT | _NO_FOLLOW
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_SHARED_MODE = 0o640


def read_secret_file(path: Path, *, strict: bool) -> bytes:
    """The content of a file that nobody else may read.

    Whose mode is too wide is refused where `strict`, and warned of elsewhere. As in PostgreSQL, a file of root may be
    read by a group, through which root gives it to a service:
    https://www.postgresql.org/docs/current/ssl-tcp.html#SSL-SETUP.

    Raises:
        NotForProduction: where `strict`: there is no such file, or it is no regular one, too large, or open to
            others.
        SettingsError: elsewhere, the same but for the last.
    """
    refusal = NotForProduction if strict else SettingsError
    try:
        number = os.open(path, _READ)
        try:
            _check(path, os.fstat(number), strict, refusal)
            with open(number, "rb", closefd=False) as file:
                data = file.read(MAX_BYTES + 1)
        finally:
            os.close(number)
    except OSError as error:
        raise _cannot_read(path, error, refusal) from None
    if len(data) > MAX_BYTES:
        raise refusal(f"{path} has more than {MAX_BYTES} bytes")
    return data


def _check(path: Path, found: os.stat_result, strict: bool, refusal: type[LadingError]) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise refusal(f"{path} is no regular file")
    if not is_open_to_others(found):
        return
    mode = f"{stat.S_IMODE(found.st_mode):04o}"
    if strict:
        raise refusal(f"{path} is open to others: its mode is {mode}", hint=f"chmod 600 {path}")
    logger.warning("%s is open to others: its mode is %s; chmod 600", path, mode)


def is_open_to_others(found: os.stat_result) -> bool:
    """Whether somebody else than its owner, or the group to which root gives it, may read or write a file.

    Always false where files have no modes.
    """
    if not hasattr(os, "geteuid"):
        return False
    allowed = _SHARED_MODE if found.st_uid == 0 else 0o600
    return bool(found.st_mode & _OTHERS & ~allowed)


def _cannot_read(path: Path, error: OSError, refusal: type[LadingError]) -> LadingError:
    if isinstance(error, FileNotFoundError):
        return refusal(f"there is no file {path}")
    hint = f"who serves has to read it: chown {os.geteuid()} {path}" if isinstance(error, PermissionError) else None
    return refusal(f"cannot read {path}: {error.strerror or type(error).__name__}", hint=hint)


def write_secret_file(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, readable by its owner only; it keeps the owner that it had.

    Raises:
        LadingError: it cannot be written.
    """
    try:
        _replace(path, data)
    except OSError as error:
        raise LadingError(f"cannot write {path}: {error.strerror or type(error).__name__}") from None


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with os.fdopen(os.open(temporary, _NEW, 0o600), "wb") as file:
            _keep_owner(file.fileno(), path)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


def _keep_owner(number: int, path: Path) -> None:
    """Give a new file to whom the one before it belonged: a service goes on reading what root has changed."""
    with contextlib.suppress(FileNotFoundError):
        old, new = path.lstat(), os.fstat(number)
        if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
            os.chown(number, old.st_uid, old.st_gid)
        if old.st_uid == 0 and stat.S_IMODE(old.st_mode) == _SHARED_MODE:
            os.chmod(number, _SHARED_MODE)


def _flush_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # not every system can open a folder
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """A context in which nobody else changes a file; its folder is made where there is none.

    Raises:
        LadingError: the folder or the lock cannot be made.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        number = os.open(path.with_name(f".{path.name}.lock"), _LOCK, 0o600)
    except OSError as error:
        raise LadingError(f"cannot write beside {path}: {error.strerror or type(error).__name__}") from None
    try:
        _lock(number)
        yield
    finally:
        os.close(number)  # which unlocks it


def _lock(number: int) -> None:
    try:
        import fcntl
    except ImportError:  # where there is none, two who change a file at the same time are on their own
        return
    fcntl.flock(number, fcntl.LOCK_EX)
