"""Case T049 inside TLS: who connects and says nothing takes no place from who does."""

import contextlib
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.certificates import SERVER, Authority
from tests.serve.conftest import Server

from .conftest import packed
from .house import asked, new_source

FILES = 256


@pytest.fixture(params=["plain", "tls"])
def narrow(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Server, Authority]]:
    """A server that may have few files open; whom its certificate is of."""
    authority = Authority(tmp_path / "authority")
    pair = authority.certify("server", "127.0.0.1", usage=SERVER)
    options = ("--tls-certificate-file", str(pair.certificate), "--tls-key-file", str(pair.key))
    server = Server(
        *(str(packed(tmp_path)), "--port", "0", *(options if request.param == "tls" else ())),
        log=tmp_path / "log",
        environment={},
        before_exec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES)),
    )
    try:
        server.banner()
        yield server, authority
    finally:
        server.end()


def test_t049_who_says_nothing_takes_no_place_from_who_does(narrow: tuple[Server, Authority]):
    server, authority = narrow
    host, port = server.url.rpartition("/")[2].split(":")
    context = authority.context() if server.url.startswith("https") else None
    source = new_source()
    with contextlib.ExitStack() as stack:
        for _ in range(2 * FILES):
            silent = socket.create_connection((host, int(port)), timeout=60, source_address=(source, 0))
            stack.enter_context(silent)
        try:
            statuses = [asked((host, int(port)), context, "GET /health").status for _ in range(8)]
        except OSError as error:
            statuses = [type(error).__name__]
    assert statuses == [200] * 8
