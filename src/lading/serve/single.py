"""One process that does all: listens at once, loads beside, and says when it is ready."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from lading.engine.model import Model
from lading.serve.banner import banner
from lading.serve.beside import in_thread
from lading.serve.collector import leave_alone
from lading.serve.composition import Composition, compose
from lading.serve.place import place_of
from lading.serve.reports import Unanswered
from lading.serve.server import Server, loop_factory
from lading.serve.target import Target
from lading.settings import Settings


def serve_alone(target: Target, settings: Settings, listener: socket.socket, announce: Callable[[str], None]) -> None:
    """Serve until a signal says to stop, and then finish what is in flight.

    Args:
        target: what to serve; loaded in a thread, so probes are answered meanwhile.
        settings: of the server.
        listener: where to listen.
        announce: told what to print once the model answers as it should.

    Raises:
        LadingError: the model could not be loaded, or the end came before everything in flight was answered.
    """

    place = place_of(listener, settings)

    def tell(model: Model) -> None:
        announce(banner(model, target.title, place))

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_serve(compose(settings), lambda: target.load(settings), listener, tell))


async def _serve(
    composition: Composition, load: Callable[[], Model], listener: socket.socket, on_ready: Callable[[Model], None]
) -> None:
    service = composition.service
    server = Server(composition)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    loading = in_thread(lambda: service.start(load))
    both: set[asyncio.Future[Any]] = {serving, loading}
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    try:
        if loading.done():
            model = loading.result()
            leave_alone()
            on_ready(model)
    except BaseException:
        server.should_exit = True
        raise
    finally:
        try:
            await serving
        finally:
            service.close()
    if server.unanswered:
        raise Unanswered(server.unanswered).error()
