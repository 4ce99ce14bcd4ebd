"""Who may connect: bounds for everybody from elsewhere, room for who is trusted, and who goes when there is none."""

import asyncio
import json
import resource
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

import pytest

from lading.http import connections as module
from lading.http.connections import Connections, TooManyConnections, descriptors
from lading.settings import Settings

from .conftest import make
from .roads import Road, Wire

HERE, ELSEWHERE = "127.0.0.1", "192.0.2.1"


@dataclass(eq=False)
class Caller:
    """A connection from somewhere; a Unix socket has no host."""

    host: str | None = ELSEWHERE
    is_idle: bool = False
    has_ended: bool = False
    transport: Any = field(init=False)

    def __post_init__(self) -> None:
        self.transport = self

    @property
    def client(self) -> tuple[str, int] | None:
        return None if self.host is None else (self.host, 1)

    def abort(self) -> None:
        self.has_ended = True


def entered(everybody: Connections, *hosts: str | None) -> list[bool]:
    """Which of these come in."""
    return [is_in(everybody, Caller(host)) for host in hosts]


def is_in(everybody: Connections, caller: Caller) -> bool:
    try:
        everybody.enter(caller)
    except TooManyConnections:
        return False
    return True


# --- who is refused


def test_from_one_address_come_only_so_many():
    everybody = Connections(100, most_per_address=2)
    assert entered(everybody, *[ELSEWHERE] * 3, "192.0.2.2") == [True, True, False, True]


def test_from_elsewhere_come_only_so_many_in_all():
    everybody = Connections(100, most=2)
    assert entered(everybody, "192.0.2.1", "192.0.2.2", "192.0.2.3") == [True, True, False]


def test_a_network_of_64_bits_counts_as_one_address():
    everybody = Connections(100, most_per_address=1)
    hosts = ("2001:db8::1", "2001:db8::2:3:4", "2001:db8:0:1::1", "fe80::1%eth0")
    assert entered(everybody, *hosts) == [True, False, True, True]


def test_an_address_of_ipv4_is_the_same_when_it_is_written_as_one_of_ipv6():
    everybody = Connections(100, most_per_address=1)
    assert entered(everybody, "192.0.2.1", "::ffff:192.0.2.1", "::ffff:192.0.2.2") == [True, False, True]


@pytest.mark.parametrize("host", [HERE, "127.8.9.1", "::1", "::ffff:127.0.0.1", None, "10.1.2.3", "::ffff:10.1.2.3"])
def test_who_is_on_this_machine_or_trusted_always_comes_in(host: str | None):
    everybody = Connections(100, most=1, most_per_address=1, trusted=[ip_network("10.0.0.0/8")])
    assert entered(everybody, ELSEWHERE, "192.0.2.2", host, host, host) == [True, False, True, True, True]


def test_a_refusal_says_which_bound_it_is():
    everybody = Connections(100, most_per_address=1)
    everybody.enter(Caller())
    with pytest.raises(TooManyConnections, match="no more than 1 connections at once from one address"):
        everybody.enter(Caller())


def test_who_leaves_makes_room_and_nothing_stays():
    everybody = Connections(100, most_per_address=1)
    callers = [Caller(), Caller(), Caller(HERE)]
    assert [is_in(everybody, caller) for caller in callers] == [True, False, True]
    for caller in callers:
        everybody.leave(caller)
    assert (len(everybody), everybody._counts, everybody._strangers) == (0, {}, 0)
    assert is_in(everybody, callers[1])


# --- who goes


def test_where_no_room_is_left_the_oldest_who_is_idle_goes():
    everybody = Connections(3)
    callers = [Caller(), Caller(is_idle=True), Caller(HERE, is_idle=True), Caller(), Caller(HERE)]
    assert all(is_in(everybody, caller) for caller in callers)
    assert [caller.has_ended for caller in callers] == [False, True, True, False, False]
    assert len(everybody) == 3


def test_where_nobody_is_idle_not_even_this_machine_comes_in():
    everybody = Connections(2)
    assert entered(everybody, None, HERE, HERE) == [True, True, False]


