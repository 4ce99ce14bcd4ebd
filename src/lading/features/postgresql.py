"""Lookups in PostgreSQL, by psycopg; in sessions that read only."""

from __future__ import annotations

import contextlib
import math
import os
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lading.bundle.lookups import Key, Lookup
from lading.features.store import Found, StoreFailed, missing_driver, portions, read_rows, refused_query, sql_for

if TYPE_CHECKING:
    import psycopg

_OF_A_KEY = {None, "22003", "22007", "22008", "22021", "22P02", "22P05"}
"""Of a key that is out of range, no date, no number, or in characters that the database has not; None: with a NUL.

See https://www.postgresql.org/docs/current/errcodes-appendix.html.
"""
_SESSION = "SET default_transaction_read_only = on; SET statement_timeout = {}"


class PostgresqlStore:
    """A connection to a database; keeps the protocol `Store`."""

    def __init__(self, url: str, lookup: Lookup, timeout_s: float) -> None:
        try:
            import psycopg
        except ImportError:
            raise missing_driver("postgresql://", "postgres") from None
        self._driver = psycopg
        self._url = url
        self._lookup = lookup
        self._timeout_s = timeout_s
        self._connection: psycopg.Connection[Any] | None = None

    def fetch(self, keys: Sequence[Key]) -> Sequence[Found]:
        """What the database has for these keys."""
        was_there = self._connection is not None
        try:
            connection = self._connection = self._connection or self._connect()
            return [found for portion in portions(keys) for found in self._ask(connection, portion)]
        except self._driver.Error as error:
            self.close()
            # Class 42 is of syntax and of names that are not there; a right that is missing (42501) is too.
            if (error.sqlstate or "").startswith("42"):
                raise refused_query(self._lookup, f"{type(error).__name__} {error.sqlstate}") from None
            raise StoreFailed(type(error).__name__, is_stale=was_there) from None

    def _connect(self) -> psycopg.Connection[Any]:
        connection = self._driver.connect(
            self._url,
            autocommit=True,
            prepare_threshold=None,  # a pooler may give the next query another session
            connect_timeout=max(2, math.ceil(self._timeout_s)),  # less than 2 is none to libpq
            client_encoding="utf8",
        )
        connection.read_only = True  # of every transaction, whatever the SQL says of the session
        connection.execute(_SESSION.format(math.ceil(self._timeout_s * 1000)))
        return connection

    def _ask(self, connection: psycopg.Connection[Any], keys: Sequence[Key]) -> Sequence[Found]:
        """What it has for these keys; one that its column cannot hold is not known, and does not fail the others."""
        # To the driver a percent sign is where a parameter begins, unless it is doubled.
        sql = sql_for(self._lookup.sql.replace("%", "%%"), "%s", len(keys))
        try:
            with connection.transaction():
                cursor = connection.execute(sql.encode(), keys)
        except self._driver.DataError as error:
            if error.sqlstate not in _OF_A_KEY:
                raise
            if len(keys) == 1:
                return []
            half = len(keys) // 2
            return [*self._ask(connection, keys[:half]), *self._ask(connection, keys[half:])]
        names = [column.name for column in cursor.description or ()]
        return read_rows(self._lookup, names, cursor.fetchall() if names else [])

    def abort(self) -> None:
        """End the connection under the query that runs, which a server that hangs would not do."""
        connection = self._connection
        if connection is None or connection.closed:
            return
        with contextlib.suppress(OSError, self._driver.Error), socket.socket(fileno=os.dup(connection.fileno())) as end:
            end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Connect anew next time."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
