"""Lookups in Redis, by redis-py: each key has a hash, whose fields are the columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lading.bundle.lookups import HASH_KEY, Key, Lookup
from lading.errors import SettingsError
from lading.features.store import Found, StoreFailed, missing_driver, portions

if TYPE_CHECKING:
    import redis

_NO_HASH = "WRONGTYPE"


class RedisStore:
    """A connection to a server; keeps the protocol `Store`."""

    def __init__(self, url: str, lookup: Lookup, timeout_s: float) -> None:
        try:
            import redis
        except ImportError:
            raise missing_driver("redis://", "redis") from None
        self._driver = redis
        self._url = url
        self._lookup = lookup
        self._timeout_s = timeout_s
        self._client: redis.Redis | None = None
        try:
            self._connect().close()  # which connects to nothing yet
        except ValueError:
            raise SettingsError(
                "features_url: the address of Redis cannot be read", hint="redis://HOST:PORT/0"
            ) from None

    def fetch(self, keys: Sequence[Key]) -> Sequence[Found]:
        """What the server has for these keys."""
        was_there = self._client is not None
        try:
            client = self._client = self._client or self._connect()
            return [found for portion in portions(keys) for found in self._ask(client, portion)]
        except self._driver.RedisError as error:
            self.close()
            raise StoreFailed(type(error).__name__, is_stale=was_there) from None

    def _connect(self) -> redis.Redis:
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        return self._driver.Redis.from_url(
            self._url,
            socket_timeout=self._timeout_s,
            socket_connect_timeout=self._timeout_s,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
            encoding_errors="replace",
        )

    def _ask(self, client: redis.Redis, keys: Sequence[Key]) -> Sequence[Found]:
        columns = self._lookup.columns
        with client.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.hmget(self._lookup.hash.replace(HASH_KEY, str(key)), columns)
            answers: list[Any] = pipeline.execute(raise_on_error=False)
        found = []
        for key, values in zip(keys, answers, strict=True):
            if isinstance(values, Exception) and not str(values).startswith(_NO_HASH):
                raise values
            if isinstance(values, list) and any(value is not None for value in values):
                found.append((key, values))
        return found

    def abort(self) -> None:
        """Nothing: the driver itself waits no longer than it may."""

    def close(self) -> None:
        """Connect anew next time."""
        client, self._client = self._client, None
        if client is not None:
            client.close()
