"""Where stores are: the addresses of the setting `features_url`, none of which is ever repeated."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import unquote

from lading.bundle.lookups import Lookup
from lading.errors import SettingsError
from lading.features.postgresql import PostgresqlStore
from lading.features.redis import RedisStore
from lading.features.sqlite import SqliteStore
from lading.features.store import Store

_SQLITE = "sqlite"
_KINDS = {_SQLITE: "sql", "postgresql": "sql", "postgres": "sql", "redis": "hash", "rediss": "hash"}
_HINTS = {
    "sql": "--features-url sqlite:///features.db, or LADING_FEATURES_URL=postgresql://…",
    "hash": "--features-url redis://…, or LADING_FEATURES_URL=redis://…",
}


class Addresses:
    """The addresses in a text, at most one for SQL and one for Redis.

    Raises:
        SettingsError: the text is something else; nothing of it is repeated.
    """

    def __init__(self, text: str) -> None:
        self._urls: dict[str, str] = {}
        for url in text.split():
            scheme, mark, _ = url.partition("://")
            kind = _KINDS.get(scheme)
            if not mark or kind is None:
                hint = "a file is sqlite:///features.db; two addresses have a space between, a password has none (%20)"
                raise SettingsError("features_url: expected sqlite:///, postgresql:// or redis://", hint=hint)
            if kind in self._urls:
                raise SettingsError("features_url: expected one address for SQL and one for Redis, got two for one")
            self._urls[kind] = url

    def maker(self, lookup: Lookup, timeout_s: float) -> Callable[[], Store]:
        """What makes the store of a lookup; made once now, so that what is missing is told at the start.

        Raises:
            SettingsError: there is no address for it, or no driver.
        """
        kind = "hash" if lookup.hash else "sql"
        url = self._urls.get(kind)
        if url is None:
            what = "a Redis" if lookup.hash else "a database"
            message = f"the model looks features up in {what}, and `features_url` does not say where that is"
            raise SettingsError(message, hint=_HINTS[kind])
        make: Callable[[], Store] = partial(_make, url, lookup, timeout_s)
        make()
        return make


def _make(url: str, lookup: Lookup, timeout_s: float) -> Store:
    if lookup.hash:
        return RedisStore(url, lookup, timeout_s)
    if url.startswith(_SQLITE):
        return SqliteStore(_path(url), lookup, timeout_s)
    return PostgresqlStore(url, lookup, timeout_s)


def _path(url: str) -> Path:
    """The file of `sqlite:///features.db`, which is in the current folder; `sqlite:////data/features.db` is not."""
    return Path(unquote(url.removeprefix(f"{_SQLITE}://").removeprefix("/"))).absolute()
