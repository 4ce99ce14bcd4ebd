"""The supervisor's own answers, on the socket that it shares with the workers: only while none of them accepts."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from lading.http.standby import make_standby
from lading.monitor.counters import SharedCounters
from lading.monitor.exposition import exposition
from lading.monitor.slots import Slots

_ACCEPTED_AT_ONCE = 64
SLOT = 0
"""The slot of the counters in which the supervisor counts."""


class Standby:
    """Answers while it is open; closed, it leaves the socket to others.

    The listening socket is never closed, so a connection that nobody has accepted yet waits for whoever does next.
    """

    def __init__(self, listener: socket.socket, slots: Slots) -> None:
        counters = SharedCounters(slots, SLOT)
        app = make_standby(lambda: self._reason, counters, lambda: exposition(slots))
        self._listener = listener
        self._listener.setblocking(False)
        self._config = uvicorn.Config(
            app, http="httptools", ws="none", lifespan="off", log_config=None, access_log=False, server_header=False
        )
        self._config.load()
        self._state = ServerState()
        self._accepting: set[asyncio.Task[Any]] = set()
        self._reason = ""
        self._is_open = False

    def open(self, reason: str) -> None:
        """Accept connections, and tell the reason to who wants a prediction."""
        self._reason = reason
        if not self._is_open:
            asyncio.get_running_loop().add_reader(self._listener, self._accept)
            self._is_open = True

    def close(self) -> None:
        """Accept no more; who is connected is answered, and then disconnected."""
        if self._is_open:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._is_open = False

    def _accept(self) -> None:
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                connection, _ = self._listener.accept()
            except OSError:  # nobody is there any more, or there is no room for one more
                return
            connection.setblocking(False)
            task = asyncio.get_running_loop().create_task(self._connect(connection))
            self._accepting.add(task)
            task.add_done_callback(self._accepting.discard)

    async def _connect(self, connection: socket.socket) -> None:
        await asyncio.get_running_loop().connect_accepted_socket(self._protocol, connection)

    def _protocol(self) -> HttpToolsProtocol:
        return HttpToolsProtocol(config=self._config, server_state=self._state, app_state={})
