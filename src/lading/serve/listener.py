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
    """A socket that listens where the settings say, or will when the model is ready.

    Raises:
        UsageError: the address cannot be had; says what may be done.
    """
    if settings.unix_socket:
        return _listen_on_path(settings.unix_socket, settings)
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family)
    try:
        if os.name == "posix":  # elsewhere it would let others have the port too
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:  # the address that was said, and no other
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((settings.host, settings.port))
        _begin(listener, settings)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = error.strerror if isinstance(error, OSError) else "a port is at most 65535"
        is_taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        hint = "another port may be free; --port 0 takes one" if is_taken else None
        raise UsageError(f"cannot listen on {settings.host} port {settings.port}: {reason}", hint=hint) from None
    return listener


def _begin(listener: socket.socket, settings: Settings) -> None:
    if not settings.listen_when_ready:
        listener.listen(BACKLOG)


def _listen_on_path(path: str, settings: Settings) -> socket.socket:
    """A socket in the file system; what a server left there that has ended is replaced."""
    listener = socket.socket(socket.AF_UNIX)
    try:
        if _is_left_over(path):
            os.unlink(path)
        listener.bind(path)
        _begin(listener, settings)
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
