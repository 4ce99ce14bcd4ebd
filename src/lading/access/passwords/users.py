"""`users.json`: people who have a password, without the passwords themselves."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from lading.access.passwords.hashing import HASH, hash_password
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
from lading.errors import UsageError
from lading.settings import config_folder

_FILE_NAME = "users.json"


class User(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of them.

    Attributes:
        name: as it is typed; no two have the same.
        hash: of the password.
        scopes: what they may do.
        created: when.
    """

    name: Name
    hash: Annotated[str, msgspec.Meta(pattern=HASH)]
    scopes: Scopes
    created: Moment

    def __post_init__(self) -> None:
        refuse_scopes(self.scopes)

    def __repr__(self) -> str:
        return f"User({self.name!r})"


class UserTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of them, in the order in which they were added."""

    format: Literal[1] = 1
    users: tuple[User, ...] = ()

    def __post_init__(self) -> None:
        refuse_twins([user.name for user in self.users])


def users_path(users_file: str) -> Path:
    """Where the users are, by the setting `users_file`."""
    return Path(users_file) if users_file else config_folder() / _FILE_NAME


def read_users(path: Path, *, strict: bool = False) -> tuple[User, ...]:
    """The users of a file.

    Raises:
        LadingError: as `read_table`.
    """
    return read_table(path, UserTable, strict=strict).users


def add_user(path: Path, name: str, password: str, now: datetime, *, scopes: tuple[str, ...] = USUAL) -> User:
    """A new user, whom the file has from now on.

    Raises:
        UsageError: the name, the password or a scope is none, or there is such a user.
        LadingError: the file cannot be read or written.
    """
    user = User(check_name(name), hash_password(password), checked_scopes(scopes), now)

    def add(table: UserTable) -> tuple[UserTable, User]:
        if any(each.name == name for each in table.users):
            raise UsageError(f"there is a user `{name}`", hint=f"another password: lading users password {name}")
        return UserTable(users=(*table.users, user)), user

    return change_table(path, UserTable, add)


def remove_user(path: Path, name: str) -> User:
    """The user who is in the file no more.

    Raises:
        UsageError: there is none of this name.
        LadingError: the file cannot be read or written.
    """

    def remove(table: UserTable) -> tuple[UserTable, User]:
        user = _named(table.users, name)
        return UserTable(users=tuple(each for each in table.users if each is not user)), user

    read_users(path)  # to remove makes no file
    return change_table(path, UserTable, remove)


def change_password(path: Path, name: str, password: str) -> User:
    """The user, who has another password now.

    Raises:
        UsageError: there is none of this name, or the password is none.
        LadingError: the file cannot be read or written.
    """
    _named(read_users(path), name)
    hashed = hash_password(password)

    def change(table: UserTable) -> tuple[UserTable, User]:
        user = _named(table.users, name)
        changed = msgspec.structs.replace(user, hash=hashed)
        return UserTable(users=tuple(changed if each is user else each for each in table.users)), changed

    return change_table(path, UserTable, change)


def _named(users: tuple[User, ...], name: str) -> User:
    user = next((user for user in users if user.name == name), None)
    if user is None:
        raise UsageError("no user has this name", hint="`lading users list` shows them")
    return user
