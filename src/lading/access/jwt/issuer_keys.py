"""The keys of an issuer as they were when it last answered; fetched in a thread, never in the event loop.

Each process asks for itself, once in `refresh_s`. While the issuer does not answer, its keys are taken for
`max_stale_s` from the last time that it did, and no longer.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Set
from concurrent.futures import Future
from typing import NamedTuple

from lading.access.jwt.fetching import NotFetched
from lading.access.jwt.jwks import NO_KEYS, Key, Keys, find_key, keys_of
from lading.errors import Refused, name_of

EARLY_S = 10.0
"""Between two fetches because of a key that is not known, and between two attempts while the issuer is silent."""
PATIENCE_S = 6.0
"""How long a request waits for a fetch; some more than a fetch takes."""

logger = logging.getLogger(__name__)


class _Held(NamedTuple):
    keys: Keys
    since: float


class IssuerKeys:
    """The keys of one issuer. Used from one event loop.

    Args:
        fetch: gives the key set as the issuer has it now, or raises `NotFetched`; runs in a thread.
        algorithms: what keys are wanted for.
        refresh_s: after which the key set is fetched again.
        max_stale_s: for which keys are taken while it cannot be had.
        now: seconds that never go back.
    """

    def __init__(
        self,
        fetch: Callable[[], bytes],
        algorithms: Set[str],
        *,
        refresh_s: float,
        max_stale_s: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._algorithms = algorithms
        self._refresh_s = refresh_s
        self._max_stale_s = max_stale_s
        self._now = now
        self._held: _Held | None = None
        self._due = self._early = now()
        self._running: Future[None] | None = None
        self._failure = ""

    def current(self) -> Keys:
        """The keys that may be taken now; none where they are too old, or were never there."""
        held = self._held
        if held is None or self._now() - held.since >= self._max_stale_s:
            return NO_KEYS
        return held.keys

    def refresh(self) -> None:
        """Begin to fetch, where it is time to."""
        if self._now() >= self._due and not self._is_fetching():
            self._begin()

    async def find(self, key_id: str | None, algorithm: str) -> Key | None:
        """The key of a token; None where the issuer has no such key.

        One that is not there is looked for at the issuer, though not more often than once in `EARLY_S`.

        Raises:
            Refused: the issuer's keys are not known, or too old.
        """
        key = find_key(self.current(), key_id, algorithm)
        if key is None:
            self._look()
            await self.fetched()
            key = find_key(self.current(), key_id, algorithm)
        if key is None and not self.current():
            raise Refused("the keys of the issuer cannot be had", retry_after_s=EARLY_S)
        return key

    async def fetched(self) -> None:
        """Wait until the fetch that is under way has ended, or takes too long."""
        if self._running is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.wrap_future(self._running), PATIENCE_S)

    def _look(self) -> None:
        if not self.current():
            self.refresh()
        elif self._now() >= self._early and not self._is_fetching():
            self._early = self._now() + EARLY_S
            self._begin()

    def _is_fetching(self) -> bool:
        return self._running is not None and not self._running.done()

    def _begin(self) -> None:
        self._due = self._now() + self._refresh_s
        self._running = Future()
        self._running.set_running_or_notify_cancel()  # so that a waiter who leaves cannot cancel it for the others
        try:
            threading.Thread(target=self._run, args=(self._running,), name="lading-jwks", daemon=True).start()
        except RuntimeError:  # the machine has no thread left
            self._fail("no thread")
            self._running.set_result(None)

    def _run(self, running: Future[None]) -> None:
        try:
            self._take(self._now(), self._fetch())
        except (NotFetched, ValueError, RuntimeError) as error:  # the last one where there is no thread left
            self._fail(str(error))
        except Exception as error:  # a key set that a library fails at: there is nobody above who would try again
            self._fail(name_of(error))
        finally:
            running.set_result(None)

    def _take(self, since: float, text: bytes) -> None:
        keys = keys_of(text, self._algorithms)
        held = self._held
        # The same object as before where nothing has changed: that is how others know.
        self._held = _Held(held.keys if held is not None and held.keys == keys else keys, since)
        if self._failure:
            logger.info("the keys of the issuer are there again")
        self._failure = ""

    def _fail(self, kind: str) -> None:
        self._due = self._now() + min(EARLY_S, self._refresh_s)
        if kind != self._failure:
            logger.warning("the keys of the issuer cannot be had: %s", kind)
        self._failure = kind
