"""Which names the members of a bundle may have: those that are safe to extract on every system."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lading.errors import BundleError

__all__ = ["AGAIN", "AGAIN_SIGNED", "MANIFEST_NAME", "MAX_MEMBERS", "MAX_NAME_CHARS", "check_names", "shown"]

MANIFEST_NAME = "manifest.json"
"""The name of the first member of every bundle."""
MAX_MEMBERS = 10_000
MAX_NAME_CHARS = 200
AGAIN = "fetch the bundle again or pack it again; unzipping and zipping it anew makes another file"
"""What to do about a damaged bundle."""
AGAIN_SIGNED = "fetch the bundle and its signature again, or sign it again: lading sign BUNDLE"
"""The same where its signature does not fit."""

_SEGMENT = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?")
# Windows opens these in every folder, whatever the extension
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[1-9]|lpt[1-9])(?:\..*)?", re.IGNORECASE)
_RENAME = "rename it: ASCII letters, digits, `_`, `-` and `.`, with `/` between folders"
_RENAME_ONE = "rename one of them"


def check_names(names: Sequence[str]) -> None:
    """Nothing when these names, in this order, may be the members of a bundle; `BundleError` otherwise.

    Each must be safe to extract on every system: relative, plain ASCII, hidden nowhere, no device of Windows.
    No two may be one file, or a file and a folder, where upper and lower case are the same.
    """
    if not names or names[0] != MANIFEST_NAME:
        raise BundleError(f"the first member of a bundle must be `{MANIFEST_NAME}`", hint=AGAIN)
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
            raise BundleError(f"{shown(name)} may not be the name of a member", hint=_RENAME)


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


def shown(name: str) -> str:
    """The name in backticks, with whatever could break or disguise a line as an escape."""
    return f"`{name}`" if name.isprintable() else f"`{ascii(name)[1:-1]}`"
