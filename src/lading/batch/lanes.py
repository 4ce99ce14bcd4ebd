"""Chunks scored side by side, and given back in their order; only a few more of them at once than there are lanes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeVar

from lading.errors import LadingError

_MORE = 2
"""Chunks beyond the lanes: those whose results are kept while the lanes go on."""

_Chunk = TypeVar("_Chunk")
_Result = TypeVar("_Result")
Scoring = Callable[[_Chunk], _Result]


def in_order(
    chunks: Iterator[_Chunk],
    lanes: Sequence[Scoring[_Chunk, _Result]],
    keep: Callable[[_Chunk, _Result], None],
) -> Generator[tuple[_Chunk, _Result], None, None]:
    """Each chunk with what came of it, in their order.

    Args:
        chunks: taken as lanes become free.
        lanes: each scores a chunk, in one thread at a time.
        keep: is given each result as soon as it is there, whatever the order.
    """
    free: SimpleQueue[Scoring[_Chunk, _Result]] = SimpleQueue()
    for lane in lanes:
        free.put(lane)

    def score(chunk: _Chunk) -> _Result:
        lane = free.get()
        try:
            result = lane(chunk)
        finally:
            free.put(lane)
        keep(chunk, result)
        return result

    threads = ThreadPoolExecutor(len(lanes) + _MORE, "lading-lane")
    waiting: deque[tuple[_Chunk, Future[_Result]]] = deque()
    try:
        for chunk in chunks:
            waiting.append((chunk, threads.submit(score, chunk)))
            if len(waiting) > len(lanes) + _MORE:
                chunk, future = waiting.popleft()
                yield chunk, future.result()
        while waiting:
            chunk, future = waiting.popleft()
            yield chunk, future.result()
    except LadingError:
        threads.shutdown(cancel_futures=True)  # what is being scored is kept
        raise
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
