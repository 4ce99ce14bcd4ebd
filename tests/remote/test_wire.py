"""One request and its reply: where nothing answers, too slowly, or only half; and what no message repeats."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.testing.relay import answering

from lading.errors import LadingError, UsageError
from lading.remote import wire
from lading.remote.wire import Reply, Request, ask, split_address
from lading.testing import contract
from lading.testing.subject import subject_at

GET = Request("GET", "/ready")


@contextlib.contextmanager
def talking(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """The address of a listener that does what it is told to with one connection."""

    def run() -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.recv(65_536)
            talk(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(10)
        assert not thread.is_alive()


def trickle(connection: socket.socket) -> None:
    """Bytes of a head without end, none of which comes too late."""
    until = time.monotonic() + 5
    connection.sendall(b"HTTP/1.1 200 OK\r\nx-long: ")
    while time.monotonic() < until:
        connection.sendall(b"a")
        time.sleep(0.01)


def test_where_nothing_answers_is_said_in_one_line():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(LadingError, match=rf"(?m)^nothing answers at {url}: Connection refused$"):
        ask(url, GET)


@pytest.mark.parametrize("silent", [trickle, lambda connection: connection.recv(1)], ids=["trickling", "hanging"])
def test_a_reply_that_takes_too_long_is_none(silent: Callable[[socket.socket], None], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(wire, "TIMEOUT_S", 0.2)
    began = time.monotonic()
    with talking(silent) as url:
        assert ask(url, GET) == Reply(0, silence="no complete answer within 0.2 s")
    assert time.monotonic() - began < 4


@pytest.mark.parametrize("half", [b"", b"HTTP/1.1 2", b"SSH-2.0-OpenSSH_9.2\r\n"], ids=["none", "half", "another"])
def test_what_is_no_complete_answer_is_none(half: bytes):
    with talking(lambda connection: connection.sendall(half)) as url:
        assert str(ask(url, GET)) == "no complete answer"


def test_a_case_without_an_answer_fails(iris_path: Path):
    case = contract(iris_path)[0]
    with talking(lambda connection: None) as url:
        assert case.failure(url) == "sent GET /health; expected 200; got no complete answer"


def test_an_answer_is_read_up_to_a_bound(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(wire, "MAX_REPLY_BYTES", 1 << 20)
    with answering(lambda request: Reply(200, {}, b" " * ((1 << 20) + 1))) as url:
        assert str(ask(url, GET)) == "an answer of more than 1 MiB"


def test_a_mounted_service_is_asked_below_its_path():
    with answering(lambda request: Reply(200, {}, request.path.encode())) as url:
        assert ask(f"{url}/models/iris/", GET).body == b"/models/iris/ready"


def test_headers_are_sent_with_each_request():
    with answering(lambda request: Reply(200, {}, dict(request.headers)["authorization"].encode())) as url:
        assert ask(url, GET, {"Authorization": "Bearer abc"}).body == b"Bearer abc"


@pytest.mark.parametrize(
    "url",
    [
        *("127.0.0.1:8000", "ftp://127.0.0.1", "http://", "http://a:99999", "http://a b", "http://a/\r\nx: y"),
        *("http://user:SECRET@a", "http://a?key=SECRET", "http://a#SECRET", "http://[::1", "http://ä"),
    ],
)
def test_what_is_no_address_is_refused_and_not_repeated(url: str):
    with pytest.raises(UsageError) as caught:
        split_address(url)
    assert "SECRET" not in f"{caught.value.message}{caught.value.hint}"


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(404), "expected 200 from /schema, got 404"),
        (Reply(200, {}, b"<html>"), "what /schema and /metadata say cannot be read"),
        (Reply(200, {}, b'{"task":"unknown","inputs":[],"outputs":[]}'), "what /schema and /metadata say cannot be"),
    ],
)
def test_another_service_is_said_to_be_one(reply: Reply, words: str):
    with answering(lambda request: reply) as url, pytest.raises(LadingError, match=words):
        subject_at(url)


def test_a_header_with_a_line_end_is_refused_without_being_told():
    with pytest.raises(UsageError) as caught:
        ask("http://127.0.0.1:1", Request("GET", "/health"), {"authorization": "Bearer s3cret\n"})
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("host", ["a..b", "a" * 64])
def test_a_name_that_no_host_has_is_said_in_one_line(host: str):
    with pytest.raises(LadingError, match="nothing answers"):
        ask(f"http://{host}/", Request("GET", "/health"))
