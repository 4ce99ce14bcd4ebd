"""What no client should send: each is refused with a 4xx, leaves no traceback, and the next request is answered."""

import itertools
import json
import re
import socket
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

WAIT_S = 60.0
MIB = 1 << 20

Answer = tuple[int, dict[str, Any]]


@pytest.fixture(scope="module")
def server(module_start: Any, double_path: Path) -> Any:
    """A server of small patience, with a limit of 1 MiB."""
    return module_start(double_path, "--body-timeout-s", "0.5", "--max-body-bytes", str(MIB))


@pytest.fixture(autouse=True)
def _unharmed(server: Any) -> Iterator[None]:
    """After each case: the known answer at once, no traceback, the memory of before."""
    before = resident_bytes(server)
    yield
    with server.client() as client:
        start = time.monotonic()
        assert client.post("/predict", json={"x": 21}).json()["prediction"] == 42.0
        assert time.monotonic() - start < 10
    assert "Traceback" not in server.log()
    assert server.process.poll() is None
    assert resident_bytes(server) - before < 48 * MIB


def resident_bytes(server: Any) -> int:
    """The memory of the process, where the system tells it."""
    try:
        status = Path(f"/proc/{server.process.pid}/status").read_text()
    except FileNotFoundError:
        return 0
    match = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert match
    return int(match[1]) << 10


def head(*lines: str) -> bytes:
    """A request for a prediction with these header lines."""
    first = ["POST /predict HTTP/1.1", "Host: x", "Content-Type: application/json"]
    return "\r\n".join([*first, *lines, "", ""]).encode()


