"""One lookup: what is remembered is there at once, and keys that wait for the store go to it together.

    keys ─ remembered? ─ wait ─ one query: all distinct keys that wait ─ check ─ remember ─ answer

There is no window: a query leaves when the one before it is done.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from lading.bundle.lookups import Key, Lookup
from lading.errors import FeaturesInvalid, FeaturesUnavailable, QueueFull
from lading.features.asking import Asker
from lading.features.cache import Cache
from lading.features.store import StoreFailed
from lading.features.values import RowReader
from lading.schema.table import Row
from lading.service import Counters

logger = logging.getLogger(__name__)

MAX_KEY_CHARS = 256
"""A longer key is not known: nobody fills the memory with such."""

Known = dict[Key, Row | str | None]
"""What is known of keys: the columns; None where the store has none; or why what it has does not fit."""
_TWICE = "the store has more than one row for a key"


class _Wave:
    """Keys that go to the store together, and who waits for them."""

    def __init__(self) -> None:
        self.keys: set[Key] = set()
        self.done: asyncio.Future[Known | Exception] = asyncio.get_running_loop().create_future()


class LookedUp:
    """One lookup; used from one event loop.

    Attributes:
        name: of the lookup.
        lookup: what was declared.
    """

    def __init__(
        self,
        name: str,
        lookup: Lookup,
        *,
        reader: RowReader,
        asker: Asker,
        cache: Cache,
        counters: Counters,
        max_waiting: int,
    ) -> None:
        self.name = name
        self.lookup = lookup
        self._reader = reader
        self._asker = asker
        self._cache = cache
        self._counters = counters
        self._max_waiting = max_waiting
        self._waiting: _Wave | None = None
        self._running: asyncio.Task[None] | None = None
        self._failure = ""

    def remembered(self, keys: Collection[Key]) -> Known:
        """What is known of these distinct keys without asking."""
        known: Known = {**self._cache.take(keys)}
        self.count("hits", len(known))
        self.count("misses", len(keys) - len(known))
        known.update((key, None) for key in keys if isinstance(key, str) and len(key) > MAX_KEY_CHARS)
        return known

    def close(self) -> None:
        """Leave the store."""
        self._asker.close()

    async def ask(self, keys: Collection[Key]) -> Known:
        """What the store says of these distinct keys.

        Raises:
            FeaturesUnavailable: it does not answer.
            FeaturesInvalid: its answer has not the columns that were declared.
            QueueFull: too many keys wait for it.
        """
        if not keys:
            return {}
        wave = self._waiting = self._waiting or _Wave()
        if wave.keys and len(wave.keys) + len(keys) > self._max_waiting:
            raise QueueFull(f"more than {self._max_waiting} keys wait for the store of `{self.name}`")
        wave.keys.update(keys)
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        told = await asyncio.shield(wave.done)  # others wait for it too
        if isinstance(told, Exception):
            raise told
        return {key: told[key] for key in keys}

    async def _run(self) -> None:
        """Ask until nobody waits."""
        try:
            while (wave := self._waiting) is not None:
                self._waiting = None
                try:
                    wave.done.set_result(await self._ask(list(wave.keys)))
                # Whatever it is, those who wait are told, and the next are asked for.
                except Exception as error:
                    wave.done.set_result(error)
                finally:
                    wave.done.cancel()
        finally:
            self._running = None

    async def _ask(self, keys: Sequence[Key]) -> Known:
        start = time.perf_counter()
        try:
            known = await self._asker.ask(keys, lambda found: self._read(keys, found))
        except StoreFailed as error:
            self.count("failures")
            self._tell(str(error))
            raise FeaturesUnavailable(f"the features by `{self.lookup.key}` cannot be looked up now") from None
        except FeaturesInvalid as error:
            self.count("failures")
            logger.error("features `%s`: %s", self.name, ": ".join(filter(None, [error.message, error.hint])))
            raise
        finally:
            self._counters.observe("features_seconds", time.perf_counter() - start, self.name)
        self._tell("")
        for message in sorted({row for row in known.values() if isinstance(row, str)}):
            logger.error("features `%s`: %s", self.name, message)
        self._cache.put({key: row for key, row in known.items() if not isinstance(row, str)})
        return known

    def _tell(self, failure: str) -> None:
        """Log that the store does not answer, or does so again: once, however many ask."""
        if failure and failure != self._failure:
            logger.warning("the store of the features `%s` does not answer: %s", self.name, failure)
        elif self._failure and not failure:
            logger.info("the store of the features `%s` answers again", self.name)
        self._failure = failure

    def _read(self, keys: Iterable[Key], found: Iterable[tuple[Any, Sequence[Any]]]) -> Known:
        """What the store gave for each key, checked."""
        known: Known = dict.fromkeys(keys)
        for said, values in found:
            key = self._key(said)
            if key in known:
                row = self._row(values)
                # One that comes again as it was, by another spelling of its key, is the same.
                known[key] = row if known[key] in (None, row) else _TWICE
        return known

    def _key(self, said: Any) -> Key | None:
        """The key that a row of the store is of: as it was asked for, whatever type it has there."""
        if said is None:
            return None
        try:
            return int(said) if self.lookup.kind == "int" else str(said)
        except (TypeError, ValueError, ArithmeticError):
            return None

    def _row(self, values: Sequence[Any]) -> Row | str:
        try:
            return self._reader.row(values)
        except FeaturesInvalid as error:
            return error.message

    def count(self, what: str, number: int = 1) -> None:
        """Count hits, misses, unknown keys or failures."""
        if number:
            self._counters.add(f"features_{what}", self.name, number)
