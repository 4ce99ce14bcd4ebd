"""The supervisor: it owns the listening socket, starts generations, and replaces the one that serves by a better one.

    start ─ all workers ready? ─ yes: standby steps back, the gate opens, the one before drains and ends
                               └ no:  it ends alone, and the one before goes on

It imports no ML library and no model code. While no generation answers, it does so itself; see `Standby`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterable
from pathlib import Path

from lading.errors import LadingError, UsageError
from lading.monitor.slots import Slots
from lading.serve.control import control, name_of
from lading.serve.generation import Generation
from lading.serve.listener import BACKLOG, unlink
from lading.serve.order import Order
from lading.serve.place import place_of
from lading.serve.production import check_settings
from lading.serve.reports import Unanswered
from lading.serve.standby import Standby
from lading.serve.target import Target
from lading.serve.watching import changes
from lading.settings import Settings

logger = logging.getLogger(__name__)

_MARGIN_S = 10.0
"""Beyond the time that a generation gives itself, before it is killed."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
_OVERLAPPING = 2
"""Generations that live at once: before a third one starts, the one that drains has to end."""
_LEAST_SLOTS = 64


def supervise(
    target: Target, find_settings: Callable[[], Settings], listener: socket.socket, announce: Callable[[str], None]
) -> None:
    """Serve with several processes until a signal says to stop; see `Supervisor`."""
    asyncio.run(Supervisor(target, find_settings, listener, announce).run())


