"""What a store is: one connection, made when it is first needed, that gives values for keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from lading.bundle.lookups import SQL_KEYS, Key, Lookup
from lading.errors import FeaturesInvalid, LadingError, SettingsError

Found = tuple[Any, Sequence[Any]]
"""A key, and the values of the columns in their order, as the store has them."""

KEYS_AT_ONCE = 500
"""Of one query: the oldest SQLite takes 999 parameters."""


class StoreFailed(Exception):
    """A store did not answer; the text has no words of the driver's, which may repeat an address or a value.

    Attributes:
        is_stale: the connection was there before, and may have ended while nobody asked.
    """

    def __init__(self, message: str, *, is_stale: bool = False) -> None:
        super().__init__(message)
        self.is_stale = is_stale


class Store(Protocol):
    """One connection to a store. All but `abort` is called in one thread at a time."""

    def fetch(self, keys: Sequence[Key]) -> Sequence[Found]:
        """What the store has for these keys, in any order; connects where it is not connected.

        Raises:
            StoreFailed: it does not answer; the connection is closed.
            FeaturesInvalid: it does not give what was declared.
        """

    def abort(self) -> None:
        """Make a `fetch` that runs in another thread end, as far as that is possible."""

    def close(self) -> None:
        """Connect anew next time."""


def portions(keys: Sequence[Key]) -> Iterator[Sequence[Key]]:
    """The keys, so many as one query takes."""
    return (keys[start : start + KEYS_AT_ONCE] for start in range(0, len(keys), KEYS_AT_ONCE))


def sql_for(sql: str, parameter: str, keys: int) -> str:
    """The SQL for so many keys, each of them a parameter."""
    return SQL_KEYS.sub(", ".join([parameter] * keys), sql)


def read_rows(lookup: Lookup, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Sequence[Found]:
    """What a query gave: the key first, and the columns by their names.

    Raises:
        FeaturesInvalid: a column is not there.
    """
    places = []
    for column in lookup.columns:
        if column not in names[1:]:
            raise FeaturesInvalid(f"the query for `{lookup.key}` gives no column `{column}`")
        places.append(names.index(column, 1))
    return [(row[0], [row[place] for place in places]) for row in rows]


def refused_query(lookup: Lookup, words: str) -> FeaturesInvalid:
    """The error where a database does not understand the SQL; its words, which have no key in them, are logged."""
    return FeaturesInvalid(f"the database refuses the query for `{lookup.key}`", hint=words)


def missing_driver(scheme: str, extra: str) -> LadingError:
    """The error where what speaks to a store is not installed."""
    return SettingsError(f"what speaks {scheme} is not installed", hint=f'pip install "lading[{extra}]"')
