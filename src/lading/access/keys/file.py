"""`keys.json`: the API keys that callers have, without the keys themselves."""

from __future__ import annotations

import math
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from lading.access.keys import text as key_text
from lading.access.scopes import USUAL
from lading.access.tables import (
    Moment,
    Name,
    Scopes,
    change_table,
    check_name,
    checked_scopes,
    read_table,
    refuse_scopes,
    refuse_twins,
)
from lading.errors import SettingsError, UsageError
from lading.settings import config_folder, rate

_FILE_NAME = "keys.json"


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One key.

    Attributes:
        id: 8 hexadecimal digits, which are in its text too.
        name: whose it is; two keys may have one name while one takes the other's place.
        sha256: of its text.
        scopes: what it is for.
        created: when.
        expires: when it ends, if it does.
        revoked: when it was taken away, if it was.
        rate: how often it may be used, as `100/s`; empty where the service's limit holds.
    """

    id: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{8}\Z")]
    name: Name
    sha256: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
    scopes: Scopes
    created: Moment
    expires: Moment | None = None
    revoked: Moment | None = None
    rate: str = ""

    def __post_init__(self) -> None:
        refuse_scopes(self.scopes)
        rate(self.rate)

    def __repr__(self) -> str:
        return f"Key({self.id!r}, {self.name!r})"

    @property
    def until(self) -> float:
        """When it ends, in seconds since 1970."""
        return math.inf if self.expires is None else self.expires.timestamp()

    def state(self, now: float) -> Literal["good", "revoked", "expired"]:
        """Whether it is taken, at a time in seconds since 1970."""
        if self.revoked is not None:
            return "revoked"
        return "good" if now < self.until else "expired"


class KeyTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of them, in the order in which they were made."""

    format: Literal[1] = 1
    keys: tuple[Key, ...] = ()

    def __post_init__(self) -> None:
        refuse_twins([key.id for key in self.keys])


def keys_path(keys_file: str) -> Path:
    """Where the keys are, by the setting `keys_file`."""
    return Path(keys_file) if keys_file else config_folder() / _FILE_NAME


def read_keys(path: Path, *, strict: bool = False) -> tuple[Key, ...]:
    """The keys of a file.

    Raises:
        LadingError: as `read_table`.
    """
    return read_table(path, KeyTable, strict=strict).keys


def create_key(
    path: Path,
    name: str,
    now: datetime,
    *,
    scopes: tuple[str, ...] = USUAL,
    expires: datetime | None = None,
    rate: str = "",
) -> tuple[Key, str]:
    """A new key, which the file has from now on, and its text, which nothing has.

    Raises:
        UsageError: the name, a scope, the rate or the end is none.
        LadingError: the file cannot be read or written.
    """
    check_name(name)
    _check_rate(rate)
    scopes = checked_scopes(scopes)
    if expires is not None and expires <= now:
        raise UsageError("the end of a key has to be in the future", hint="--expires 90d, or --expires 2030-01-31")

    def add(table: KeyTable) -> tuple[KeyTable, tuple[Key, str]]:
        key_id = _new_id({key.id for key in table.keys})
        text = key_text.new_text(key_id)
        key = Key(key_id, name, key_text.digest_of(text), scopes, now, expires, None, rate)
        return KeyTable(keys=(*table.keys, key)), (key, text)

    return change_table(path, KeyTable, add)


def _new_id(taken: set[str]) -> str:
    key_id = key_text.new_id()
    return key_id if key_id not in taken else _new_id(taken)


def _check_rate(text: str) -> None:
    try:
        rate(text)
    except ValueError:
        raise SettingsError("expected a rate, as 100/s, 1000/m or 5000/h") from None


def revoke_key(path: Path, word: str, now: datetime) -> Key:
    """The key with this id, name or text, which is taken no more; one that was revoked before stays as it is.

    Raises:
        UsageError: there is none, or more than one.
        LadingError: the file cannot be read or written.
    """

    def revoke(table: KeyTable) -> tuple[KeyTable, Key]:
        key = _meant(table, word)
        revoked = key if key.revoked else msgspec.structs.replace(key, revoked=now)
        return KeyTable(keys=tuple(revoked if each is key else each for each in table.keys)), revoked

    read_keys(path)  # to revoke makes no file
    return change_table(path, KeyTable, revoke)


def _meant(table: KeyTable, word: str) -> Key:
    key_id = key_text.id_within(word)
    keys = [key for key in table.keys if word in (key.id, key.name) or key.id == key_id]
    named = [key for key in keys if key.revoked is None] or keys[-1:]
    if not named:
        # What was typed is not repeated: it may be a key.
        raise UsageError("no key has this id or name", hint="`lading keys list` shows them")
    if len(named) > 1:
        ids = ", ".join(key.id for key in named)
        raise UsageError(f"{len(named)} keys have this name", hint=f"say which: {ids}")
    return named[0]
