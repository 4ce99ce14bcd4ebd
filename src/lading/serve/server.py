"""One process that serves one model: listens at once, loads beside, and says when it is ready."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn

from lading.engine.model import Model
from lading.errors import LadingError, UsageError
from lading.serve.composition import Composition
from lading.service import Service
from lading.settings import Settings

BACKLOG = 2048


def listen(settings: Settings) -> socket.socket:
    """A listening socket, bound before anything slow begins.

    Raises:
        UsageError: the address cannot be had; says what may be done.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        # socket.create_server says the address once more, in brackets.
        reason = str(error.strerror).split(" (")[0] if isinstance(error, OSError) else "a port is at most 65535"
        is_taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        hint = "another port may be free; --port 0 takes one" if is_taken else None
        raise UsageError(f"cannot listen on {settings.host} port {settings.port}: {reason}", hint=hint) from None


def run(
    composition: Composition, load: Callable[[], Model], listener: socket.socket, on_ready: Callable[[Model], None]
) -> None:
    """Serve until a signal says to stop, and then finish what is in flight.

    Args:
        composition: what serves.
        load: gives the model; called in a thread, so probes are answered meanwhile.
        listener: where to listen.
        on_ready: told of the model once it answers as it should.

    Raises:
        LadingError: the model could not be loaded, or the end came before everything in flight was answered.
    """
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(composition, load, listener, on_ready))


async def _serve(
    composition: Composition, load: Callable[[], Model], listener: socket.socket, on_ready: Callable[[Model], None]
) -> None:
    service = composition.service
    server = Server(_config(composition), service)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    loading = _in_thread(lambda: service.start(load))
    both: set[asyncio.Future[Any]] = {serving, loading}
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    try:
        if loading.done():
            on_ready(loading.result())
    except BaseException:
        server.should_exit = True
        raise
    finally:
        try:
            await serving
        finally:
            service.close()
    if server.unanswered:
        requests = "1 request was" if server.unanswered == 1 else f"{server.unanswered} requests were"
        raise LadingError(f"stopped before {requests} answered", code="stopped")


def _in_thread(fn: Callable[[], Model]) -> asyncio.Future[Model]:
    """The result of a call in a daemon thread, which does not keep the process from stopping."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Model] = loop.create_future()

    def settle(result: Model | None, error: BaseException | None) -> None:
        if future.cancelled():
            return
        if error is not None:
            future.set_exception(error)
        else:
            assert result is not None
            future.set_result(result)

    def work() -> None:
        result, failure = None, None
        try:
            result = fn()
        # Loading runs the model's own code, which may raise anything; it is raised again where it is awaited.
        except BaseException as error:
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=work, name="lading-load", daemon=True).start()
    return future


class Server(uvicorn.Server):
    """Uvicorn, which a signal stops once: ready turns false, what is in flight is finished, the exit code is 0.

    Attributes:
        unanswered: requests that were in flight when it waited no longer.
    """

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self.unanswered = 0
        self._service = service

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Wait for what is in flight, for as long as that may take."""
        await super().shutdown(sockets)
        self.unanswered = len(self.server_state.tasks)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at SIGINT and SIGTERM, at once at a second one; uvicorn's own raises the signal again at the end."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        signals = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self._stop) for number in signals}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, number: int, frame: Any) -> None:
        self._service.stop()
        self.force_exit = self.should_exit
        self.should_exit = True


def _config(composition: Composition) -> uvicorn.Config:
    settings = composition.service.settings
    return uvicorn.Config(
        composition.app,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=max(1, round(settings.keep_alive_s)),
        timeout_graceful_shutdown=max(1, round(settings.shutdown_s)),
    )


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # there is none for Windows
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
