"""nginx as it really runs, with what is written for it, and replicas that do as they are told."""

import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.certificates import SERVER, Authority
from tests.serve.conftest import free_port

from lading.ship.nginx.nginx_text import render
from lading.ship.nginx.site import Front, whole
from lading.ship.plan import Plan

NGINX = shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
needs_nginx = pytest.mark.skipif(NGINX is None, reason="nginx is not installed: apt-get install nginx-light")
HOST = "models.example.com"
WAIT_S = 30.0


def until(is_so: Callable[[], object], what: str) -> None:
    """Wait until something is so."""
    end = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < end, what
        threading.Event().wait(0.01)


def is_listening(port: int) -> bool:
    """Whether anybody takes connections at this port."""
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def is_well(text: str, folder: Path) -> tuple[bool, str]:
    """Whether nginx takes a configuration, and what it says."""
    path = folder / "tried.conf"
    path.write_text(text)
    done = subprocess.run(
        [str(NGINX), "-e", "stderr", "-t", "-c", path], capture_output=True, text=True, timeout=WAIT_S
    )
    return done.returncode == 0 and "[warn]" not in done.stderr, done.stderr


class Answer(NamedTuple):
    """Status, fields with names in lower case, and body."""

    status: int
    fields: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Nginx:
    """A real one, in a folder of its own, ended by whoever has begun it."""

    def __init__(self, text: str, folder: Path, http: int, https: int, context: ssl.SSLContext) -> None:
        self.http, self.https, self.context, self.folder = http, https, context, folder
        path = folder / "nginx.conf"
        path.write_text(text)
        self._errors = folder / "errors"
        with self._errors.open("wb") as errors:
            command = [str(NGINX), "-e", "stderr", "-c", path]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)
        try:
            until(self._listens, "nginx does not listen")
        except BaseException:
            self.end()
            raise

    def _listens(self) -> bool:
        assert self.process.poll() is None, self.errors()
        return is_listening(self.https)

    def errors(self) -> str:
        """What it has said."""
        return self._errors.read_text()

    def log(self) -> list[dict[str, str]]:
        """The requests that it has logged."""
        return [json.loads(line) for line in (self.folder / "access.log").read_text().splitlines()]

    def logged(self, count: int) -> list[dict[str, str]]:
        """The same, when there are so many: a line is written behind its answer."""
        until(lambda: len(self.log()) >= count, f"{count} requests are logged")
        return self.log()

    def connection(self, source: str = "127.0.0.1") -> http.client.HTTPSConnection:
        """A client's connection, which is there when it is used."""
        made = http.client.HTTPSConnection(
            "127.0.0.1", self.https, context=self.context, timeout=WAIT_S, source_address=(source, 0)
        )
        return made

    def raw(self) -> ssl.SSLSocket:
        """A connection for bytes."""
        plain = socket.create_connection(("127.0.0.1", self.https), timeout=WAIT_S)
        return self.context.wrap_socket(plain, server_hostname="127.0.0.1")

    def ask(
        self, method: str, path: str, body: bytes | None = None, source: str = "127.0.0.1", **fields: str
    ) -> Answer:
        """The answer to one request on a connection of its own."""
        connection = self.connection(source)
        try:
            return asked(connection, method, path, body, **fields)
        finally:
            connection.close()

    def quit(self) -> None:
        """Be told to quit."""
        self.process.send_signal(signal.SIGQUIT)

    def wait(self) -> int:
        """The exit code."""
        return self.process.wait(WAIT_S)

    def end(self) -> None:
        """Be gone, with the workers."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


def asked(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None, **fields: str
) -> Answer:
    """The answer to one request on a connection that may go on."""
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    connection.request(method, path, body, named)
    return _read(connection.getresponse())


def answer(connection: socket.socket) -> Answer:
    """One whole answer, after which the connection may go on."""
    response = http.client.HTTPResponse(connection)
    response.begin()
    return _read(response)


def _read(response: http.client.HTTPResponse) -> Answer:
    body = response.read()
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)


def begun(plan: Plan, folder: Path, upstreams: Sequence[str], *, change: Callable[[str], str] = str) -> Nginx:
    """nginx as a plan has it, in front of these; whoever begins it ends it."""
    folder.mkdir(parents=True, exist_ok=True)
    authority = Authority(folder / "authority")
    pair = authority.certify("server", HOST, "127.0.0.1", "localhost", usage=SERVER)
    ports = free_port(), free_port()
    front = Front(
        upstreams=tuple(upstreams),
        http=f"127.0.0.1:{ports[0]}",
        https=f"127.0.0.1:{ports[1]}",
        certificate=str(pair.certificate),
        key=str(pair.key),
        access_log=str(folder / "access.log"),
    )
    text = change(render(whole(plan, front, folder=str(folder))))
    return Nginx(text, folder, *ports, authority.context())


# --- replicas that do as they are told

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Peer:
    """Who listens where a replica would: what it does with each connection is said, and all it is sent is kept."""

    def __init__(self, answer: Callable[[socket.socket], object]) -> None:
        self.heads: list[bytes] = []
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        try:
            while head := _head(connection):
                self.heads.append(head)
                self._answer(connection)
        except OSError:
            return

    def close(self) -> None:
        """Be gone."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            connection.close()


def _head(connection: socket.socket) -> bytes:
    """The next request, with its body."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(1 << 16)
        if not part:
            return b""
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    while lengths and len(body) < int(lengths[0]):
        body += connection.recv(1 << 16)
    return head


def nowhere() -> str:
    """An address where nobody listens."""
    return f"127.0.0.1:{free_port()}"