class Supervisor:
    """One listening socket and the generations that serve on it, one after another.

    Args:
        target: what is served.
        find_settings: reads the settings, anew for every generation.
        listener: the socket.
        announce: told what to print when the first generation serves.
    """

    def __init__(
        self,
        target: Target,
        find_settings: Callable[[], Settings],
        listener: socket.socket,
        announce: Callable[[str], None],
    ) -> None:
        self._target = target
        self._find_settings = find_settings
        self._settings = find_settings()
        self._listener = listener
        self._announce = announce
        self._slots = Slots.create(max(_LEAST_SLOTS, 1 + _OVERLAPPING * self._settings.workers))
        self._standby = Standby(listener, self._slots, self._settings)
        self._lifeline, self._held = os.pipe()
        self._started = 0
        self._current: Generation | None = None
        self._living: set[Generation] = set()
        self._retiring: set[asyncio.Task[None]] = set()
        # Of the listener, whatever the settings of later generations say.
        self._socket_path = self._settings.unix_socket
        self._unanswered = 0
        self._has_failed = False
        self._is_listening = not self._settings.listen_when_ready
        self._is_wanted = asyncio.Event()
        self._waiting: list[asyncio.Future[str]] = []
        self._is_stopping, self._has_drained, self._is_hurried = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._drain_s = 0.0

    async def run(self) -> None:
        """Serve until a signal says to stop.

        Raises:
            LadingError: the first generation could not serve, or the end came before everything was answered.
        """
        self._catch_signals()
        self._look()
        port = 0 if self._settings.unix_socket else self._listener.getsockname()[1]
        tasks = [asyncio.create_task(work) for work in (self._keep(), self._is_stopping.wait())]
        if self._settings.reload:
            tasks.append(asyncio.create_task(self._follow_changes()))
        try:
            async with control(name_of(self._settings, port), self.reload):
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in tasks:
                    if task.done():
                        task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._leave()
        if self._unanswered:
            raise Unanswered(self._unanswered).error()

    async def reload(self) -> str:
        """Start a new generation, and wait until it serves.

        Returns:
            Name and version of what is served now.

        Raises:
            LadingError: it cannot serve; the one before goes on.
        """
        done: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting.append(done)
        self._is_wanted.set()
        return await done

    def _catch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self._is_wanted.set)
        loop.add_signal_handler(signal.SIGTERM, lambda: self._stop(self._settings.drain_s))
        loop.add_signal_handler(signal.SIGINT, lambda: self._stop(0.0))

    def _stop(self, drain_s: float) -> None:
        if self._is_stopping.is_set():
            self._is_hurried.set()
        self._drain_s = drain_s
        self._is_stopping.set()

    async def _follow_changes(self) -> None:
        async for name in changes(list(map(Path, self._target.files()))):
            logger.info("%s has changed: loading it", name)
            self._is_wanted.set()

    # --- one generation after another

    async def _keep(self) -> None:
        """Start a generation whenever one is wanted: because somebody asked, or because the last one died."""
        await self._replace()
        assert self._current is not None
        self._announce(self._current.banner)
        pause_s = _FIRST_PAUSE_S
        while True:
            await self._is_wanted.wait()
            self._is_wanted.clear()
            waiting, self._waiting = self._waiting, []
            try:
                model = await self._replace()
            except LadingError as error:
                _tell_failure(error, waiting)
                self._has_failed = True
                self._look()
                if self._current is None:
                    asyncio.get_running_loop().call_later(pause_s, self._is_wanted.set)
                    pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            else:
                pause_s, self._has_failed = _FIRST_PAUSE_S, False
                _tell(model, waiting)

    async def _replace(self) -> str:
        """Start a generation, and let it serve in place of the current one."""
        settings = self._find_settings()
        check_settings(settings)
        if self._current is not None:
            await self._wait_for_retired()
        generation = await self._start(settings)
        before, self._current = self._current, generation
        if not self._is_listening:
            self._listener.listen(BACKLOG)
            self._is_listening = True
        self._settings = settings
        self._standby.renew(settings)
        self._slots.generation = generation.number
        self._look()
        generation.open_gate()
        if generation.number > 1:  # the banner tells of the first
            logger.info("generation %d serves %s", generation.number, generation.model)
        if before is not None:
            self._retire(before)
        return generation.model

    async def _start(self, settings: Settings) -> Generation:
        """A generation whose workers are ready."""
        generation = await Generation.start(lambda *pipes: self._order(settings, *pipes), self._look)
        self._living.add(generation)
        try:
            await generation.ready(settings.start_timeout_s)
        except BaseException:
            self._slots.generations_failed += 1
            generation.kill()
            await asyncio.shield(generation.ended)
            raise
        return generation

    def _order(self, settings: Settings, reports: int, gate: int) -> Order:
        taken = {slot for generation in self._living for slot in generation.slots}
        free = [slot for slot in range(1, self._slots.count) if slot not in taken]
        if len(free) < settings.workers:
            raise UsageError("so many workers were not foreseen at the start", hint="start the server again")
        self._started += 1
        self._slots.generations_begun = self._started
        return Order(
            target=self._target,
            settings=settings,
            generation=self._started,
            place=place_of(self._listener, settings),
            slots=tuple(free[: settings.workers]),
            listener=self._listener.fileno(),
            counters=self._slots.fd,
            reports=reports,
            lifeline=self._lifeline,
            gate=gate,
        )

    def _retire(self, generation: Generation) -> None:
        task = asyncio.create_task(self._end(generation))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def _end(self, generation: Generation) -> None:
        """End a generation in whose place another one serves."""
        generation.drain(accept=False)
        # Who develops has one caller, and looks at the next version at once.
        await _wait(self._has_drained, 0.0 if self._settings.reload else self._settings.drain_s)
        await self._finish(generation)

    async def _finish(self, generation: Generation) -> None:
        await generation.finish(self._settings.shutdown_s + _MARGIN_S, self._is_hurried)

    async def _wait_for_retired(self) -> None:
        if self._retiring:
            await asyncio.wait(self._retiring)

    def _look(self) -> None:
        """Note who has ended, and answer in place of a generation in which nobody does."""
        for generation in [each for each in self._living if each.ended.done()]:
            self._living.discard(generation)
            self._unanswered += generation.unanswered
            if generation is self._current and not self._is_stopping.is_set():
                logger.error("generation %d has ended; another one is started", generation.number)
                self._current = None
                self._is_wanted.set()
        if self._current is not None and self._current.workers:
            self._standby.close()
        elif self._is_listening:
            self._standby.open(self._reason())

    def _reason(self) -> str:
        """Why no generation answers."""
        if self._is_stopping.is_set():
            return "the service is stopping"
        if self._current is not None:
            return "the workers are being replaced"
        return "the model cannot be served; the log says why" if self._has_failed else "the model is loading"

    # --- the end

    async def _leave(self) -> None:
        """End every generation: one that has not served at once, the others when they have answered."""
        self._is_stopping.set()
        if self._current is not None:
            self._current.drain(accept=True)
            await _wait(self._is_hurried, self._drain_s)
        self._has_drained.set()
        self._standby.close()
        unlink(self._socket_path)
        self._listener.close()  # who holds it last lets callers wait for an answer that nobody gives
        if self._current is not None:
            await self._finish(self._current)
        await self._wait_for_retired()
        for generation in self._living:
            generation.kill()
        for generation in list(self._living):
            await generation.ended
        os.close(self._held)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)


def _tell(model: str, waiting: Iterable[asyncio.Future[str]]) -> None:
    for future in waiting:
        if not future.done():  # who asked may have left
            future.set_result(model)


def _tell_failure(error: LadingError, waiting: Iterable[asyncio.Future[str]]) -> None:
    logger.error("the new generation cannot serve: %s", error.message)
    for future in waiting:
        if not future.done():
            future.set_exception(error)
