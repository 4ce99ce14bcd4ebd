"""The listening socket: bound once, before anything slow begins, and handed to whoever answers on it."""

from __future__ import annotations

import errno
import socket

from lading.errors import UsageError
from lading.settings import Settings

BACKLOG = 2048


def listen(settings: Settings) -> socket.socket:
    """A socket that listens where the settings say.

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


def url_of(listener: socket.socket) -> str:
    """The address that the socket listens on, for people."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
