"""The listening socket: bound once, before anything slow begins, and handed to whoever answers on it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import stat
from collections.abc import Callable

from lading.errors import UsageError
from lading.settings import Settings

BACKLOG = 2048


def listen(settings: Settings) -> socket.socket:
    """A socket that listens where the settings say.

    Raises:
        UsageError: the address cannot be had; says what may be done.
    """
    if settings.unix_socket:
        return _listen_on_path(settings.unix_socket)
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        # socket.create_server says the address once more, in brackets.
        reason = str(error.strerror).split(" (")[0] if isinstance(error, OSError) else "a port is at most 65535"
        is_taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        hint = "another port may be free; --port 0 takes one" if is_taken else None
        raise UsageError(f"cannot listen on {settings.host} port {settings.port}: {reason}", hint=hint) from None


def _listen_on_path(path: str) -> socket.socket:
    """A socket in the file system; what a server left there that has ended is replaced."""
    listener = socket.socket(socket.AF_UNIX)
    try:
        if _is_left_over(path):
            os.unlink(path)
        listener.bind(path)
        listener.listen(BACKLOG)
    except (OSError, ValueError) as error:
        listener.close()
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise UsageError(f"cannot listen on --unix-socket {path}: {reason}") from None
    return listener


def _is_left_over(path: str) -> bool:
    """Whether there is a socket on which nobody listens."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return False
    except FileNotFoundError:
        return False
    with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(ConnectionRefusedError):
        probe.connect(path)
        return False
    return True


def unlink(path: str) -> None:
    """Take away the name of a socket in the file system; of one that has none, which is empty, nothing."""
    if path:
        with contextlib.suppress(OSError):
            os.unlink(path)


async def listen_on(listener: socket.socket, make: Callable[[], asyncio.Protocol]) -> asyncio.AbstractServer:
    """A server of this event loop that accepts on a listening socket; `make` makes the protocol of a connection."""
    loop = asyncio.get_running_loop()
    listen = loop.create_unix_server if listener.family == socket.AF_UNIX else loop.create_server
    return await listen(make, sock=listener, backlog=BACKLOG)