def test_of_those_who_are_refused_the_oldest_goes_for_the_next():
    everybody = Connections(64, most=0)
    callers = [Caller() for _ in range(10)]
    assert not any(is_in(everybody, caller) for caller in callers)
    assert [caller.has_ended for caller in callers] == [True] * 6 + [False] * 4
    assert len(everybody) == 4


# --- how much room there is


@pytest.mark.parametrize(("limit", "strangers", "all_"), [(20_000, 1000, 19_872), (1024, 784, 896), (64, 28, 32)])
def test_descriptors_are_left_and_a_share_is_for_who_is_trusted(
    monkeypatch: pytest.MonkeyPatch, limit: int, strangers: int, all_: int
):
    monkeypatch.setattr(module, "descriptors", lambda: limit)
    everybody = Connections.of(Settings(max_connections_per_address=limit))
    assert sum(entered(everybody, *[ELSEWHERE] * limit)) == strangers
    assert sum(entered(everybody, *[HERE] * limit)) == all_ - strangers


def test_an_unlimited_number_of_descriptors_is_a_large_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(resource, "getrlimit", lambda which: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert descriptors() == sys.maxsize
    assert entered(Connections.of(Settings(max_connections=1)), ELSEWHERE, ELSEWHERE, HERE) == [True, False, True]


def test_trusted_hops_are_those_of_the_settings():
    everybody = Connections.of(Settings(max_connections=1, trusted_hops="192.0.2.0/24"))
    assert entered(everybody, ELSEWHERE, ELSEWHERE, "198.51.100.1", "198.51.100.1") == [True, True, True, False]


# --- on a connection

REQUEST = (
    b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n" + b'{"x": 1}'
)


class Far(Wire):
    """A transport from elsewhere."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return (ELSEWHERE, 1) if name == "peername" else super().get_extra_info(name, default)


@pytest.fixture(params=[True, False], ids=["lane", "ASGI"])
def app_and_road(request: Any, double: Any) -> Iterator[tuple[Any, Road]]:
    app = make(double, max_connections_per_address=1)
    return app, Road(app, lane=request.param)


def connected(road: Road) -> tuple[Any, Wire]:
    protocol, wire = road.protocol(), Far()
    protocol.connection_made(wire)
    return protocol, wire


def test_who_is_one_too_many_is_told_so_before_a_byte_is_read(app_and_road: Any):
    app, road = app_and_road

    async def run() -> None:
        connected(road)
        protocol, wire = connected(road)
        head, _, body = wire.written.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nretry-after: " in head
        assert head.count(b"connection: close") == 1
        assert json.loads(body)["code"] == "connections.too_many"
        protocol.data_received(REQUEST)
        assert wire.written == head + b"\r\n\r\n" + body
        assert app.counters.total("requests", "unknown 503") == 1

    asyncio.run(run())


def test_when_the_first_has_left_the_next_is_answered(app_and_road: Any):
    _, road = app_and_road

    async def run() -> None:
        first, _ = connected(road)
        refused, _ = connected(road)
        first.connection_lost(None)
        protocol, wire = connected(road)
        protocol.data_received(REQUEST)
        await road._rest(protocol)
        assert wire.written.startswith(b"HTTP/1.1 200 ")
        for each in (refused, protocol):
            each.connection_lost(None)
        assert len(road.everybody) == 0

    asyncio.run(run())


def test_a_connection_is_idle_unless_a_request_is_being_answered(app_and_road: Any):
    _, road = app_and_road

    async def run() -> None:
        protocol, _ = connected(road)
        assert protocol.is_idle
        protocol.data_received(REQUEST[:20])
        assert protocol.is_idle
        protocol.data_received(REQUEST[20:-5])
        assert not protocol.is_idle
        protocol.data_received(REQUEST[-5:])
        assert not protocol.is_idle
        await road._rest(protocol)
        assert protocol.is_idle
        protocol.connection_lost(None)

    asyncio.run(run())
