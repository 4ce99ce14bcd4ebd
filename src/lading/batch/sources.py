"""The files that are scored: found by their names and patterns, of one kind, looked into before anything is done."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Sequence

import msgspec

from lading.batch.kinds import Kind, kind_read, require
from lading.errors import LadingError, UsageError
from lading.schema.words import printable

STDIN = "-"
_PATTERN = frozenset("*?[")


class Source(msgspec.Struct, frozen=True):
    """One file that is scored, as it was when the run began.

    Attributes:
        path: of the file; `-` is stdin.
        kind: what it is.
        size: in bytes; 0 where that is not known.
        modified_ns: when it was changed last; 0 where it cannot be read twice.
    """

    path: str
    kind: Kind
    size: int = 0
    modified_ns: int = 0

    @property
    def name(self) -> str:
        """What people call it."""
        return "stdin" if self.path == STDIN else printable(self.path)

    @property
    def is_steady(self) -> bool:
        """Whether it can be read again from its beginning."""
        return self.modified_ns != 0


def find_sources(names: Sequence[str], kind: Kind | None) -> list[Source]:
    """The files that names and patterns name: those of a pattern in the order of their names.

    Args:
        names: paths, patterns such as `data/*.parquet`, or `-`.
        kind: of all of them; None is told by their suffixes.

    Raises:
        UsageError: there is no such file, a pattern matches none, or the kind is unknown.
        EnvironmentMismatch: what reads this kind is not installed.
    """
    paths = [path for name in names for path in expand(name)]
    sources = [_source(path, kind) for path in paths]
    if len({source.kind for source in sources}) > 1:
        raise UsageError("the files are of several kinds", hint="score each kind by itself")
    if len(sources) > 1 and any(source.path == STDIN for source in sources):
        raise UsageError("stdin is read alone")
    require(sources[0].kind)
    return sources


def expand(name: str) -> list[str]:
    """The files that a name or a pattern names, those of a pattern in the order of their names.

    Raises:
        UsageError: a pattern matches none.
    """
    if name == STDIN or not _PATTERN & set(name) or os.path.exists(name):
        return [name]
    found = sorted(path for path in glob.glob(name, recursive=True) if not os.path.isdir(path))
    if not found:
        raise UsageError(f"no file matches {printable(name)}")
    return found


def _source(path: str, kind: Kind | None) -> Source:
    if path == STDIN:
        return Source(path, kind or "csv")
    try:
        found = os.stat(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no file has such a name"
        raise UsageError(f"cannot read {printable(path)}: {reason}") from None
    if stat.S_ISDIR(found.st_mode):
        raise UsageError(f"{printable(path)} is a folder", hint=f"name the files in it: '{printable(path)}/*.parquet'")
    if not stat.S_ISREG(found.st_mode):
        return Source(path, kind or kind_read(path))
    return Source(path, kind or kind_read(path), found.st_size, found.st_mtime_ns)


def refuse_changed(source: Source) -> None:
    """Nothing, where the file is what it was.

    Raises:
        LadingError: it was changed.
    """
    if source.is_steady and _source(source.path, source.kind) != source:
        raise LadingError(f"{source.name} was changed while it was read", hint="begin anew: --restart")
