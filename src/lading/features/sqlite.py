"""Lookups in a SQLite file, which is opened to be read only."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

from lading.bundle.lookups import Key, Lookup
from lading.features.store import Found, StoreFailed, portions, read_rows, refused_query, sql_for

_READING = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE})


def _only_reads(action: int, *_: object) -> int:
    """Whether SQL may do something: other files are neither attached nor written (sqlite3_set_authorizer)."""
    return sqlite3.SQLITE_OK if action in _READING else sqlite3.SQLITE_DENY


class SqliteStore:
    """A file; keeps the protocol `Store`.

    It is opened for each query, which takes no time to speak of: so a new file that takes its place is seen.
    """

    def __init__(self, path: Path, lookup: Lookup, timeout_s: float) -> None:
        # https://www.sqlite.org/uri.html
        self._uri = f"file:{quote(str(path))}?mode=ro"
        self._lookup = lookup
        self._timeout_s = timeout_s
        self._connection: sqlite3.Connection | None = None

    def fetch(self, keys: Sequence[Key]) -> Sequence[Found]:
        """What the file has for these keys."""
        try:
            with closing(self._connect()) as self._connection:
                return [found for portion in portions(keys) for found in self._ask(self._connection, portion)]
        except sqlite3.Error as error:
            if words := self._refused():
                raise refused_query(self._lookup, words) from None
            raise StoreFailed(f"{type(error).__name__} {getattr(error, 'sqlite_errorname', '')}".rstrip()) from None
        finally:
            self._connection = None

    def _connect(self) -> sqlite3.Connection:
        # `abort` comes from another thread.
        connection = sqlite3.connect(
            self._uri, uri=True, timeout=self._timeout_s, isolation_level=None, check_same_thread=False
        )
        connection.set_authorizer(_only_reads)
        return connection

    def _ask(self, connection: sqlite3.Connection, keys: Sequence[Key]) -> Sequence[Found]:
        cursor = connection.execute(sql_for(self._lookup.sql, "?", len(keys)), keys)
        names = [column[0] for column in cursor.description or ()]
        return read_rows(self._lookup, names, cursor.fetchmany(2 * len(keys)))

    def _refused(self) -> str:
        """What SQLite says of the SQL without keys; empty where it understands it."""
        try:
            with closing(self._connect()) as connection:
                connection.execute(f"EXPLAIN {sql_for(self._lookup.sql, '?', 1)}", [None])
        except sqlite3.Error as error:
            is_of_sql = getattr(error, "sqlite_errorname", "") in ("SQLITE_ERROR", "SQLITE_AUTH")
            return str(error) if is_of_sql else ""
        return ""

    def abort(self) -> None:
        """Interrupt the query that runs."""
        if (connection := self._connection) is not None:
            with suppress(sqlite3.Error):  # closed meanwhile
                connection.interrupt()

    def close(self) -> None:
        """Nothing: it is closed already."""
