"""Accepts connections on a listening socket, and sees them through the handshake of TLS, where there is one.

An event loop that accepts by itself tells of a connection only after its handshake. Those that never come so far would
be counted by nobody, and take the descriptors of everybody. Here they count from their first moment.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any

from lading.http.connections import Connections, TooManyConnections
from lading.http.protocol import GuardedProtocol
from lading.serve.tls import Tls

HANDSHAKE_S = 5.0
"""As long as a head may take by default."""
_ACCEPTED_AT_ONCE = 16
_PAUSE_S = 0.1
"""Where there is no descriptor for one more."""


class Door:
    """A listening socket, and whoever is at the door.

    It never closes the socket: a connection that is not accepted yet waits for whoever accepts next.

    Args:
        listener: the socket.
        make: makes the protocol of a connection.
        everybody: who is connected.
        tls: with which connections begin; None for none.

    Attributes:
        is_open: connections are accepted.
    """

    def __init__(
        self, listener: socket.socket, make: Callable[[], GuardedProtocol], everybody: Connections, tls: Tls | None
    ) -> None:
        self._listener = listener
        self._listener.setblocking(False)
        self._make = make
        self._everybody = everybody
        self._tls = tls
        self._guests: set[asyncio.Task[None]] = set()
        self.is_open = False

    def open(self) -> None:
        """Accept connections, as long as the socket is open."""
        if not self.is_open and self._listener.fileno() >= 0:
            asyncio.get_running_loop().add_reader(self._listener, self._accept)
            self.is_open = True

    def close(self) -> None:
        """Accept no more."""
        if self.is_open:
            asyncio.get_running_loop().remove_reader(self._listener)
            self.is_open = False

    def _go_on(self) -> None:
        if self.is_open:
            asyncio.get_running_loop().add_reader(self._listener, self._accept)

    async def wait_closed(self) -> None:
        """Send away who is still at the door."""
        for guest in self._guests:
            guest.cancel()
        await asyncio.gather(*self._guests, return_exceptions=True)

    def _accept(self) -> None:
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                connection, peer = self._listener.accept()
            except (BlockingIOError, ConnectionError):  # somebody else was quicker, or they have left
                return
            except OSError:  # there is no room for one more
                loop = asyncio.get_running_loop()
                loop.remove_reader(self._listener)
                loop.call_later(_PAUSE_S, self._go_on)
                return
            connection.setblocking(False)
            task = asyncio.get_running_loop().create_task(self._greet(connection, peer))
            self._guests.add(task)
            task.add_done_callback(self._guests.discard)

    async def _greet(self, connection: socket.socket, peer: Any) -> None:
        loop = asyncio.get_running_loop()
        if self._tls is None:
            await loop.connect_accepted_socket(self._make, connection)
            return
        guest = _Guest(peer)
        try:
            self._everybody.enter(guest)
        except TooManyConnections:  # which cannot be said before there is TLS
            connection.close()
        else:
            with contextlib.suppress(OSError, TimeoutError):  # whoever connected does not speak it
                await loop.connect_accepted_socket(
                    lambda: self._met(guest), connection, ssl=self._tls.context, ssl_handshake_timeout=HANDSHAKE_S
                )
        finally:
            self._everybody.leave(guest)

    def _met(self, guest: _Guest) -> GuardedProtocol:
        """The protocol of a connection, which counts in place of the guest as soon as it is made."""
        protocol = self._make()
        protocol.on_made = lambda: self._everybody.leave(guest)
        return protocol


class _Guest:
    """A connection in its handshake, which may be ended for somebody else's at any time."""

    is_idle = True

    def __init__(self, peer: Any) -> None:
        # Of a Unix socket it is a text, and mostly empty.
        self.client = (str(peer[0]), int(peer[1])) if isinstance(peer, tuple) else None
        self.transport = self
        self._task = asyncio.current_task()

    def abort(self) -> None:
        """End it."""
        if self._task is not None:
            self._task.cancel()