def send(server: Any, parts: Iterable[bytes], *, ends: bool = False) -> bytes:
    """Everything that the server answers until it closes, or until a whole answer came."""
    port = int(server.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as connection:
        try:
            for part in parts:
                connection.sendall(part)
            if ends:
                connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it answered and closed: what it said can still be read
        return received(connection)


def received(connection: socket.socket) -> bytes:
    data = b""
    try:
        while not is_whole(data) and (part := connection.recv(1 << 16)):
            data += part
    except ConnectionResetError:
        pass
    return data


def is_whole(data: bytes) -> bool:
    top, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", top)
    return length is not None and len(body) >= int(length[1])


def told(data: bytes) -> Answer:
    """The status, and the problem where there is one."""
    top, _, body = data.partition(b"\r\n\r\n")
    assert top.startswith(b"HTTP/1.1 "), data[:100]
    problem = json.loads(body) if b"application/problem+json" in top else {}
    return int(top.split()[1]), problem


def with_length(body: bytes) -> list[bytes]:
    return [head(f"Content-Length: {len(body)}"), body]


def chunked(chunks: Iterable[bytes]) -> Iterator[bytes]:
    yield head("Transfer-Encoding: chunked")
    for chunk in chunks:
        yield b"%x\r\n%s\r\n" % (len(chunk), chunk)
    yield b"0\r\n\r\n"


BODIES = {
    "missing column": (b"{}", 422, "schema.invalid"),
    "wrong type": (b'{"x": "one"}', 422, "schema.invalid"),
    "duplicate key": (b'{"x": 1, "x": 1}', 400, "input.duplicate_key"),
    "brackets": (b"[" * 100_000, 400, "input.too_deep"),
    "closed brackets": (b"[" * 100_000 + b"]" * 100_000, 400, "input.too_deep"),
    "objects": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400, "input.too_deep"),
    "brackets in a row": (b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "input.too_deep"),
    "1e400": (b'{"x": 1e400}', 422, "schema.invalid"),
    "-1e400": (b'[{"x": -1e400}]', 422, "schema.invalid"),
    "digits": (b'{"x": ' + b"9" * 100_000 + b"}", 400, "input.long_number"),
    "decimals": (b'{"x": 0.' + b"9" * 100_000 + b"}", 400, "input.long_number"),
    "NaN": (b'{"x": NaN}', 400, "input.not_finite"),
    "no JSON": (b"x=1", 400, "input.not_json"),
    "nothing": (b"", 400, "input.empty"),
    "a pickle": (b"\x80\x04\x95\x1d\x00\x00\x00cposix\nsystem\n(S'touch pwned'\ntR.", 400, "input.not_utf8"),
    "too large": (b'{"x": 1}' + b" " * MIB, 413, "input.too_large"),
    "many rows": (b'{"X": [' + b"[1]," * 10_000 + b"[1]]}", 413, "input.too_large"),
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("way", ["with its length", "in chunks"])
def test_a_bad_body_is_refused(server: Any, name: str, way: str):
    body, status, code = BODIES[name]
    parts = with_length(body) if way == "with its length" else chunked([body] if body else [])
    answered, problem = told(send(server, parts))
    assert (answered, problem["code"]) == (status, code)
    assert problem["id"]


HUNDRED = 100


def test_a_body_of_100_mb_that_says_so_is_refused_before_it_is_kept(server: Any):
    parts = itertools.chain([head(f"Content-Length: {HUNDRED * MIB}")], itertools.repeat(b" " * MIB, HUNDRED))
    status, problem = told(send(server, parts))
    assert (status, problem["code"]) == (413, "input.too_large")
    assert problem["detail"] == f"the body has more than {MIB} bytes"


def test_a_body_of_100_mb_in_chunks_is_refused_on_the_way(server: Any):
    status, problem = told(send(server, chunked(itertools.repeat(b" " * MIB, HUNDRED))))
    assert (status, problem["code"]) == (413, "input.too_large")


def test_a_body_of_100_mb_that_expects_to_be_asked_is_never_sent(server: Any):
    answer = send(server, [head(f"Content-Length: {HUNDRED * MIB}", "Expect: 100-continue")])
    assert told(answer)[0] == 413


def test_a_body_of_100_mb_to_nobody_is_refused(server: Any):
    top = f"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: {HUNDRED * MIB}\r\n\r\n".encode()
    assert told(send(server, itertools.chain([top], itertools.repeat(b" " * MIB, HUNDRED))))[0] == 404


def test_a_body_of_100_mb_of_another_kind_is_refused(server: Any):
    top = head(f"Content-Length: {HUNDRED * MIB}").replace(b"application/json", b"application/x-pickle")
    assert told(send(server, itertools.chain([top], itertools.repeat(b" " * MIB, HUNDRED))))[0] == 415


@pytest.mark.parametrize("top", [head("Content-Length: 1000"), head("Transfer-Encoding: chunked")])
def test_a_body_that_does_not_arrive_is_refused_in_time(server: Any, top: bytes):
    start = time.monotonic()
    data = send(server, [top, b'5\r\n{"x":'])
    status, problem = told(data)
    assert (status, problem["code"]) == (408, "input.too_slow")
    assert b"connection: close" in data.lower()
    assert 0.4 < time.monotonic() - start < 20


def test_a_caller_who_leaves_in_the_midst_of_its_body_is_forgotten(server: Any):
    assert send(server, [head("Content-Length: 1000"), b'{"x":'], ends=True) == b""


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\n\0\0\0\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nContent-Length: 9223372036854775808000\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12",
        b"POST /predict HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100,
    ],
)
def test_what_is_no_request_is_refused(server: Any, data: bytes):
    assert told(send(server, [data]))[0] == 400


@pytest.mark.parametrize(
    "query", ["x=1&" * 20_000 + "x=1", "%", "x=" + "9" * 100_000, "&".join(f"proba={n}" for n in range(9000))]
)
def test_a_hostile_query_is_refused(server: Any, query: str):
    request = f"GET /predict?{query} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    data = send(server, [request])
    assert told(data)[0] in (400, 414, 422)
    assert b"9999" not in data


def test_requests_in_a_row_on_one_connection_are_answered_in_their_order(server: Any):
    bodies = [b'{"x": %d}' % number for number in range(50)]
    pipelined = b"".join(b"".join(with_length(body)) for body in bodies)
    port = int(server.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as connection:
        connection.sendall(pipelined)
        data = b""
        while data.count(b'"prediction"') < len(bodies):
            part = connection.recv(1 << 16)
            assert part
            data += part
    assert [float(number) for number in re.findall(rb'"prediction":([0-9.]+)', data)] == [2.0 * n for n in range(50)]


def test_a_flood_of_connections_that_say_nothing_hinders_nobody(server: Any):
    port = int(server.url.rpartition(":")[2])
    silent = [socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) for _ in range(200)]
    try:
        assert httpx.get(f"{server.url}/predict?x=4", timeout=WAIT_S).json()["prediction"] == 8.0
    finally:
        for connection in silent:
            connection.close()
