"""A path under which a proxy offers the service: left in front of what is asked, or taken off."""

import asyncio
import json
import re
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.http.roads import Road

from lading.monitor.slots import Slots
from lading.serve.standby import Standby
from lading.settings import Settings

from .conftest import make

PREFIX = "/models/iris"
BODY = b'{"x": 1.5}'

Ask = Callable[..., tuple[int, str]]


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(params=[True, False], ids=["lane", "ordinary"])
def ask(request: pytest.FixtureRequest, double: Any, runner: asyncio.Runner) -> Ask:
    """Asks a service that is offered under a prefix; status and body of the answer."""
    app = make(double, root_path=PREFIX)

    def ask(line: str, *fields: str) -> tuple[int, str]:
        body = BODY if line.startswith("POST") else b""
        lines = [f"{line} HTTP/1.1", "host: x.example", "content-type: application/json"]
        head = "\r\n".join([*lines, f"content-length: {len(body)}", *fields, "", ""]).encode()
        told = runner.run(Road(app, lane=request.param).tell([head + body])).raw
        return int(told.split(b" ", 2)[1]), told.partition(b"\r\n\r\n")[2].decode()

    return ask


@pytest.mark.parametrize("prefix", ["", PREFIX])
@pytest.mark.parametrize(
    "line", ["GET {}/", "GET {}/health", "GET {}/ready", "GET {}/metadata", "GET {}/predict?x=1.5", "POST {}/predict"]
)
def test_every_route_is_there_with_the_prefix_and_without(ask: Ask, prefix: str, line: str):
    assert ask(line.format(prefix))[0] == 200


def test_both_paths_give_the_same_answer(ask: Ask):
    one, other = (json.loads(ask(f"POST {prefix}/predict")[1]) for prefix in ("", PREFIX))
    assert one["prediction"] == other["prediction"] == 3.0


@pytest.mark.parametrize(
    "path",
    [
        *(f"{PREFIX}x/health", f"{PREFIX}{PREFIX}/health", f"/{PREFIX}/health", f"{PREFIX}//health", "/models/health"),
        *(f"{PREFIX.upper()}/health", f"{PREFIX}/../health", "/models%2firis2/health", f"{PREFIX}/nowhere"),
    ],
)
def test_what_only_looks_like_the_prefix_is_no_route(ask: Ask, path: str):
    assert ask(f"GET {path}")[0] == 404


def test_whoever_is_asked_for_credentials_is_asked_under_the_prefix_too(double: Any, runner: asyncio.Runner):
    class Nobody:
        challenge = "Bearer"

        def takes(self, credentials: object) -> bool:
            return False

        def refresh(self) -> bool:
            return False

    app = make(double, root_path=PREFIX, authenticators=[Nobody()])
    lines = {
        "/health": 200,
        "/metadata": 401,
        "/predict": 401,
        "/metrics": 401,
        "/nowhere": 401,
        "/health/metadata": 401,
    }
    for path, status in lines.items():
        for prefix in ("", PREFIX):
            request = f"GET {prefix}{path} HTTP/1.1\r\nhost: x\r\n\r\n".encode()
            told = runner.run(Road(app, lane=True).tell([request])).raw
            assert told.startswith(b"HTTP/1.1 %d " % status), prefix + path


@pytest.mark.parametrize("prefix", ["", PREFIX])
def test_the_page_shows_the_address_that_callers_need(ask: Ask, prefix: str):
    page = ask(f"GET {prefix}/")[1]
    assert f"curl http://x.example{PREFIX}/predict" in page
    assert all(not link.startswith("/") for link in re.findall(r'<a href="([^"]*)"', page))


@pytest.mark.parametrize("prefix", ["", PREFIX])
def test_openapi_says_where_its_paths_begin(ask: Ask, prefix: str):
    document = json.loads(ask(f"GET {prefix}/openapi.json")[1])
    assert [server["url"] for server in document["servers"]] == [PREFIX]
    assert all(not path.startswith(PREFIX) for path in document["paths"])


def test_no_answer_names_the_prefix_twice(ask: Ask):
    for path in ("/", "/metadata", "/openapi.json", "/nowhere"):
        assert PREFIX * 2 not in ask(f"GET {PREFIX}{path}")[1]


def test_health_under_the_prefix_is_told_while_nobody_serves(runner: asyncio.Runner):
    async def asked() -> bytes:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            standby = Standby(listener, Slots.create(1), Settings(root_path=PREFIX))
            standby.open("the model is loading")
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            writer.write(f"GET {PREFIX}/health HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            try:
                return await asyncio.wait_for(reader.read(), 20)
            finally:
                writer.close()
                standby.close()

    assert runner.run(asked()).startswith(b"HTTP/1.1 200 ")
