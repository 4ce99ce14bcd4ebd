"""64 clients at once, with good rows and bad, some of whom leave: every answer belongs to its request."""

import asyncio
import json
import random
import re
from pathlib import Path
from typing import Any

import pytest

WAIT_S = 60.0
CLIENTS = 64
RAISING, LEAVING = 13.0, 14.0
"""Rows on which the model raises, and on which it calls `sys.exit`."""


class Client:
    """One client, which sends rows that nobody else sends, and checks what it gets."""

    def __init__(self, number: int, port: int, requests: int) -> None:
        self._number = number
        self._port = port
        self._requests = requests
        self._random = random.Random(number)
        self.answered: dict[int, int] = {}

    async def run(self) -> None:
        """Send everything, on one connection after another."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        for position in range(self._requests):
            body, status, expected = self._request(position)
            request_id = f"{self._number}-{position}"
            writer.write(message(body, request_id))
            await writer.drain()
            if self._random.random() < 0.1:  # leaves without listening
                writer.close()
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                continue
            self._check(await answer(reader), status, expected, request_id)
        writer.close()
        await writer.wait_closed()

    def _request(self, position: int) -> tuple[Any, int, Any]:
        """A body, and the status and predictions that it should get."""
        unique = 1000.0 + self._number * 1000 + position
        luck = self._random.random()
        if luck < 0.05:
            return {"x0": "bad"}, 422, None
        if luck < 0.10:
            return {"x0": self._random.choice([RAISING, LEAVING])}, 500, None
        if luck < 0.15:
            return [{"x0": unique}, {"x0": RAISING}, {"x0": unique + 0.5}], 500, None
        if luck < 0.5:
            rows = [unique + part / 16 for part in range(self._random.randint(1, 8))]
            return [{"x0": x} for x in rows], 200, [2 * x for x in rows]
        return {"x0": unique}, 200, 2 * unique

    def _check(self, got: tuple[int, dict[str, Any]], status: int, expected: Any, request_id: str) -> None:
        answered, body = got
        self.answered[answered] = self.answered.get(answered, 0) + 1
        assert (answered, body["id"]) == (status, request_id), body
        if expected is not None:
            assert body.get("prediction", body.get("predictions")) == expected
        if isinstance(body.get("detail"), str) and "row" in body["detail"]:
            assert body["detail"].endswith("; row 1 is the first")


def message(body: Any, request_id: str) -> bytes:
    data = json.dumps(body).encode()
    top = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n"
    return f"{top}X-Request-ID: {request_id}\r\n\r\n".encode() + data


async def answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, Any]]:
    top = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", top)
    assert length
    return int(top.split()[1]), json.loads(await reader.readexactly(int(length[1])))


@pytest.mark.parametrize("options", [("--inline-s", "0"), ("--inline-s", "1000"), ("--max-batch-rows", "4")], ids=str)
def test_every_answer_belongs_to_its_request(start: Any, odd_path: Path, scale: str, options: tuple[str, ...]):
    server = start(odd_path, *options)
    port = int(server.url.rpartition(":")[2])
    clients = [Client(number, port, 200 if scale == "full" else 20) for number in range(CLIENTS)]

    async def together() -> None:
        async with asyncio.timeout(600 if scale == "full" else WAIT_S):
            await asyncio.gather(*(client.run() for client in clients))

    asyncio.run(together())
    statuses = {status for client in clients for status in client.answered}
    assert statuses == {200, 422, 500}
    with server.client() as client:
        assert client.get("/predict?x0=21").json()["prediction"] == 42.0
    assert "Traceback" not in server.log()
