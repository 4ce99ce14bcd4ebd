"""What a generation reports to the supervisor, through one pipe that its master and all its workers write to."""

from __future__ import annotations

import os
from collections.abc import Iterator

import msgspec

from lading import errors
from lading.errors import LadingError

_PIECE_BYTES = 400
"""With its head less than the 512 bytes that POSIX promises to write to a pipe in one piece."""


class Ready(msgspec.Struct, tag=True, frozen=True):
    """A worker answers as it should, and waits for the gate to open.

    Attributes:
        pid: of the worker.
        model: name and version, for the log.
        banner: what to print about the model.
    """

    pid: int
    model: str
    banner: str


class Gone(msgspec.Struct, tag=True, frozen=True):
    """A worker has ended; the master replaces it."""

    pid: int


class Unanswered(msgspec.Struct, tag=True, frozen=True):
    """A worker waited no longer for so many requests when it stopped."""

    requests: int

    def error(self) -> LadingError:
        """The error of a server that waited no longer."""
        requests = "1 request was" if self.requests == 1 else f"{self.requests} requests were"
        return LadingError(f"stopped before {requests} answered", code="stopped")


class Failed(msgspec.Struct, tag=True, frozen=True):
    """The generation cannot serve: the error, to be raised where the supervisor waits for it."""

    kind: str
    message: str
    code: str
    hint: str | None = None

    @classmethod
    def of(cls, error: LadingError) -> Failed:
        """The report of an error; a class that is none of `lading.errors` counts as the one it derives from."""
        kind = next(each.__name__ for each in type(error).__mro__ if hasattr(errors, each.__name__))
        return cls(kind, error.message, error.code, error.hint)

    def error(self) -> LadingError:
        """The error again."""
        kind = getattr(errors, self.kind, LadingError)
        is_plain = isinstance(kind, type) and issubclass(kind, LadingError) and kind is not errors.InputError
        return (kind if is_plain else LadingError)(self.message, code=self.code, hint=self.hint)


Report = Ready | Gone | Unanswered | Failed

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Report)


def send(fd: int, report: Report) -> None:
    """Write a report, in pieces so short that those of other processes cannot come between their bytes.

    A supervisor that has gone does not hear it; who sends finds out by its lifeline.
    """
    data = _encoder.encode(report)
    pieces = [data[start : start + _PIECE_BYTES] for start in range(0, len(data), _PIECE_BYTES)]
    try:
        for number, piece in enumerate(pieces, 1):
            os.write(fd, b"%d %d %s\n" % (os.getpid(), number == len(pieces), piece))
    except BrokenPipeError:
        return


class Reader:
    """Puts the pieces together again."""

    def __init__(self) -> None:
        self._rest = b""
        self._begun: dict[bytes, bytes] = {}

    def feed(self, data: bytes) -> Iterator[Report]:
        """The reports that are complete with these bytes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            pid, is_last, piece = line.split(b" ", 2)
            begun = self._begun.pop(pid, b"") + piece
            if is_last == b"1":
                yield _decoder.decode(begun)
            else:
                self._begun[pid] = begun
