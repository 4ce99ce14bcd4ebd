"""What was shipped into a folder, and how: the next time is as the last one, and nothing of anybody's is lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from lading import __version__
from lading.bundle.names import shown
from lading.errors import UsageError
from lading.ship.files import File, digest_of
from lading.ship.plan import Choices

RECORD = ".lading-ship"
"""Without an ending: `kubectl apply -f FOLDER` would take a file of JSON for a resource."""


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a folder holds of what was shipped into it.

    Attributes:
        lading: the version that has written it.
        target: where it was shipped to.
        choices: what was said, without what had its default.
        files: sha256 of each file, by its path.
    """

    lading: str
    target: str
    choices: dict[str, Any]
    files: dict[str, str]

    @classmethod
    def of(cls, target: str, said: Mapping[str, Any], files: Sequence[File]) -> Record:
        """The record of what is about to be written."""
        digests = {file.path: digest_of(file.content) for file in files}
        return cls(lading=__version__, target=target, choices=dict(said), files=digests)

    @property
    def file(self) -> File:
        """The file in which it stands."""
        return File(RECORD, msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n")

    def edited(self, folder: Path) -> list[str]:
        """The files that somebody has changed since."""
        there = ((path, folder / path) for path in self.files)
        return [path for path, file in there if file.is_file() and digest_of(file) != self.files[path]]

    def left_over(self, files: Sequence[File], folder: Path) -> list[str]:
        """The files that were shipped then, are there as they were, and are not shipped any more."""
        now = {file.path for file in files}
        there = ((path, folder / path) for path in self.files if path not in now)
        return [path for path, file in there if file.is_file() and digest_of(file) == self.files[path]]


def read_record(folder: Path, target: str) -> Record | None:
    """The record of a folder; None where nothing was shipped into it.

    Raises:
        UsageError: something else was shipped into it, or the record cannot be read.
    """
    path = folder / RECORD
    try:
        record = msgspec.json.decode(path.read_bytes(), type=Record)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        hint = "restore it, or remove it and say all options again"
        raise UsageError(f"{shown(str(path))} cannot be read", hint=hint) from None
    if record.target != target:
        raise UsageError(f"{shown(str(folder))} was written for {shown(record.target)}", hint="-o names another folder")
    if not all(_is_within(name) for name in record.files):
        raise UsageError(f"{shown(str(path))} names files elsewhere", hint="remove it and say all options again")
    return record


def choices_of(said: Mapping[str, Any]) -> Choices:
    """What was said, and defaults where nothing was.

    Raises:
        UsageError: the record has choices that there are not.
    """
    try:
        return msgspec.convert(said, Choices)
    except (msgspec.ValidationError, TypeError):
        hint = "remove it and say all options again"
        raise UsageError(f"{RECORD} has other choices than there are", hint=hint) from None


def together(record: Record | None, said: Mapping[str, Any]) -> dict[str, Any]:
    """What is said now over what was said the last time; of settings, each by itself."""
    before = {} if record is None else record.choices
    settings = before.get("settings", {}) | said.get("settings", {})
    return {**before, **said, **({"settings": settings} if settings else {})}


def _is_within(name: str) -> bool:
    path = Path(name)
    return not path.is_absolute() and ".." not in path.parts
