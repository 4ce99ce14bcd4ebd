"""Case T046 inside TLS: handshakes and heads that trickle, and those who say nothing."""

import socket
from collections.abc import Callable, Iterator

import pytest

from lading.serve.door import HANDSHAKE_S

from .conftest import HEADER_TIMEOUT_S, OPTIONS, begun
from .oracle import Quick, Watched, under_oracle
from .wire import crowd, statuses

Many = Callable[[int, int], int]
SLACK_S = 3.0


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A server with TLS."""
    server = begun(tmp_path_factory.mktemp("secure"), "tls", *OPTIONS)
    try:
        yield server
    finally:
        server.server.end()


@pytest.mark.parametrize("first", [b"", b"POST /predict HTTP/1.1\r\nHost: x\r\nX-Slow: "])
def test_t046_inside_tls_it_is_the_same(secure: Watched, many: Many, first: bytes):
    ask = Quick(secure)
    with under_oracle(secure):
        members = crowd(secure.connect, many(30, 500), first, then=b"a" if first else b"", meanwhile=ask.ask)
    assert {tuple(statuses(member.told)) for member in members} == {(408,) if first else ()}
    assert max(member.lived_s for member in members) < HEADER_TIMEOUT_S + SLACK_S
    ask.never_waited()


def test_t046_handshakes_that_never_come_end_and_hinder_nobody(secure: Watched, many: Many):
    ask = Quick(secure)

    def silent() -> socket.socket:
        return socket.create_connection(secure.address, timeout=10)

    with under_oracle(secure):
        members = crowd(silent, many(30, 500), b"\x16\x03\x01", meanwhile=ask.ask)
    assert max(member.lived_s for member in members) < HANDSHAKE_S + SLACK_S
    ask.never_waited()
