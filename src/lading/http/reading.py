"""Bodies become rows: a small one at once, a large one in a thread, so that probes are answered meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from lading.errors import DeadlineExceeded

INLINE_BYTES = 64 << 10
"""Up to here no body takes longer than about 20 ms, whatever is in it."""

T = TypeVar("T")


class BodyReader:
    """Decodes bodies; large ones one after the other, so that only one at a time takes memory for its cells."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "lading-decode")

    async def read(self, decode: Callable[[bytes], T], body: bytes, timeout_s: float, *, is_quick: bool = True) -> T:
        """What a body holds, as `decode` gives it.

        Args:
            decode: reads it.
            body: the whole body.
            timeout_s: that the request may take.
            is_quick: whether a small one is read at once.

        Raises:
            DeadlineExceeded: other large bodies, or this one, took too long.
        """
        if is_quick and len(body) <= INLINE_BYTES:
            return decode(body)
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.get_running_loop().run_in_executor(self._thread, decode, body)
        except TimeoutError:
            raise DeadlineExceeded("the deadline passed while the body was read") from None
