"""One generation, as the supervisor sees it: a process of its own with its workers, guided by signals and pipes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import Callable
from typing import Self

import msgspec

from lading.errors import LadingError
from lading.serve.order import Order
from lading.serve.reports import Failed, Gone, Reader, Ready, Report, Unanswered

logger = logging.getLogger(__name__)

_READ_BYTES = 1 << 16
_HURRY_S = 2.0
_REAP_S = 0.05


class Generation:
    """A master and its workers.

    Attributes:
        number: counted from 1.
        slots: of the counters, which are its own until it has ended.
        workers: process ids of those that answer.
        banner: what to print about its model, once a worker is ready.
        model: name and version of what it serves, once a worker is ready.
        unanswered: requests that its workers waited no longer for.
        ended: done when no process of it is left.
    """

    def __init__(self, order: Order, process: Process, reports: int, gate: int, on_change: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        self.number = order.generation
        self.slots = order.slots
        self.workers: set[int] = set()
        self.banner = self.model = ""
        self.unanswered = 0
        self.ended: asyncio.Future[None] = loop.create_future()
        self._wanted = order.settings.workers
        self._process = process
        self._reports = reports
        self._reader = Reader()
        self._gate: int | None = gate
        self._on_change = on_change
        self._ready: asyncio.Future[None] = loop.create_future()
        self._is_leaving = False
        loop.add_reader(reports, self._read)
        self._watching = asyncio.create_task(self._watch())

    @classmethod
    async def start(cls, make_order: Callable[[int, int], Order], on_change: Callable[[], None]) -> Self:
        """Start a process that loads a model; it reports, and waits for its gate to be opened.

        Args:
            make_order: makes the order from the descriptors `reports` and `gate`.
            on_change: called when a worker became ready or died, and when the whole has ended.
        """
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
            try:
                reports, report_to = _pipe(read_by=ours, written_by=theirs)
                gate, keep_shut = _pipe(read_by=theirs, written_by=ours)
                order = make_order(report_to, gate)
                process = await _start_master(order)
            except OSError as error:
                raise LadingError(f"a process cannot be started: {error.strerror}", code="start.failed") from error
            os.set_blocking(reports, False)
            ours.pop_all()
            return cls(order, process, reports, keep_shut, on_change)

    async def ready(self, limit_s: float) -> None:
        """Wait until all workers are ready.

        Raises:
            LadingError: the model cannot be served, or not within the limit; the generation ends.
        """
        try:
            await asyncio.wait_for(asyncio.shield(self._ready), limit_s)
            if self.ended.done():
                raise LadingError("it ended as soon as it was ready", code="start.failed")
        except TimeoutError:
            self.kill()
            hint = "a larger model may need more: --start-timeout-s"
            raise LadingError(f"the model was not ready after {limit_s:g} s", code="start.timeout", hint=hint) from None
        except LadingError:
            self.kill()
            raise

    def open_gate(self) -> None:
        """Let its workers accept."""
        if self._gate is not None:
            os.close(self._gate)
            self._gate = None

    def drain(self, *, accept: bool) -> None:
        """Tell its workers to send callers elsewhere; see `lading.serve.server.Server`."""
        self._is_leaving = True
        self._signal(signal.SIGUSR1 if accept else signal.SIGUSR2)

    async def finish(self, limit_s: float, hurry: asyncio.Event) -> None:
        """Tell its workers to finish, and wait until they have; at once on `hurry`, and killed after the limit."""
        self._signal(signal.SIGTERM)
        hurried = asyncio.create_task(hurry.wait())
        await asyncio.wait((self.ended, hurried), timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        if hurried.done():
            self._signal(signal.SIGQUIT)
            await asyncio.wait((self.ended,), timeout=_HURRY_S)
        hurried.cancel()
        self.kill()
        await self.ended

    def kill(self) -> None:
        """End all its processes at once."""
        self._is_leaving = True
        if not self.ended.done():
            _kill_group(self._process.pid)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def _watch(self) -> None:
        """Wait for the master to end, and see to it that nobody of the family stays."""
        code = await self._process.wait()
        _kill_group(self._process.pid)
        self._read()
        asyncio.get_running_loop().remove_reader(self._reports)
        os.close(self._reports)
        self.open_gate()
        self.workers.clear()
        self._fail(LadingError(_end_in_words(code), code="start.failed"))
        self.ended.set_result(None)
        self._on_change()
        await _reap_group(self._process.pid)

    def _read(self) -> None:
        try:
            data = os.read(self._reports, _READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            asyncio.get_running_loop().remove_reader(self._reports)
        for report in self._reader.feed(data):
            self._take(report)

    def _take(self, report: Report) -> None:
        match report:
            case Ready(pid, model, banner):
                self.workers.add(pid)
                self.model, self.banner = model, banner
                if len(self.workers) == self._wanted and not self._ready.done():
                    self._ready.set_result(None)
            case Gone(pid):
                self.workers.discard(pid)
                if not self._ready.done():
                    self._fail(LadingError("a worker ended before it was ready", code="start.failed"))
            case Failed():
                self._fail(report.error())
            case Unanswered(requests):
                self.unanswered += requests
        self._on_change()

    def _fail(self, error: LadingError) -> None:
        """Tell who waits for it that it will not be ready; or the log, where it was ready before."""
        if not self._ready.done():
            self._ready.set_exception(error)
            self._ready.exception()  # it may be that nobody waits
        elif not self._is_leaving:
            logger.error("generation %d: %s", self.number, error.message)


def _pipe(*, read_by: contextlib.ExitStack, written_by: contextlib.ExitStack) -> tuple[int, int]:
    """Two ends, each closed with its stack."""
    read, write = os.pipe()
    read_by.callback(os.close, read)
    written_by.callback(os.close, write)
    return read, write


async def _start_master(order: Order) -> Process:
    process = await asyncio.create_subprocess_exec(
        # Nothing is imported from the current folder; the last argument is for whoever lists processes.
        *(sys.executable, "-P", "-m", "lading.serve.master", f"{order.target.title} at {order.place.url}"),
        stdin=asyncio.subprocess.PIPE,
        pass_fds=order.descriptors,
        start_new_session=True,  # a Ctrl-C in the terminal is the supervisor's to pass on
    )
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(order))
    process.stdin.close()
    return process


async def _reap_group(pid: int) -> None:
    """Wait for processes whose parent has gone, where they are ours then: as the first process of a container."""
    with contextlib.suppress(ChildProcessError):
        while True:
            if os.waitpid(-pid, os.WNOHANG) == (0, 0):
                await asyncio.sleep(_REAP_S)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _end_in_words(code: int) -> str:
    if code == -signal.SIGKILL:
        return "the process that loads the model was killed: perhaps there is not enough memory"
    if code < 0:
        return f"the process that loads the model was ended by {signal.Signals(-code).name}"
    return f"the process that loads the model ended with exit code {code}"
