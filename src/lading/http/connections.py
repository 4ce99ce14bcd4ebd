"""Who is connected to this process: how many, from where, and who goes when there is no room for one more.

Callers from elsewhere are bounded, together and by address. This machine's own and trusted hops are not, so that a
probe and a proxy always get in; but nobody takes the last descriptors of the process. Where those run out, the oldest
of the connections that say nothing makes room.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Protocol

from lading.http.forwarded import Address, address_of, counted, is_within
from lading.http.problems import HttpError, retry_after
from lading.settings import Network, Settings, networks

_RESERVE, _LEAST_RESERVE = 128, 32
"""Descriptors for everybody who is refused, and for everything else: the listener, pipes, files of a model."""
_MAX_REFUSED = 64


class TooManyConnections(HttpError):
    """A connection more than there may be."""

    def __init__(self, detail: str) -> None:
        fields = {"Retry_After": retry_after(), "Connection": "close"}
        super().__init__(503, "Not now", detail, code="connections.too_many", **fields)


class Endable(Protocol):
    """What a connection is ended by."""

    def abort(self) -> None:
        """End it at once."""


class Connection(Protocol):
    """What is known of a connection."""

    @property
    def client(self) -> tuple[str, int] | None:
        """Who is connected; None through a Unix socket."""

    @property
    def transport(self) -> Endable:
        """What it is ended by."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing is lost when it ends now."""


class Connections:
    """Everybody who is connected.

    Args:
        room: connections that there may be in all.
        most: those from elsewhere, together.
        most_per_address: those from one address elsewhere; of IPv6, from one network of 64 bits.
        trusted: networks whose connections are bounded by the room alone, as this machine's own are.
    """

    def __init__(
        self,
        room: int,
        *,
        most: int = sys.maxsize,
        most_per_address: int = sys.maxsize,
        trusted: Sequence[Network] = (),
    ) -> None:
        self._room = room
        self._max_refused = max(1, min(_MAX_REFUSED, room // 16))
        self._most = most
        self._most_per_address = most_per_address
        self._trusted = trusted
        self._inside: dict[Connection, Address | None] = {}
        self._refused: dict[Connection, None] = {}
        self._counts: dict[Address, int] = {}
        self._strangers = 0

    @classmethod
    def of(cls, settings: Settings) -> Connections:
        """Nobody yet, within the bounds of these settings and what the system allows this process."""
        limit = descriptors()
        room = max(1, limit - max(_LEAST_RESERVE, min(_RESERVE, limit // 4)))
        return cls(
            room,
            # The last eighth is left to those who are trusted.
            most=min(settings.max_connections, room - room // 8),
            most_per_address=settings.max_connections_per_address,
            trusted=networks(settings.trusted_hops),
        )

    def __len__(self) -> int:
        return len(self._inside) + len(self._refused)

    def enter(self, connection: Connection) -> None:
        """Count a connection until it leaves; somebody else's may be ended for it.

        Raises:
            TooManyConnections: it has to go. Until it has, it is one of a few that are refused; the oldest of them is
                ended for the next.
        """
        address = self._stranger(connection)
        refusal = self._refusal(address)
        if refusal is not None:
            self._keep_refused(connection)
            raise TooManyConnections(refusal)
        self._inside[connection] = address
        if address is not None:
            self._strangers += 1
            self._counts[address] = self._counts.get(address, 0) + 1

    def leave(self, connection: Connection) -> None:
        """Count a connection no more."""
        self._refused.pop(connection, None)
        address = self._inside.pop(connection, None)
        if address is None:
            return
        self._strangers -= 1
        self._counts[address] -= 1
        if not self._counts[address]:
            del self._counts[address]

    def _stranger(self, connection: Connection) -> Address | None:
        """The address that counts for a connection, or None where none does."""
        if connection.client is None:  # of a Unix socket
            return None
        address = address_of(connection.client[0])
        if address is None or address.is_loopback or is_within(address, self._trusted):
            return None
        return counted(address)

    def _refusal(self, address: Address | None) -> str | None:
        """Why a connection from there is one too many, if it is."""
        if address is not None and self._counts.get(address, 0) >= self._most_per_address:
            return f"no more than {self._most_per_address} connections at once from one address"
        if address is not None and self._strangers >= self._most:
            return f"no more than {self._most} connections at once"
        if len(self._inside) >= self._room and not self._dismiss_idle():
            return f"no more than {self._room} connections at once"
        return None

    def _dismiss_idle(self) -> bool:
        """Whether there was somebody to end for the next: the oldest who is idle."""
        oldest = next((connection for connection in self._inside if connection.is_idle), None)
        if oldest is None:
            return False
        self.leave(oldest)
        oldest.transport.abort()
        return True

    def _keep_refused(self, connection: Connection) -> None:
        if len(self._refused) >= self._max_refused:
            oldest = next(iter(self._refused))
            self.leave(oldest)
            oldest.transport.abort()
        self._refused[connection] = None


def descriptors() -> int:
    """How many files, and so connections, this process may hold open at once."""
    try:
        import resource
    except ImportError:  # there is none for Windows, which has no such limit
        return sys.maxsize
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit
