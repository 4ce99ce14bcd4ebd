"""The supervisor's own answers, on the socket that it shares with the workers: only while none of them accepts."""

from __future__ import annotations

import asyncio
import socket
from functools import partial
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.server import ServerState

from lading.access.certificates import Certificates
from lading.access.making import make_access
from lading.access.rates import Rates
from lading.http.accounts import Accounts
from lading.http.admission import Admission
from lading.http.body import linger
from lading.http.connections import Connections, descriptors
from lading.http.prefix import PrefixMiddleware
from lading.http.protocol import GuardedProtocol
from lading.http.standby import make_standby
from lading.monitor.counters import SharedCounters
from lading.monitor.exposition import exposition
from lading.monitor.slots import Slots
from lading.serve.door import Door
from lading.serve.tls import Tls
from lading.settings import Settings

_MAX_GUESTS = 512
_PATIENCE_S = 10.0
"""That a connection may last. It has one answer, which takes no time."""
SLOT = 0
"""The slot of the counters in which the supervisor counts."""


class Standby:
    """Answers while it is open; closed, it leaves the socket to others.

    The listening socket is never closed, so a connection that nobody has accepted yet waits for whoever does next.
    """

    def __init__(self, listener: socket.socket, slots: Slots, settings: Settings) -> None:
        self._listener = listener
        self._slots = slots
        self._accounts = Accounts(SharedCounters(slots, SLOT))
        self._rates = Rates([slot.rates for slot in slots], SLOT, slots.secret)
        self._state = ServerState()
        # The supervisor needs descriptors for other things than for callers who say nothing.
        self._guests = Connections(min(_MAX_GUESTS, descriptors() // 4))
        self._reason = ""
        self._configure(settings)

    def renew(self, settings: Settings) -> None:
        """Ask from now on whom these settings say."""
        is_open = self._door.is_open
        self._door.close()
        self._configure(settings)
        if is_open:
            self._door.open()

    def _configure(self, settings: Settings) -> None:
        admission = Admission(make_access(settings, self._rates, self._slots.secret), str, lambda: settings)
        app = make_standby(lambda: self._reason, self._accounts, lambda: exposition(self._slots), admission)
        app = _after_body(PrefixMiddleware(app, settings.root_path) if settings.root_path else app)
        config = uvicorn.Config(
            app, http="httptools", ws="none", lifespan="off", log_config=None, access_log=False, server_header=False
        )
        config.load()
        self._tls = Tls.of(settings)
        rest: dict[str, Any] = {"config": config, "server_state": self._state, "app_state": {}}
        rest["certificates"] = Certificates.of(settings)
        make = partial(_Guest, settings=settings, accounts=self._accounts, everybody=self._guests, **rest)
        self._door = Door(self._listener, make, self._guests, self._tls)

    def open(self, reason: str) -> None:
        """Accept connections as long as the socket is open, and tell the reason to who wants a prediction."""
        self._reason = reason
        if self._tls is not None:
            self._tls.refresh()
        self._door.open()

    def close(self) -> None:
        """Accept no more; who is connected is answered, and then disconnected."""
        self._door.close()


class _Guest(GuardedProtocol):
    """One connection, which is not kept for long, and ends at any time for the next."""

    is_idle = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._dismissal = self.loop.call_later(_PATIENCE_S, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._dismissal.cancel()


def _after_body(app: ASGIApp) -> ASGIApp:
    """An application that answers when the body was sent: many clients send all of it before they read."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await linger(receive)
        await app(scope, receive, send)

    return answer
