"""The server of one process: it answers until a signal, drains, finishes what is in flight, and ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import uvicorn

from lading.access.certificates import Certificates
from lading.http.connections import Connections
from lading.http.lane import Lane, LaneProtocol
from lading.http.protocol import GuardedProtocol
from lading.http.uvicorn_internals import is_tested
from lading.serve.composition import Composition
from lading.serve.door import Door
from lading.serve.listener import BACKLOG, listen_on
from lading.serve.tls import Tls

logger = logging.getLogger(__name__)

_SWEEP_TICKS = 5
"""Of uvicorn's clock, which ticks ten times a second."""
_SWITCH_S = 0.0005
"""After which a model in its thread lets the event loop go on. Python's own are 5 ms, in every turn of the loop: where
a model holds the interpreter, even refusals would wait, as uvloop accepts one connection in a turn."""


class Server(uvicorn.Server):
    """Uvicorn that leaves in three steps: it drains, then takes no more, and then waits for what is in flight.

    While it drains ready is false, and every answer says `Connection: close`, so that callers go elsewhere by
    themselves and none is cut off between two requests.

    Attributes:
        unanswered: requests that were in flight when it waited no longer.
    """

    def __init__(self, composition: Composition) -> None:
        settings = composition.service.settings
        everybody = Connections.of(settings)
        super().__init__(_config(composition, everybody))
        self.unanswered = 0
        self._listeners: list[socket.socket] = []
        self._service = composition.service
        self._access = composition.admission.access
        self._everybody = everybody
        self._tls = Tls.of(settings)

    @property
    def signals(self) -> Mapping[int, Callable[[], None]]:
        """What each signal does."""
        return {signal.SIGINT: self.interrupt, signal.SIGTERM: self.terminate}

    def drain(self, *, accept: bool) -> None:
        """Be ready no more and send callers elsewhere; new connections are taken or, if not `accept`, left alone."""
        self._service.stop()
        if not accept:
            for server in self.servers:
                server.close()

    def terminate(self) -> None:
        """Drain for the time that the settings say, then finish; at once when told again."""
        if not self._service.is_ready:  # nobody sends requests here, or it was told before
            self.interrupt()
            return
        self.drain(accept=True)
        asyncio.get_running_loop().call_later(self._service.settings.drain_s, self.finish)

    def interrupt(self) -> None:
        """Finish; at once when told again."""
        if self.should_exit:
            self.finish_now()
        self.finish()

    def finish(self) -> None:
        """Take nothing more, finish what is in flight, and end."""
        self._service.stop()
        self.should_exit = True

    def finish_now(self) -> None:
        """End without waiting for what is in flight."""
        self.should_exit = self.force_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, at once or when the model is ready, and from now on let nobody hold the interpreter for long."""
        sys.setswitchinterval(_SWITCH_S)
        self.servers: list[Any] = []
        self._listeners = list(sockets or ())
        if not self._service.settings.listen_when_ready or self._service.is_ready:
            await self._open()
        self.started = True

    async def _open(self) -> None:
        """Accept connections on all sockets, each of which listens from then on."""
        protocol: Any = self.config.http_protocol_class
        make = partial(protocol, config=self.config, server_state=self.server_state, app_state={})
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener.listen(BACKLOG)
        self.servers = [await self._listen(each, make) for each in listeners]

    async def _listen(self, listener: socket.socket, make: Callable[[], GuardedProtocol]) -> Any:
        if self._tls is None:
            return await listen_on(listener, make)
        door = Door(listener, make, self._everybody, self._tls)
        door.open()
        return door

    async def on_tick(self, counter: int) -> bool:
        """Look after what uvicorn looks after, and now and then after connections whose time is over."""
        if self._listeners and self._service.is_ready:
            await self._open()
        if counter % _SWEEP_TICKS == 0:
            self._access.refresh()
            if self._tls is not None:
                self._tls.refresh()
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                connection.sweep(now)  # type: ignore[union-attr]
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Wait for what is in flight, for as long as that may take."""
        await super().shutdown(sockets)
        connections: Iterable[Any] = self.server_state.connections
        self.unanswered = len(self.server_state.tasks) + sum(each.is_answering for each in connections)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Act on signals within the event loop; uvicorn's own raises the signal again at the end."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        before = {number: signal.signal(number, _within(loop, act)) for number, act in self.signals.items()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _within(loop: asyncio.AbstractEventLoop, act: Callable[[], None]) -> Callable[[int, Any], None]:
    """A signal handler that acts in the loop's next turn; a signal may come in the middle of anything."""

    def handle(number: int, frame: Any) -> None:
        loop.call_soon_threadsafe(act)

    return handle


def protocol_of(composition: Composition, everybody: Connections) -> Callable[..., GuardedProtocol]:
    """What makes the protocol of a connection: with the lane, unless it is off."""
    settings, accounts = composition.service.settings, composition.accounts
    certificates = Certificates.of(settings)
    if settings.lane and not is_tested(uvicorn.__version__):
        logger.warning("the fast lane is off: it has not been tried with uvicorn %s", uvicorn.__version__)
    elif settings.lane:
        lane = Lane(composition.service, accounts, composition.admission)
        return partial(LaneProtocol, lane=lane, everybody=everybody, certificates=certificates)
    return partial(
        GuardedProtocol, settings=settings, accounts=accounts, everybody=everybody, certificates=certificates
    )


def _config(composition: Composition, everybody: Connections) -> uvicorn.Config:
    settings = composition.service.settings
    return uvicorn.Config(
        composition.app,
        http=protocol_of(composition, everybody),  # type: ignore[arg-type]
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=max(1, round(settings.keep_alive_s)),
        timeout_graceful_shutdown=max(1, round(settings.shutdown_s)),
    )


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What makes the event loop: uvloop where there is one."""
    try:
        import uvloop
    except ImportError:  # there is none for Windows
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
