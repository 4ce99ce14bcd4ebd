"""Tables of callers, each a JSON file that nobody else may read: read strictly, changed by one at a time."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec

from lading.access.scopes import check_scopes
from lading.access.secret_file import locked, read_secret_file, write_secret_file
from lading.errors import LadingError, NotForProduction, SettingsError, UsageError

MAX_SCOPES = 32
"""Of one caller: what a token has room for."""
NAME = r"\A[A-Za-z0-9._@-]{1,64}\Z"
Name = Annotated[str, msgspec.Meta(pattern=NAME)]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Scopes = Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_SCOPES)]


Table = TypeVar("Table", bound=msgspec.Struct)
Result = TypeVar("Result")


def read_table(path: Path, kind: type[Table], *, strict: bool) -> Table:
    """What such a file holds.

    Raises:
        NotForProduction: where `strict`: it cannot be read, is open to others, or is not what Lading writes.
        SettingsError: elsewhere, the same, but that it may be open to others.
    """
    data = read_secret_file(path, strict=strict)
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        refusal = NotForProduction if strict else SettingsError
        raise refusal(f"{path} is not what Lading writes{_place(error)}", hint="restore it as it was") from None


def _place(error: Exception) -> str:
    """Where a table is wrong; not how, as that could repeat what stands there."""
    match = re.search(r"at `(\$[\w.\[\]]*)`$", str(error))
    return f": it is wrong at `{match[1]}`" if match else ""


def change_table(path: Path, kind: type[Table], change: Callable[[Table], tuple[Table, Result]]) -> Result:
    """The result of a change of such a file, which is made if need be; whoever else changes it meanwhile waits.

    Raises:
        LadingError: what `change` raises; or it cannot be read or written.
    """
    path = Path(os.path.realpath(path))  # a link stays one
    with locked(path):
        table = read_table(path, kind, strict=False) if path.exists() else kind()
        changed, result = change(table)
        write_secret_file(path, msgspec.json.format(msgspec.json.encode(changed), indent=2) + b"\n")
    return result


def check_name(name: str) -> str:
    """The name, if a caller can be called so.

    Raises:
        UsageError: it cannot.
    """
    if re.search(NAME, name) is None:
        raise UsageError("a name is up to 64 letters, digits and . _ @ -", hint="web-shop, or alice@example.com")
    return name


def checked_scopes(scopes: tuple[str, ...]) -> tuple[str, ...]:
    """The scopes of a new caller, once each and in order.

    Raises:
        UsageError: one of them is none, or there are more than `MAX_SCOPES`.
    """
    scopes = check_scopes(scopes)
    if len(scopes) > MAX_SCOPES:
        raise UsageError(f"expected {MAX_SCOPES} scopes at most", hint="predict:* is all models")
    return scopes


def refuse_scopes(scopes: tuple[str, ...]) -> None:
    """Nothing, for scopes out of a file that are in order.

    Raises:
        ValueError: one of them is none.
    """
    try:
        check_scopes(scopes)
    except LadingError:
        raise ValueError("expected scopes") from None


def refuse_twins(words: list[str]) -> None:
    """Nothing, where each is there once.

    Raises:
        ValueError: one of them is there twice.
    """
    if len(set(words)) < len(words):
        raise ValueError("expected each once")
