"""One worker: it replays the golden rows after the fork, reports ready, waits for the gate, and serves."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gunicorn.workers.base import Worker

from lading.engine.model import Model
from lading.errors import LadingError, ModelError, name_of
from lading.http.accounts import frames_of
from lading.monitor.slots import Slots
from lading.serve.banner import banner
from lading.serve.beside import in_thread
from lading.serve.composition import Composition, compose
from lading.serve.lifeline import Lifeline, end_with_parent
from lading.serve.order import Order
from lading.serve.reports import Failed, Ready, Unanswered, send
from lading.serve.server import Server, loop_factory
from lading.service import Service

logger = logging.getLogger(__name__)

_NOTIFY_S = 1.0


@dataclass
class Prepared:
    """What a master has ready for its workers.

    Attributes:
        order: what the supervisor asked for.
        model: loaded already, unless it has to be loaded after the fork.
        stamp: of the model's file, before anything was loaded.
        slots: of the counters.
        slot: which of them the next worker counts in.
        listener: where to listen.
    """

    order: Order
    model: Model | None
    stamp: tuple[int, ...]
    slots: Slots
    slot: int = 0
    listener: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        self.listener = socket.socket(fileno=self.order.listener)
        self.listener.setblocking(False)

    def load(self) -> Model:
        """The model that all workers of the generation serve.

        Raises:
            LadingError: it cannot be loaded, or the file has become another one.
        """
        model = self.model or self.order.target.load(self.order.settings)
        self.check_stamp()
        return model

    def check_stamp(self) -> None:
        """Nothing where a worker that loads the model now gets the same one as the workers before it.

        Raises:
            ModelError: the file has become another one.
        """
        if self.model is None and self.order.target.stamp() != self.stamp:
            message = f"{self.order.target.title} has changed since its workers were started"
            raise ModelError(message, hint="when it is written, `lading reload` serves it")


class LadingWorker(Worker):  # type: ignore[misc]
    """What gunicorn forks; its own parser and its WSGI are not in the path of a request."""

    wsgi: Prepared
    slot: int

    def init_signals(self) -> None:
        """Every signal ends it, until it serves: nobody waits for it yet. The master has held them back until now."""
        for number in self.SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        end_with_parent()

    def run(self) -> None:
        """Serve until told to stop."""
        order = self.wsgi.order
        composition = compose(order.settings, self.wsgi.slots, self.wsgi.slot, generation=order.generation)
        with Lifeline(order.lifeline), asyncio.Runner(loop_factory=loop_factory()) as runner:
            try:
                runner.run(self._serve(composition))
            # What left this block would run on as if it were the master, of which this process is a copy.
            except BaseException as error:
                send(order.reports, Failed.of(_told(error)))
                sys.exit(1)
            finally:
                composition.service.close()

    async def _serve(self, composition: Composition) -> None:
        prepared, service = self.wsgi, composition.service
        order = prepared.order
        # Loading may keep the interpreter to itself for longer than a prediction may.
        self._mark_alive(time.monotonic() + order.settings.start_timeout_s - self.cfg.timeout)
        model = await in_thread(lambda: service.start(prepared.load))
        notifying = asyncio.create_task(self._notify(service))
        manifest = model.manifest
        words = banner(model, order.target.title, order.place)
        send(order.reports, Ready(os.getpid(), f"{manifest.name} {manifest.version}", words))
        await _closed(order.gate)
        server = WorkerServer(composition)
        await server.serve(sockets=[prepared.listener])
        notifying.cancel()
        if server.unanswered:
            send(order.reports, Unanswered(server.unanswered))

    async def _notify(self, service: Service) -> None:
        """Tell the master all the time that this worker is alive, or since when its model has not returned."""
        while True:
            self._mark_alive(time.monotonic() - service.busy_s)
            await asyncio.sleep(_NOTIFY_S)

    def _mark_alive(self, at: float) -> None:
        """Where gunicorn's arbiter looks for it: as the time of a file."""
        os.utime(self.tmp.fileno(), (at, at))


def _told(error: BaseException) -> LadingError:
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
