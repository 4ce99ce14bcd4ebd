"""The kinds of files that are read and written, by their names."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import PurePath
from typing import Literal, get_args

from lading.errors import EnvironmentMismatch, UsageError
from lading.schema.words import printable

Kind = Literal["csv", "jsonl", "parquet", "arrow"]

KINDS: tuple[Kind, ...] = get_args(Kind)
TEXT_KINDS = frozenset[Kind]({"csv", "jsonl"})
_READ: dict[str, Kind] = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".arrows": "arrow",
    ".feather": "arrow",
}
_WRITTEN = {suffix: kind for suffix, kind in _READ.items() if suffix not in (".arrows", ".feather")}


def is_known(name: str) -> bool:
    """Whether files of such a name hold rows."""
    return PurePath(name).suffix.lower() in _READ


def kind_read(name: str) -> Kind:
    """The kind of a file to read, by its suffix.

    Raises:
        UsageError: it is of no known kind.
    """
    kind = _READ.get(PurePath(name).suffix.lower())
    if kind is None:
        raise UsageError(f"{printable(name)} is of an unknown kind", hint=f"say which: --from {', '.join(KINDS)}")
    return kind


def kind_written(name: str) -> Kind:
    """The kind of a file to write, by its suffix.

    Raises:
        UsageError: it is of no known kind.
    """
    kind = _WRITTEN.get(PurePath(name).suffix.lower())
    if kind is None:
        raise UsageError(f"{printable(name)} is of an unknown kind", hint=f"write to {', '.join(_WRITTEN)}")
    return kind


def require(kind: Kind) -> None:
    """Nothing, where files of this kind can be read and written here.

    Raises:
        EnvironmentMismatch: pyarrow is missing.
    """
    if kind not in TEXT_KINDS and find_spec("pyarrow") is None:
        raise EnvironmentMismatch(
            f"{kind} files are read and written by pyarrow, which is not installed",
            hint='pip install "lading[parquet]"',
        )
