"""Lookups in a SQLite file, which is opened to be read only."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

from lading.bundle.lookups import Key, Lookup
from lading.features.store import Found, StoreFailed, portions, read_rows, sql_for


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
            raise StoreFailed(f"{type(error).__name__} {getattr(error, 'sqlite_errorname', '')}".rstrip()) from None
        finally:
            self._connection = None

    def _connect(self) -> sqlite3.Connection:
        # `abort` comes from another thread.
        return sqlite3.connect(
            self._uri, uri=True, timeout=self._timeout_s, isolation_level=None, check_same_thread=False
        )

    def _ask(self, connection: sqlite3.Connection, keys: Sequence[Key]) -> Sequence[Found]:
        cursor = connection.execute(sql_for(self._lookup.sql, "?", len(keys)), keys)
        names = [column[0] for column in cursor.description or ()]
        return read_rows(self._lookup, names, cursor.fetchall())

    def abort(self) -> None:
        """Interrupt the query that runs."""
        if (connection := self._connection) is not None:
            with suppress(sqlite3.Error):  # closed meanwhile
                connection.interrupt()

    def close(self) -> None:
        """Nothing: it is closed already."""
