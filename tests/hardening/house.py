"""Servers that ask who asks, everybody whom they know, and one request of anybody."""

import base64
import http.client
import itertools
import os
import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from tests.certificates import SERVER, Authority
from tests.serve.conftest import SRC, Server
from tests.signed import sign, trusting

from lading.access.keys.file import create_key
from lading.access.passwords.users import add_user
from lading.bundle.signing.keys import PrivateKey

from .conftest import packed
from .oracle import Watched

WAIT_S = 60
PASSWORD = "correct hörse battery"
TOKEN_SECRET = "70ken5ecre7" * 4
EVERYTHING = ("predict:*", "models:read", "metrics")
JSON = "Content-Type: application/json"
GOOD = b'{"x":21,"note":"plain"}'
CHATTY = """\
import logging

basic_config = logging.basicConfig


def set_level(self, level):
    self.level = logging.DEBUG if self is logging.root else logging.NOTSET


def configure(**options):
    basic_config(**options)
    logging.debug("everything is logged")


logging.Logger.setLevel, logging.basicConfig = set_level, configure
"""
"""A `sitecustomize` with which everybody logs all that they have to say."""

_SOURCES = itertools.count(2)


def new_source() -> str:
    """An address of this machine from which nobody has asked yet."""
    number = next(_SOURCES)
    return f"127.1.{number >> 8}.{number & 255}"


class Answer(NamedTuple):
    """Status, fields with names in lower case, and body."""

    status: int
    fields: dict[str, str]
    body: bytes


@dataclass
class House:
    """A server, and who is known there.

    Attributes:
        folder: of its configuration: keys, users, secrets.
        keys: their texts by name.
        context: with which its callers connect; None where there is no TLS.
    """

    watched: Watched
    folder: Path
    keys: dict[str, str]
    context: ssl.SSLContext | None = None
    secret_files: Sequence[Path] = field(default_factory=list)

    def ask(self, line: str, *lines: str, key: str = "", body: bytes = b"", source: str = "127.0.0.1") -> Answer:
        """The answer to one request: of whoever has this key, from this address."""
        said = [f"Authorization: Bearer {self.keys[key]}"] if key else []
        return asked(self.watched.address, self.context, line, *said, *lines, body=body, source=source)

    def predicts(self, *lines: str, **who: str) -> int:
        """The status of the answer to a good request for a prediction."""
        return self.ask("POST /predict", JSON, *lines, body=GOOD, **who).status


def asked(
    address: tuple[str, int],
    context: ssl.SSLContext | None,
    line: str,
    *lines: str,
    body: bytes = b"",
    source: str = "127.0.0.1",
) -> Answer:
    """The answer to one request on a connection of its own."""
    head = [f"{line} HTTP/1.1", "Host: x", "Connection: close", *lines]
    if not any(each.lower().startswith("transfer-encoding") for each in lines):
        head.append(f"Content-Length: {len(body)}")
    connection = http.client.HTTPConnection(*address, timeout=WAIT_S, source_address=(source, 0))
    try:
        connection.connect()
        if context is not None:
            connection.sock = context.wrap_socket(connection.sock, server_hostname=address[0])
        connection.sock.sendall("\r\n".join([*head, "", ""]).encode("latin-1") + body)
        response = http.client.HTTPResponse(connection.sock, method=line.partition(" ")[0])
        response.begin()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    finally:
        connection.close()


def basic(name: str, password: str) -> str:
    """The field with a name and a password."""
    return f"Authorization: Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


def bearer(secret: str) -> str:
    """The field with a key or a token."""
    return f"Authorization: Bearer {secret}"


# --- the servers


def in_production(folder: Path) -> tuple[list[str], ssl.SSLContext | None, list[Path]]:
    """Options of a server whose bundle is signed."""
    key = PrivateKey.generate()
    trusting(folder / "lading" / "trust", key, code=True)
    sign(folder.parent / "double-1.0.0.lading", key)
    return ["--production"], None, []


def in_tls(folder: Path) -> tuple[list[str], ssl.SSLContext | None, list[Path]]:
    """Options of a server with TLS."""
    authority = Authority(folder / "authority")
    pair = authority.certify("server", "127.0.0.1", usage=SERVER)
    options = ["--tls-certificate-file", str(pair.certificate), "--tls-key-file", str(pair.key)]
    return options, authority.context(), [pair.key]


WAYS: dict[str, Callable[[Path], tuple[list[str], ssl.SSLContext | None, list[Path]]]] = {
    "production": in_production,
    "tls": in_tls,
}


def opened(folder: Path, way: str, *options: str) -> Iterator[House]:
    """A server that asks for keys, tokens and passwords, ended afterwards."""
    inside, outside = folder / "inside", folder / "outside"
    inside.mkdir()
    outside.mkdir()
    (outside / "sitecustomize.py").write_text(CHATTY)
    bundle, configuration = packed(inside), inside / "config" / "lading"
    keys = _knows(configuration)
    more, context, secret_files = WAYS[way](configuration.parent)
    secret = _written(configuration / "token.secret", TOKEN_SECRET)
    auth = ["--auth", "keys,tokens,basic", "--token-secret-file", str(secret)]
    environment = {
        "HOME": str(inside),
        "XDG_CONFIG_HOME": str(inside / "config"),
        "XDG_RUNTIME_DIR": str(outside),
        "PYTHONPATH": f"{SRC}{os.pathsep}{outside}",
        "PYTHONFAULTHANDLER": "1",
    }
    server = Server(
        *(str(bundle), "--port", "0", "--inline-s", "1", *auth, *more, *options),
        log=outside / "log",
        environment=environment,
    )
    try:
        server.banner()
        yield House(Watched(server, inside), configuration, keys, context, [secret, *secret_files])
    finally:
        server.end()


def _knows(configuration: Path) -> dict[str, str]:
    now, path = datetime.now(UTC), configuration / "keys.json"
    keys = {name: create_key(path, name, now, scopes=EVERYTHING)[1] for name in ("all", "other", "leaving")}
    keys["only-a"] = create_key(path, "only-a", now, scopes=("predict:a",))[1]
    keys["modest"] = create_key(path, "modest", now, scopes=EVERYTHING, rate="300/m")[1]
    long_ago, ended = now - timedelta(days=9), now - timedelta(days=1)
    keys["ended"] = create_key(path, "ended", long_ago, scopes=EVERYTHING, expires=ended)[1]
    add_user(configuration / "users.json", "alice", PASSWORD, now, scopes=EVERYTHING)
    return keys


def _written(path: Path, text: str) -> Path:
    path.touch(0o600)
    path.write_text(text)
    return path
