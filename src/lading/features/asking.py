"""One query at a time, in a thread beside the event loop, for no longer than it may take."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import TypeVar

from lading.bundle.lookups import Key
from lading.features.store import Found, Store, StoreFailed

T = TypeVar("T")

_MAX_HUNG = 4


class Asker:
    """Asks a store; a query that hangs is left alone with its connection and its thread, and the next has new ones.

    Args:
        make: makes a store, which is not connected yet.
        timeout_s: that a query may take, with connecting.
    """

    def __init__(self, make: Callable[[], Store], timeout_s: float) -> None:
        self._make = make
        self._timeout_s = timeout_s
        self._store = make()
        self._thread: _Thread | None = None  # not before the first query: it would not survive a fork
        self._is_asking = False
        self._hung = 0

    async def ask(self, keys: Sequence[Key], read: Callable[[Sequence[Found]], T]) -> T:
        """What `read` makes, in that thread too, of what the store has for these keys.

        Raises:
            StoreFailed: it does not answer, or not in time.
            FeaturesInvalid: it does not give what was declared.
        """
        if self._hung >= _MAX_HUNG:
            raise StoreFailed("too many queries hang")
        store = self._store
        thread = self._thread = self._thread or _Thread()
        asking: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        thread.begin(self._work(asking, store, lambda: read(_fetch(store, keys, asking))))
        self._is_asking = True
        try:
            async with asyncio.timeout(self._timeout_s):
                return await asking
        except TimeoutError:
            raise StoreFailed("it took too long") from None
        finally:
            self._is_asking = False
            if asking.cancelled():
                self._hung += 1
                store.abort()
                thread.end()
                self._store, self._thread = self._make(), None

    def close(self) -> None:
        """Leave the store, and the query that runs."""
        if self._is_asking:
            self._store.abort()
        else:
            self._store.close()
        if self._thread is not None:
            self._thread.end()
            self._thread = None

    def _work(self, asking: asyncio.Future[T], store: Store, ask: Callable[[], T]) -> Callable[[], None]:
        """What asks, in whatever thread, and tells the event loop what came."""
        loop = asking.get_loop()

        def settle(outcome: T | Exception) -> None:
            if asking.cancelled():
                self._leave(store)
            elif isinstance(outcome, Exception):
                asking.set_exception(outcome)
            else:
                asking.set_result(outcome)

        def work() -> None:
            outcome: T | Exception
            try:
                outcome = ask()
            # Whatever a driver raises; it is raised again where it is awaited.
            except Exception as error:
                outcome = error
            try:
                loop.call_soon_threadsafe(settle, outcome)
            except RuntimeError:  # the loop has ended: nobody waits
                self._leave(store)

        return work

    def _leave(self, store: Store) -> None:
        self._hung -= 1
        store.close()


class _Thread:
    """A thread that does one thing after the other; a daemon, which does not keep the process from stopping."""

    def __init__(self) -> None:
        self._works: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        threading.Thread(target=self._run, name="lading-features", daemon=True).start()

    def begin(self, work: Callable[[], None]) -> None:
        """Do it next."""
        self._works.put(work)

    def end(self) -> None:
        """Do nothing more after it."""
        self._works.put(None)

    def _run(self) -> None:
        while (work := self._works.get()) is not None:
            work()


def _fetch(store: Store, keys: Sequence[Key], asking: asyncio.Future[T]) -> Sequence[Found]:
    """What the store has; asked once more where the connection had ended while nobody asked."""
    try:
        return store.fetch(keys)
    except StoreFailed as error:
        if not error.is_stale or asking.cancelled():
            raise
    return store.fetch(keys)
