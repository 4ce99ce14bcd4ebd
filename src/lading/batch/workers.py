"""Processes that score chunks: each loads the model once, and ends when its pipe to its parent closes."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec

from lading.batch.answering import ModelAnswering, identity_of
from lading.batch.chunk import Chunk, encode_part
from lading.batch.plan import Plan
from lading.batch.scorer import Scorer
from lading.bundle.declared import Declared
from lading.engine.loading import load
from lading.errors import LadingError
from lading.settings import bound_threads

_PART, _ERROR = b"+", b"-"


class Order(msgspec.Struct, frozen=True):
    """What a worker is to load, and to do with it.

    Attributes:
        path: of the model.
        ignore_versions: load it although a library has another version.
        declared: what was said of a bare file.
        identity: what it has to be.
        plan: what is done with every row.
    """

    path: Path
    ignore_versions: bool
    declared: Declared | None
    identity: str
    plan: Plan


class _Failure(msgspec.Struct):
    message: str
    hint: str | None
    code: str


class Worker:
    """A process that scores chunks; for one thread at a time."""

    def __init__(self, order: Order) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, order), daemon=True)
        with _uninterrupted():
            self._process.start()
        theirs.close()

    def score(self, chunk: Chunk) -> bytes:
        """What comes of a chunk, as bytes.

        Raises:
            LadingError: nothing can come of it, or the process is gone.
        """
        try:
            self._pipe.send(chunk)
            answer = self._pipe.recv_bytes()
        except (EOFError, OSError):
            self._process.join(1)
            raise LadingError(
                f"a worker has ended with the exit code {self._process.exitcode}",
                hint="is there enough memory? fewer take less: --workers 1; the same command goes on from here",
            ) from None
        if answer[:1] == _PART:
            return answer[1:]
        failure = msgspec.json.decode(answer[1:], type=_Failure)
        raise LadingError(failure.message, hint=failure.hint, code=failure.code)

    def end(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.join()
        self._pipe.close()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """A context in which a process may be started that Ctrl-C does not reach: its parent ends it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _work(pipe: Connection, order: Order) -> None:
    """Score what comes through the pipe until it closes."""
    bound_threads(1)
    # What a model prints is no data.
    with contextlib.redirect_stdout(sys.stderr), contextlib.suppress(EOFError, OSError):
        try:
            score = _loaded(order)
        except LadingError as error:
            pipe.recv()
            pipe.send_bytes(_told(error))
            return
        while True:
            chunk = pipe.recv()
            try:
                answer = _PART + score(chunk)
            except LadingError as error:
                answer = _told(error)
            pipe.send_bytes(answer)
            del chunk, answer  # not while it waits for the next one


def _loaded(order: Order) -> Callable[[Chunk], bytes]:
    model = load(order.path, ignore_versions=order.ignore_versions, declared=order.declared)
    if identity_of(model) != order.identity:
        raise LadingError(f"{order.path.name} was changed while it was loaded", hint="begin anew: --restart")
    scorer = Scorer(ModelAnswering(model), order.plan)
    return lambda chunk: encode_part(scorer.score(chunk))


def _told(error: LadingError) -> bytes:
    return _ERROR + msgspec.json.encode(_Failure(error.message, error.hint, error.code))
