"""How another command finds a running supervisor and asks it to reload: a socket in a folder that only its user has.

A line goes in, a line of JSON comes out. Who may open the socket may ask; there is nothing else to be asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import re
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec

from lading.errors import LadingError, UsageError
from lading.serve.reports import Failed
from lading.settings import Settings, runtime_folder

logger = logging.getLogger(__name__)

_RELOAD = b"reload\n"
_ASKING_S = 5.0
_MAX_PATH_BYTES = 100  # of a socket's address, on every system


class Reloaded(msgspec.Struct, tag=True, frozen=True):
    """A new generation serves."""

    model: str


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Reloaded | Failed)


@contextlib.asynccontextmanager
async def control(name: str, reload: Callable[[], Awaitable[str]]) -> AsyncIterator[None]:
    """Answer who asks the supervisor of this address, while the block runs; where that cannot be, go on without."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError, EOFError):
            if await asyncio.wait_for(reader.readexactly(len(_RELOAD)), _ASKING_S) == _RELOAD:
                writer.write(_encoder.encode(await _outcome(reload)))
                await writer.drain()
        writer.close()

    server = await _listen(name, answer)
    try:
        yield
    finally:
        if server is not None:
            path = server.sockets[0].getsockname()
            server.close()
            Path(path).unlink(missing_ok=True)


async def _outcome(reload: Callable[[], Awaitable[str]]) -> Reloaded | Failed:
    try:
        return Reloaded(await reload())
    except LadingError as error:
        return Failed.of(error)


async def _listen(
    name: str, answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
) -> asyncio.Server | None:
    try:
        path = _socket_path(name)
        if len(os.fsencode(path)) > _MAX_PATH_BYTES:
            raise OSError("its path is too long")
        path.unlink(missing_ok=True)  # of one that was killed: two cannot listen on one port
        return await asyncio.start_unix_server(answer, path)
    except OSError as error:
        logger.warning("`lading reload` will not find this server (%s); SIGHUP does the same", error.strerror or error)
        return None


def name_of(settings: Settings, port: int) -> str:
    """What a server is found by: a short name of where it listens."""
    if settings.unix_socket:
        return hashlib.sha256(os.path.abspath(settings.unix_socket).encode()).hexdigest()[:32]
    return f"{re.sub('[^A-Za-z0-9.]', '_', settings.host)}-{port}"


def _socket_path(name: str) -> Path:
    """Where the supervisor of an address is asked, in a folder that nobody else can enter.

    Raises:
        OSError: the folder cannot be made, or it is somebody else's.
    """
    folder = runtime_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise OSError("its folder is not this user's alone")
    return folder / f"{name}.sock"


async def ask_to_reload(name: str, limit_s: float) -> str:
    """Ask the supervisor of an address to reload, and wait until the new generation serves.

    Returns:
        Name and version of what is served now.

    Raises:
        UsageError: nobody listens there.
        LadingError: the new generation cannot serve; what served before goes on.
    """
    try:
        reader, writer = await asyncio.open_unix_connection(_socket_path(name))
        writer.write(_RELOAD)
        data = await asyncio.wait_for(reader.read(), limit_s)
        writer.close()
    except TimeoutError:
        raise LadingError(f"no answer within {limit_s:g} s", hint="its log may tell more") from None
    except OSError:
        raise UsageError(
            "no server that could reload listens on this address",
            hint="it takes the same --host and --port as `lading serve`, which needs --workers 2 or more, or --reload",
        ) from None
    if not data:
        raise LadingError("the server ended before the new version served", hint="its log may tell more")
    outcome: Reloaded | Failed = _decoder.decode(data)
    if isinstance(outcome, Failed):
        raise outcome.error()
    return outcome.model
