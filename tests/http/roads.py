"""Both roads without sockets: connections whose transports are lists, on a real event loop."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from lading.http.accounts import Accounts
from lading.http.connections import Connections
from lading.http.lane import Lane, LaneProtocol
from lading.http.protocol import GuardedProtocol

_TURNS = 400


class Wire(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.is_closed = False
        self.is_paused = False

    def write(self, data: Any) -> None:
        if not self.is_closed:
            self.written += bytes(data)

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def can_write_eof(self) -> bool:
        return False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 1) if name in ("peername", "sockname") else default

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False


@dataclass
class Told:
    """What came back on one connection.

    Attributes:
        data: all bytes, without dates, and with every id that was made and every `Retry-After` replaced.
        is_closed: whether the server closed it.
        lane: requests that took the lane.
    """

    data: bytes
    is_closed: bool
    lane: int = 0
    raw: bytes = field(default=b"", compare=False)


class Road:
    """The protocol of one road before an application."""

    def __init__(self, app: Any, *, lane: bool) -> None:
        """`app` is an `App` of the tests' `make`."""
        service = app.service
        self.accounts = Accounts(app.counters)
        self.config = uvicorn.Config(app.asgi, http="httptools", ws="none", lifespan="off", log_config=None)
        self.config.load()
        self.state = ServerState()
        self.state.default_headers = [(b"date", b"now")]
        self._lane = Lane(service, self.accounts, app.admission) if lane else None
        self._settings = service.settings
        self.everybody = Connections.of(service.settings)

    def protocol(self) -> Any:
        rest = {"config": self.config, "server_state": self.state, "app_state": {}, "everybody": self.everybody}
        if self._lane is not None:
            return LaneProtocol(lane=self._lane, **rest)
        return GuardedProtocol(settings=self._settings, accounts=self.accounts, **rest)

    async def tell(self, portions: Sequence[bytes], *, is_lost: bool = False) -> Told:
        """What comes back for these portions of bytes, each received by itself."""
        protocol, wire = self.protocol(), Wire()
        protocol.connection_made(wire)
        for portion in portions:
            if wire.is_closed:
                break
            protocol.data_received(portion)
            await asyncio.sleep(0)
        protocol.sweep(asyncio.get_running_loop().time())
        await self._rest(protocol)
        if is_lost or not wire.is_closed:
            protocol.connection_lost(None)
            await self._rest(protocol)
        return Told(_normal(wire.written), wire.is_closed, raw=wire.written)

    async def _rest(self, protocol: Any) -> None:
        for _ in range(_TURNS):
            await asyncio.sleep(0)
            if not self.state.tasks and not protocol.is_answering:
                break
        await asyncio.sleep(0)


_IDS = re.compile(rb"[0-9a-f]{32}")
_PAUSE = re.compile(rb"(?<=\r\nretry-after: )[1-3](?=\r\n)")


def _normal(data: bytes) -> bytes:
    return _PAUSE.sub(b"SOON", _IDS.sub(b"ID", data))
