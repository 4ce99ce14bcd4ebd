"""A socket in the file system in place of host and port: served, taken over from the dead, left when it ends."""

import http.client
import os
import signal
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lading.access.keys.file import create_key

from .conftest import Server
from .family import masters, until

WAIT_S = 60

Open = Callable[..., Any]


class Connection(http.client.HTTPConnection):
    """One through a socket in the file system."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=WAIT_S)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(WAIT_S)
        self.sock.connect(self._path)


def ask(
    path: Path, method: str = "GET", target: str = "/ready", body: str | None = None, **fields: str
) -> tuple[int, str]:
    """Status and body of an answer."""
    connection = Connection(path)
    try:
        connection.request(method, target, body, {"content-type": "application/json"} | fields)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lading.sock"


@pytest.fixture(params=["1", "2"])
def serve(request: pytest.FixtureRequest, path: Path, double_path: Path, start: Open) -> Open:
    """Starts a server on the socket, of one process or of several."""
    return lambda *options, **rest: start(
        double_path, "--unix-socket", str(path), "--workers", request.param, *options, **rest
    )


def test_it_is_served_there_and_nowhere_else(serve: Open, path: Path):
    server = serve()
    assert stat.S_ISSOCK(path.stat().st_mode)
    assert ask(path, "POST", "/predict", '{"x": 21}')[1].startswith('{"prediction":42.0,')
    assert ask(path, target="/nowhere")[0] == 404
    assert ask(path, target="/health")[0] == 200
    assert _tcp_listeners(server.process.pid) == []


def test_it_is_gone_at_the_end(serve: Open, path: Path):
    server = serve()
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    assert not path.exists()


def _tcp_listeners(pid: int) -> list[str]:
    """Sockets that this process listens on by TCP."""
    held = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    lines = [
        line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()
    ]
    return [words[1] for words in lines if words[3] == "0A" and f"socket:[{words[9]}]" in held]


def test_whoever_may_open_it_may_ask_unless_keys_are_asked_for(serve: Open, path: Path, tmp_path: Path):
    _, key = create_key(tmp_path / "keys.json", "all", datetime.now(UTC))
    serve("--auth", "keys", "--keys-file", str(tmp_path / "keys.json"))
    assert ask(path, target="/metadata")[0] == 401
    assert ask(path, target="/metadata", authorization=f"Bearer {key}")[0] == 200
    # Behind it everybody has one address: that of whoever is connected, which is none.
    tries = [ask(path, target="/metadata", authorization="Bearer lk_x")[0] for _ in range(65)]
    assert set(tries) == {401, 429}
    assert ask(path, target="/metadata", authorization=f"Bearer {key}")[0] == 200


def test_what_somebody_left_who_was_killed_is_replaced(serve: Open, path: Path):
    first = serve()
    first.signal(signal.SIGKILL)
    first.wait()
    assert path.exists()
    until(lambda: _nobody_listens(path), "its workers end too")
    serve()
    assert ask(path)[0] == 200


def _nobody_listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return True
    return False


def test_nobody_is_driven_out(serve: Open, path: Path):
    serve()
    second = serve(is_awaited=False)
    assert second.wait() == 2
    (line,) = [line for line in second.log().splitlines() if line.startswith("error: ")]
    assert line == f"error: cannot listen on --unix-socket {path}: Address already in use"
    assert ask(path)[0] == 200


@contextmanager
def _listening(path: Path) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        yield


@pytest.mark.parametrize(
    "what", ["a file", "a folder", "a link to a file", "a link to a folder", "somebody else", "no folder", "too long"]
)
def test_what_is_no_left_over_stays(what: str, path: Path, double_path: Path, refusal: Open):
    other = path.with_name("other")
    makers: dict[str, Callable[[], object]] = {
        "a file": lambda: path.write_text("kept"),
        "a folder": path.mkdir,
        "a link to a file": lambda: (other.write_text("kept"), path.symlink_to(other)),
        "a link to a folder": lambda: (other.mkdir(), path.symlink_to(other)),
    }
    makers.get(what, lambda: None)()
    places = {"no folder": path / "x", "too long": path.with_name("x" * 150)}
    with _listening(path) if what == "somebody else" else _nothing():
        before = {each: each.lstat().st_ino for each in path.parent.iterdir()}
        code, lines = refusal(double_path, "--unix-socket", str(places.get(what, path)))
        assert {each: each.lstat().st_ino for each in path.parent.iterdir()} == before
    assert code == 2
    assert [line.startswith("error: cannot listen on --unix-socket ") for line in lines] == [True]
    assert not path.is_file() or path.read_text() == "kept"


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def test_reload_finds_it(serve: Open, path: Path, run_lading: Open, request: pytest.FixtureRequest):
    server: Server = serve()
    done = run_lading("reload", "--unix-socket", str(path), environment=server.environment)
    if request.node.callspec.params["serve"] == "1":
        assert done.returncode == 2  # one process does all, and does not reload
        assert "--workers 2 or more" in done.stderr
        return
    assert (done.returncode, done.stderr) == (0, "model 1.0.0 serves now\n")
    until(lambda: len(masters(server.process.pid)) == 1, "the one before has ended")
    assert ask(path)[0] == 200
    relative = os.path.relpath(path)
    assert run_lading("reload", "--unix-socket", relative, environment=server.environment).returncode == 0
    assert run_lading("reload", environment=server.environment).returncode == 2


def test_it_goes_before_host_and_port(serve: Open, path: Path, a_free_port: Callable[[], int]):
    port = a_free_port()
    serve("--host", "0.0.0.0", port=port)
    assert ask(path)[0] == 200
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
