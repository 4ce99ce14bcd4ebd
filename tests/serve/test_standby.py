"""The supervisor's own answers, to callers of all kinds."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lading.access.keys.file import create_key
from lading.monitor.slots import Slots
from lading.serve import standby
from lading.serve.standby import Standby
from lading.settings import Settings

WAIT_S = 60.0
MIB = 1 << 20

Ask = Callable[[bytes], Awaitable[bytes]]


def answered(ask_all: Callable[[Ask], Awaitable[object]]) -> object:
    """What callers find out who ask a supervisor that stands by."""

    async def run() -> object:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            own = Standby(listener, Slots.create(1), Settings())
            own.open("the model is loading")

            async def ask(data: bytes) -> bytes:
                """Send all, and only then read until the end."""
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                try:
                    writer.write(data)
                    await writer.drain()
                    return await reader.read()
                finally:
                    writer.close()

            try:
                async with asyncio.timeout(WAIT_S):
                    return await ask_all(ask)
            finally:
                own.close()
                while own._guests:  # who has left is noticed in one of the next turns
                    await asyncio.sleep(0)

    return asyncio.run(run())


def test_it_asks_whom_the_settings_of_the_next_generation_say(tmp_path: Path):
    keys = tmp_path / "keys.json"
    create_key(keys, "somebody", datetime.now(UTC))

    async def run() -> list[bytes]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            own = Standby(listener, Slots.create(1), Settings())
            own.open("the model is loading")
            told = []
            for settings in (Settings(), Settings(auth="keys", keys_file=str(keys))):
                own.renew(settings)
                reader, writer = await asyncio.open_connection(*listener.getsockname())
                writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
                told.append((await reader.read())[:12])
                writer.close()
            own.close()
            return told

    assert asyncio.run(run()) == [b"HTTP/1.1 200", b"HTTP/1.1 401"]


GET = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
BODY = b" " * (10 * MIB)
POST = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY


def test_who_sends_ten_megabytes_before_reading_reads_the_refusal():
    answer = answered(lambda ask: ask(POST))
    assert isinstance(answer, bytes)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"the model is loading" in answer


def test_who_says_nothing_is_dismissed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(standby, "_PATIENCE_S", 0.05)
    assert answered(lambda ask: ask(b"GET / HTTP")) == b""


def test_many_who_say_nothing_make_room_for_who_does(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(standby, "_MAX_GUESTS", 8)

    async def flood(ask: Ask) -> list[bytes]:
        silent = [asyncio.ensure_future(ask(b"GET / HTTP")) for _ in range(50)]
        while sum(task.done() for task in silent) < 42:
            await asyncio.sleep(0)
        health = [await ask(GET) for _ in range(5)]
        for task in silent:
            task.cancel()
        await asyncio.gather(*silent, return_exceptions=True)
        return health

    health = answered(flood)
    assert isinstance(health, list)
    assert all(answer.startswith(b"HTTP/1.1 200 ") for answer in health)


def test_a_socket_that_is_closed_is_not_answered_on():
    async def run() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        own = Standby(listener, Slots.create(1), Settings())
        listener.close()
        own.open("the service is stopping")
        own.close()

    asyncio.run(run())
