"""The real nginx in front of replicas that do as they are told: who is asked, who is passed over, and what it says."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lading.ship.plan import Plan

from .fronts import OK, Nginx, Peer, begun, is_listening, needs_nginx, nowhere, until

pytestmark = needs_nginx
Make = Callable[..., Plan]
Begin = Callable[..., Nginx]


@pytest.fixture
def begin(plan: Make, tmp_path: Path) -> Iterator[Begin]:
    """Begins an nginx in front of peers and addresses; all of them end with the test."""
    ends: list[Callable[[], None]] = []

    def make(*upstreams: Peer | str, change: Callable[[str], str] = str, **settings: str) -> Nginx:
        ends.extend(each.close for each in upstreams if isinstance(each, Peer))
        addresses = [each.address if isinstance(each, Peer) else each for each in upstreams]
        nginx = begun(plan(settings=settings, host="models.example.com"), tmp_path, addresses, change=change)
        ends.append(nginx.end)
        return nginx

    yield make
    for end in reversed(ends):
        end()


def says(data: bytes) -> Callable[[socket.socket], object]:
    return lambda connection: connection.sendall(data)


def hangs_up(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def never(connection: socket.socket) -> None:
    """Say nothing."""


# --- who is asked


def test_where_nobody_is_there_it_is_told_when_to_ask_again(begin: Begin):
    nginx = begin(nowhere(), nowhere())
    told = nginx.ask("GET", "/ready", X_Request_ID="order-17", X_Correlation_ID="batch-3")
    assert told.status == 503
    assert told.fields["content-type"] == "application/problem+json"
    assert told.fields["retry-after"] in {"1", "2", "3"}
    assert (told.fields["x-request-id"], told.fields["x-correlation-id"]) == ("order-17", "batch-3")
    assert told.json["code"] == "not_ready"
    assert told.json["id"] == "order-17"


def test_who_refuses_connections_is_passed_over(begin: Begin):
    there = Peer(says(OK))
    nginx = begin(nowhere(), there)
    assert {nginx.ask("POST", "/predict", b"{}").status for _ in range(10)} == {200}
    assert len(there.heads) == 10


def test_who_goes_away_in_the_middle_is_passed_over_for_post_too(begin: Begin):
    leaving, there = Peer(hangs_up), Peer(says(OK))
    nginx = begin(leaving, there)
    assert {nginx.ask("POST", "/predict", b"{}").status for _ in range(4)} == {200}
    assert len(leaving.heads) >= 1  # it was asked, and somebody else has answered
    assert len(there.heads) == 4


def test_who_does_not_even_connect_is_passed_over(begin: Begin):
    there, silent = Peer(says(OK)), socket.socket()
    silent.bind(("127.0.0.1", 0))
    silent.listen(0)
    address = silent.getsockname()
    crowd = [socket.socket() for _ in range(4)]  # they fill the queue, and the system takes nobody else
    for each in crowd:
        each.setblocking(False)
        each.connect_ex(address)
    nginx = begin(f"{address[0]}:{address[1]}", there)
    start = time.monotonic()
    assert {nginx.ask("POST", "/predict", b"{}").status for _ in range(3)} == {200}
    assert 0.9 < time.monotonic() - start < 10
    for each in (*crowd, silent):
        each.close()


def test_one_failure_does_not_leave_out_the_last_one_that_is_there(begin: Begin):
    turns = iter([hangs_up])
    there = Peer(lambda connection: next(turns, says(OK))(connection))
    nginx = begin(nowhere(), there)
    assert nginx.ask("POST", "/predict", b"{}").status in (200, 503)
    assert {nginx.ask("POST", "/predict", b"{}").status for _ in range(5)} == {200}


def test_who_is_slow_is_not_asked_twice_and_nobody_else_is(begin: Begin):
    slow = [Peer(never), Peer(never)]
    nginx = begin(*slow, request_timeout_s="0.001")
    told = nginx.ask("POST", "/predict", b"{}")
    assert (told.status, told.json["code"]) == (504, "deadline_exceeded")
    assert told.fields["retry-after"] in {"1", "2", "3"}
    assert sum(len(each.heads) for each in slow) == 1


def test_what_a_replica_says_passes_as_it_is_and_nobody_else_is_asked(begin: Begin):
    for status in (503, 500, 429, 404):
        body = json.dumps({"code": "queue_full", "status": status}).encode()
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/problem+json\r\nRetry-After: 2\r\n"
        full = says(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        peers = [Peer(full), Peer(full)]
        nginx = begin(*peers)
        told = nginx.ask("POST", "/predict", b"{}")
        assert (told.status, told.body, told.fields["retry-after"]) == (status, body, "2")
        assert sum(len(each.heads) for each in peers) == 1
        nginx.end()


def test_replicas_keep_their_connections(begin: Begin):
    connections: set[int] = set()
    there = Peer(lambda connection: (connections.add(id(connection)), connection.sendall(OK)))
    nginx = begin(there, change=lambda text: text.replace("worker_processes auto", "worker_processes 1"))
    assert {nginx.ask("POST", "/predict", b"{}").status for _ in range(20)} == {200}
    assert len(connections) == 1


# --- what replicas are told


def test_what_a_caller_claims_does_not_reach_a_replica(begin: Begin):
    there = Peer(says(OK))
    nginx = begin(there)
    forged = dict.fromkeys(("X_Forwarded_For", "X_Real_IP", "X_Forwarded_Host", "Forwarded"), "203.0.113.7")
    forged |= {"X_Forwarded_Proto": "gopher", "X_Forwarded_Prefix": "/x", "X_Request_ID": "a b", "Accept": "text/csv"}
    assert nginx.ask("POST", "/predict", b"{}", **forged).status == 200
    (head,) = there.heads
    fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:])
    assert b"203.0.113.7" not in head
    assert (fields[b"x-forwarded-for"], fields[b"x-forwarded-proto"]) == (b"127.0.0.1", b"https")
    assert (fields[b"content-length"], fields[b"accept"]) == (b"2", b"text/csv")
    assert len(fields[b"x-request-id"]) == 32
    assert not {b"connection", b"forwarded", b"x-forwarded-prefix", b"transfer-encoding"} & fields.keys()


def test_a_body_comes_as_a_whole_whatever_it_was(begin: Begin):
    there = Peer(says(OK))
    nginx = begin(there)
    with nginx.raw() as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n")
        connection.sendall(b"0\r\n\r\n")
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
    (head,) = there.heads
    assert b"content-length: 2" in head.lower()
    assert b"transfer-encoding" not in head.lower()


def test_no_more_from_one_address_than_a_replica_would_take(begin: Begin):
    released = threading.Event()
    there = Peer(lambda connection: (released.wait(10), connection.sendall(OK)))
    nginx = begin(there, max_connections_per_address="2")
    connections = [nginx.connection() for _ in range(2)]
    for each in connections:
        each.request("POST", "/predict", b"{}")
    until(lambda: len(there.heads) == 2, "two requests are there")
    told = nginx.ask("POST", "/predict", b"{}")
    assert (told.status, told.json["code"]) == (503, "connections.too_many")
    released.set()
    assert {each.getresponse().status for each in connections} == {200}
    for each in connections:
        each.close()


# --- logs and the end


def test_no_log_holds_a_query_or_a_body(begin: Begin):
    nginx = begin(nowhere(), Peer(hangs_up))
    for path in ("/predict?income=canary", "/../..?canary", "//metrics?canary", "/%zz?canary"):
        nginx.ask("POST", path, b"canary", Cookie="canary", X_API_Key="canary")
    with nginx.raw() as connection:
        connection.sendall(b"POST /predict?canary HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: canary\r\n\r\n")
        assert b" 400 " in connection.recv(1 << 16)
    logged = [line["path"] for line in nginx.logged(5)]
    assert logged == ["/predict", "", "//metrics", "", "/predict"]  # of what is no target, nothing
    assert "canary" not in (nginx.folder / "access.log").read_text() + nginx.errors()


def test_a_line_says_who_was_asked(begin: Begin):
    there, gone = Peer(says(OK)), nowhere()
    nginx = begin(gone, there)
    assert nginx.ask("POST", "/predict?x=1", b"{}", X_Request_ID="order-17").status == 200
    (line,) = nginx.logged(1)
    assert (line["request_id"], line["status"], line["path"]) == ("order-17", "200", "/predict")
    assert line["upstream"].split(", ")[-1] == there.address
    assert line["tls"] == "TLSv1.3"


def test_bodies_and_answers_are_in_no_file_however_slowly_they_are_read(begin: Begin):
    piece, pieces, told = b"a" * (1 << 20), 32, list[int]()

    def says_much(connection: socket.socket) -> None:
        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {pieces * len(piece)}\r\n\r\n".encode())
        for _ in range(pieces):
            connection.sendall(piece)
            told.append(len(piece))

    def waits() -> bool:
        before = len(told)
        return not threading.Event().wait(0.05) and 0 < before == len(told)

    nginx = begin(Peer(says_much))
    for name in ("client_body", "proxy"):  # nobody could write there
        (nginx.folder / name).chmod(0)
    connection = nginx.connection()
    connection.request("POST", "/predict", piece * 2)
    until(waits, "nothing more is taken until somebody reads")
    assert len(connection.getresponse().read()) == pieces * len(piece)
    connection.close()
    assert len(told) == pieces


def test_told_to_quit_it_ends_what_is_in_flight(begin: Begin):
    released = threading.Event()
    there = Peer(lambda connection: (released.wait(10), connection.sendall(OK)))
    nginx = begin(there)
    connection = nginx.connection()
    connection.request("POST", "/predict", b"{}")
    until(lambda: there.heads, "the request is there")
    nginx.quit()
    until(lambda: not is_listening(nginx.https), "nobody new is let in")
    released.set()
    assert connection.getresponse().read() == b"ok"
    assert nginx.wait() == 0
    connection.close()
