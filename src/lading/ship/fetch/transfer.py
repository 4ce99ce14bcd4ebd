"""One transfer: a thread reads, and who waits for it waits for so long and takes so much, whatever the thread does.

The libraries that read have time limits too, each its own; the one here holds for all of them, and for the resolving of
a name, the greeting of a proxy or the asking for credentials as well.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass

from lading.bundle.archive import MAX_ARCHIVE_BYTES
from lading.errors import LadingError

PIECE_BYTES = 64 << 10
_WAITING = 16
"""Pieces that may wait to be written."""


@dataclass(frozen=True)
class Limits:
    """How much, and how slowly, a file may arrive.

    Attributes:
        max_bytes: of the bundle; more than the default no bundle can have.
        idle_s: seconds within which the next 64 KiB must be there; the first ones too.
    """

    max_bytes: int = MAX_ARCHIVE_BYTES
    idle_s: float = 60.0


class NotThere(LadingError):
    """There is no such file, although whoever would have it was asked."""


class _Left(Exception):
    """Nobody waits any more."""


class Sink:
    """Takes what a thread reads.

    Attributes:
        size: how many bytes there will be, as far as was said.
    """

    def __init__(self) -> None:
        self.size: int | None = None
        self.pieces: queue.Queue[bytes | BaseException | None] = queue.Queue(_WAITING)
        self.is_left = threading.Event()
        self._begun = bytearray()

    def write(self, data: bytes) -> None:
        """Take some bytes; blocks while enough of them wait."""
        self._begun += data
        if len(self._begun) >= PIECE_BYTES:
            self.put(bytes(self._begun))
            self._begun.clear()

    def end(self) -> None:
        """All of it was read."""
        self.put(bytes(self._begun))
        self.put(None)

    def put(self, piece: bytes | BaseException | None) -> None:
        """Hand over a piece, an error, or None for the end."""
        while not self.is_left.is_set():
            try:
                return self.pieces.put(piece, timeout=0.5)
            except queue.Full:
                continue
        raise _Left


Reader = Callable[[Sink], None]


class Transfer:
    """The bytes of one file, as they arrive.

    Attributes:
        done: how many have.
    """

    def __init__(self, name: str, read: Reader, limits: Limits) -> None:
        self.done = 0
        self._name = name
        self._limits = limits
        self._sink = Sink()
        # It may hang in a library that cannot be interrupted; then it ends when this program does.
        self._thread = threading.Thread(target=_run, args=(read, self._sink), daemon=True)

    @property
    def size(self) -> int | None:
        """How many there will be, as far as that is known."""
        return self._sink.size

    def pieces(self) -> Generator[bytes]:
        """The pieces, in their order; once. Who closes it before its end waits for no more.

        Raises:
            NotThere: there is no such file.
            LadingError: it does not come, not fast enough, not whole, or there is too much of it.
        """
        self._thread.start()
        try:
            while (piece := self._next()) is not None:
                self.done += len(piece)
                self._refuse_size(self.done)
                yield piece
        finally:
            self._sink.is_left.set()
        if self.size not in (None, self.done):
            raise LadingError(f"{self._name} broke off after {self.done:,} of {self.size:,} bytes", hint="try again")

    def _next(self) -> bytes | None:
        try:
            piece = self._sink.pieces.get(timeout=self._limits.idle_s)
        except queue.Empty:
            message = f"{self._name}: less than 64 KiB came within {self._limits.idle_s:g} s, after {self.done:,} bytes"
            raise LadingError(message, hint="try again; does a firewall let it through?") from None
        if isinstance(piece, BaseException):
            raise piece
        self._refuse_size(self.size or 0)
        return piece

    def _refuse_size(self, size: int) -> None:
        if size > self._limits.max_bytes:
            message = f"{self._name} has more than the {self._limits.max_bytes:,} bytes that it may have"
            raise LadingError(message, hint="is it the right file? --max-bytes says how many it may have")


def _run(read: Reader, sink: Sink) -> None:
    try:
        try:
            read(sink)
            sink.end()
        except _Left:
            raise
        except BaseException as error:  # a panic of a library is no Exception
            sink.put(error)
    except _Left:
        return
