"""One worker: it replays the golden rows after the fork, reports ready, waits for the gate, and serves."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker

from lading.engine.model import Model
from lading.errors import LadingError, name_of
from lading.http.exchange import frames_of
from lading.monitor.slots import Slots
from lading.serve.banner import banner
from lading.serve.beside import in_thread
from lading.serve.composition import Composition, compose
from lading.serve.lifeline import Lifeline
from lading.serve.order import Order
from lading.serve.reports import Failed, Ready, Unanswered, send
from lading.serve.server import Server, loop_factory

logger = logging.getLogger(__name__)

_NOTIFY_S = 1.0


@dataclass
class Prepared:
    """What a master has ready for its workers.

    Attributes:
        order: what the supervisor asked for.
        model: loaded already, unless it has to be loaded after the fork.
        slots: of the counters.
        slot: which of them the next worker counts in.
        listener: where to listen.
    """

    order: Order
    model: Model | None
    slots: Slots
    slot: int = 0
    listener: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        self.listener = socket.socket(fileno=self.order.listener)
        self.listener.setblocking(False)


class LadingWorker(Worker):  # type: ignore[misc]
    """What gunicorn forks; its own parser and its WSGI are not in the path of a request."""

    wsgi: Prepared
    slot: int

    def init_signals(self) -> None:
        """Every signal ends it, until it serves: nobody waits for it yet."""
        for number in self.SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def run(self) -> None:
        """Serve until told to stop."""
        order = self.wsgi.order
        composition = compose(order.settings, self.wsgi.slots, self.wsgi.slot, generation=order.generation)
        with Lifeline(order.lifeline), asyncio.Runner(loop_factory=loop_factory()) as runner:
            try:
                runner.run(self._serve(composition))
            except Exception as error:
                send(order.reports, Failed.of(_told(error)))
                sys.exit(Arbiter.WORKER_BOOT_ERROR)
            finally:
                composition.service.close()

    async def _serve(self, composition: Composition) -> None:
        prepared, service = self.wsgi, composition.service
        order = prepared.order
        notifying = asyncio.create_task(self._notify(composition))
        model = await in_thread(lambda: service.start(lambda: prepared.model or order.target.load()))
        manifest = model.manifest
        words = banner(model, order.target.title, order.url)
        send(order.reports, Ready(os.getpid(), f"{manifest.name} {manifest.version}", words))
        await _closed(order.gate)
        server = WorkerServer(composition)
        await server.serve(sockets=[prepared.listener])
        notifying.cancel()
        if server.unanswered:
            send(order.reports, Unanswered(server.unanswered))

    async def _notify(self, composition: Composition) -> None:
        """Tell the master, as long as the model returns, that this worker is alive."""
        service = composition.service
        while True:
            if service.busy_s < service.settings.stuck_s:
                self.notify()
            await asyncio.sleep(_NOTIFY_S)


def _told(error: Exception) -> LadingError:
    if isinstance(error, LadingError):
        return error
    logger.error("a worker failed: %s", frames_of(error))
    return LadingError(f"a worker failed: {name_of(error)}", hint="its log tells where")


async def _closed(fd: int) -> None:
    """Wait until a pipe has closed."""
    loop = asyncio.get_running_loop()
    closed = asyncio.Event()
    loop.add_reader(fd, closed.set)
    await closed.wait()
    loop.remove_reader(fd)


class WorkerServer(Server):
    """The server of one worker, which the supervisor guides through its master."""

    @property
    def signals(self) -> Mapping[int, Callable[[], None]]:
        """What each signal does."""
        return {
            signal.SIGUSR1: lambda: self.drain(accept=True),
            signal.SIGUSR2: lambda: self.drain(accept=False),
            signal.SIGTERM: self.finish,
            signal.SIGQUIT: self.finish_now,
        }


__all__ = ["LadingWorker", "Prepared", "WorkerServer"]
