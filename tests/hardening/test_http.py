"""Cases T044 to T059, against real servers: framing, slowness, sizes, content types, addresses as data, injection."""

import itertools
import json
import pickle
import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.serve.family import private_bytes, until

from .conftest import BODY_TIMEOUT_S, HEADER_TIMEOUT_S, KEEP_ALIVE_S, MIB
from .oracle import CANARY, Quick, Watched, listeners, traced, under_oracle
from .wire import answer, chunks, crowd, received, sent, statuses

Many = Callable[[int, int], int]

GOOD = b'{"x":1.5,"note":""}'
CHUNK = b"%x\r\n%b\r\n" % (len(GOOD), GOOD)
LAST = b"0\r\n\r\n"
JSON = "Content-Type: application/json"
CLOSE = "Connection: close"
SLACK_S = 3.0
"""Between a deadline and the end of a connection: half a second until anybody looks, and a busy machine."""


@pytest.fixture(autouse=True)
def _judged(watched: Watched) -> Iterator[None]:
    """Each case is under the oracle; none of them may end in a 5xx."""
    with under_oracle(watched):
        yield


def post(watched: Watched, body: bytes, *lines: str) -> bytes:
    """A whole request for a prediction, after which the connection ends."""
    return watched.head("POST /predict", JSON, f"Content-Length: {len(body)}", CLOSE, *lines) + body


# --- T044: framing

SIZE = len(GOOD)
AMBIGUOUS: dict[str, tuple[str, bytes]] = {
    "length and chunked": (f"Content-Length: {SIZE}|Transfer-Encoding: chunked", GOOD),
    "chunked and length": (f"Transfer-Encoding: chunked|Content-Length: {SIZE}", CHUNK + LAST),
    "two lengths": (f"Content-Length: {SIZE}|Content-Length: {SIZE}", GOOD),
    "two other lengths": (f"Content-Length: {SIZE}|Content-Length: {SIZE - 1}", GOOD),
    "a list of lengths": (f"Content-Length: {SIZE}, {SIZE}", GOOD),
    "chunked, identity": ("Transfer-Encoding: chunked, identity", CHUNK + LAST),
    "identity": ("Transfer-Encoding: identity", GOOD),
    "vertical tab": ("Transfer-Encoding: \x0bchunked", CHUNK + LAST),
    "underscore": ("Transfer_Encoding: chunked", CHUNK + LAST),
    "space before the colon": (f"Content-Length : {SIZE}", GOOD),
    "plus": (f"Content-Length: +{SIZE}", GOOD),
    "minus": ("Content-Length: -1", GOOD),
    "2 to the 64": (f"Content-Length: {2**64 + SIZE}", GOOD),
    "chunk 0x": ("Transfer-Encoding: chunked", b"0x" + CHUNK + LAST),
    "chunk with an underscore": ("Transfer-Encoding: chunked", b"0_" + CHUNK + LAST),
    "chunk with a plus": ("Transfer-Encoding: chunked", b"+" + CHUNK + LAST),
    "chunk with a minus": ("Transfer-Encoding: chunked", b"-" + CHUNK + LAST),
    "chunk with a space": ("Transfer-Encoding: chunked", b" " + CHUNK + LAST),
    "chunk of 2 to the 64": ("Transfer-Encoding: chunked", b"100000000000000" + CHUNK + LAST),
    "bare line feeds": ("Transfer-Encoding: chunked", (CHUNK + LAST).replace(b"\r", b"")),
    "new line in an extension": ("Transfer-Encoding: chunked", CHUNK.replace(b"\r", b";a\nb\r", 1) + LAST),
    "no end of a chunk": ("Transfer-Encoding: chunked", CHUNK[:-2] + LAST),
    "folded": (f"Content-Length: {SIZE}|X-Folded: a|\tb", GOOD),
    "NUL in a value": (f"Content-Length: {SIZE}|X-Nul: a\0b", GOOD),
    "CR in a value": (f"Content-Length: {SIZE}|X-Cr: a\rb", GOOD),
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_t044_what_can_be_read_in_two_ways_is_refused_and_nothing_behind_it_is_read(watched: Watched, name: str):
    lines, body = AMBIGUOUS[name]
    smuggled = watched.head("GET /predict?x=7")
    told = sent(watched.address, watched.head("POST /predict", JSON, *lines.split("|")) + body + smuggled)
    assert statuses(told) == [400]
    assert b"connection: close" in told.lower()
    assert b'"prediction"' not in told


@pytest.mark.parametrize("line", ["GET /health", "POST /health", "GET /predict?x=1&note=a", "POST /nowhere", "GET /"])
def test_t044_one_request_never_gets_two_answers_whoever_reads_its_body(watched: Watched, line: str):
    told = sent(watched.address, watched.head(line, "Transfer-Encoding: chunked") + b"zz\r\n" + GOOD)
    assert len(statuses(told)) == 1


def test_t044_those_before_it_are_answered_in_their_order(watched: Watched):
    before = watched.head("GET /predict?x=7&note=a")
    broken = watched.head("POST /predict", JSON, "Transfer-Encoding: chunked") + b"zz\r\n" + GOOD
    told = sent(watched.address, before + before + broken + before)
    assert statuses(told) == [200, 200, 400]


HALVES = b"%x\r\n%b\r\n%x\r\n%b\r\n" % (5, GOOD[:5], SIZE - 5, GOOD[5:])


@pytest.mark.parametrize("body", [CHUNK, CHUNK.replace(b"\r", b";a=b\r", 1), b"000" + CHUNK, HALVES])
def test_t044_what_can_be_read_in_one_way_is_answered(watched: Watched, body: bytes):
    told = sent(watched.address, watched.head("POST /predict", JSON, "Transfer-Encoding: chunked", CLOSE) + body + LAST)
    assert statuses(told) == [200]
    assert b'"prediction":3.0' in told


# --- T046, T047, T049: those who are slow, or say nothing


def test_t046_heads_that_trickle_are_ended_at_their_deadline_and_hinder_nobody(watched: Watched, many: Many):
    ask, begins = Quick(watched), watched.head("POST /predict", JSON)[:-2]
    members = crowd(watched.connect, many(60, 500), begins, then=b"a", meanwhile=ask.ask)
    assert {tuple(statuses(member.told)) for member in members} == {(408,)}
    assert max(member.lived_s for member in members) < HEADER_TIMEOUT_S + SLACK_S
    assert min(member.lived_s for member in members) > HEADER_TIMEOUT_S / 2
    ask.never_waited()


def test_t047_bodies_that_trickle_are_ended_at_their_deadline_and_hold_nothing(watched: Watched, many: Many):
    ask, head = Quick(watched), watched.head("POST /predict", JSON, "Content-Length: 1000000")
    members = crowd(watched.connect, many(60, 500), head, then=b" ", meanwhile=ask.ask)
    assert {tuple(statuses(member.told)) for member in members} == {(408,)}
    assert max(member.lived_s for member in members) < BODY_TIMEOUT_S + SLACK_S
    ask.never_waited()
    assert re.search(r"^lading_queue_rows 0\.0$", watched.metrics(), re.MULTILINE)


@pytest.mark.parametrize("line", ["GET /health", "POST /nowhere", "POST /health", "GET /predict?x=1&note=a"])
def test_t047_bodies_that_nobody_reads_are_ended_too(watched: Watched, line: str):
    for framing, drop in (("Content-Length: 1000000", b" "), ("Transfer-Encoding: chunked", b"1\r\n \r\n")):
        members = crowd(watched.connect, 5, watched.head(line, framing), then=drop, meanwhile=lambda: None)
        assert max(member.lived_s for member in members) < BODY_TIMEOUT_S + SLACK_S


@pytest.mark.parametrize("line", ["GET /health", "POST /nowhere", "POST /predict"])
def test_t049_a_connection_whose_body_comes_behind_its_answer_is_idle_then(watched: Watched, line: str):
    with watched.connect() as connection:
        connection.sendall(f"{line} HTTP/1.1\r\nHost: x\r\nContent-Type: a/b\r\nContent-Length: 2\r\n\r\n".encode())
        assert len(statuses(answer(connection))) == 1
        connection.sendall(b"{}")
        connection.settimeout(KEEP_ALIVE_S + SLACK_S)
        assert received(connection) == b""


def test_t049_connections_that_are_kept_and_idle_end_and_hinder_nobody(watched: Watched, many: Many):
    ask, health = Quick(watched), watched.head("GET /health")
    members = crowd(watched.connect, many(150, 8000), health, meanwhile=ask.ask)
    assert {tuple(statuses(member.told)) for member in members} == {(200,)}
    assert max(member.lived_s for member in members) < KEEP_ALIVE_S + SLACK_S + many(0, 10)
    ask.never_waited()


def test_t049_connections_that_never_say_anything_end_and_hinder_nobody(watched: Watched, many: Many):
    ask = Quick(watched)
    members = crowd(watched.connect, many(150, 8000), b"", meanwhile=ask.ask)
    assert {member.told for member in members} == {b""}
    assert max(member.lived_s for member in members) < KEEP_ALIVE_S + SLACK_S + many(0, 10)
    ask.never_waited()


# --- T050: nobody


def test_t050_a_body_of_1_gib_from_nobody_is_refused_before_it_is_read(watched: Watched):
    if not watched.fields:
        pytest.skip("everybody may ask, where nobody is asked who they are")
    for framing in (f"Content-Length: {1 << 30}", "Transfer-Encoding: chunked"):
        head = "\r\n".join(["POST /predict HTTP/1.1", "Host: x", JSON, framing, "", ""]).encode()
        with socket.create_connection(watched.address, timeout=10) as connection:
            connection.sendall(head)  # and not a byte of the body
            assert statuses(connection.recv(1 << 16)) == [401]
        before = sum(private_bytes(pid) for pid in watched.pids)
        told, taken = flooded(watched, head)
        assert statuses(told) == [401]
        assert b"www-authenticate: " in told.lower()
        assert b"connection: close" in told.lower()
        assert taken < 32 * MIB  # of which the system's own buffers are the most
        assert sum(private_bytes(pid) for pid in watched.pids) - before < 2 * MIB


def flooded(watched: Watched, head: bytes) -> tuple[bytes, int]:
    """What comes back to who sends chunks until the server has enough, and how many bytes were sent by then."""
    taken, chunk = 0, b"10000\r\n" + b" " * 65_536 + b"\r\n"
    with socket.create_connection(watched.address, timeout=10) as connection:
        connection.sendall(head)
        try:
            while taken < 1 << 30:
                taken += connection.send(chunk)
        except (ConnectionError, TimeoutError):
            pass
        return received(connection), taken


@pytest.mark.parametrize("field", ["Authorization: Bearer lk_nobody", "X-API-Key: x", "Authorization: Basic eDp5"])
def test_t050_whoever_is_not_known_gets_nothing_but_health(watched: Watched, field: str):
    if not watched.fields:
        pytest.skip("everybody may ask, where nobody is asked who they are")
    for path in ("/predict?x=1&note=", "/", "/metadata", "/schema", "/openapi.json", "/metrics", "/nowhere", "/health"):
        told = sent(watched.address, f"GET {path} HTTP/1.1\r\nHost: x\r\n{field}\r\n{CLOSE}\r\n\r\n".encode())
        assert statuses(told) == [200 if path == "/health" else 401], path


# --- T051, T053: sizes


def test_t051_a_body_of_the_limit_is_read_and_one_byte_more_is_not(watched: Watched):
    full = GOOD + b" " * (MIB - SIZE)
    assert statuses(sent(watched.address, post(watched, full))) == [200]
    head = watched.head("POST /predict", JSON, f"Content-Length: {MIB + 1}")
    with socket.create_connection(watched.address, timeout=10) as connection:
        connection.sendall(head)  # and not a byte of the body
        assert statuses(connection.recv(1 << 16)) == [413]
    told = sent(watched.address, head, b" " * (MIB + 1), ends=True)
    assert statuses(told) == [413]


def test_t051_chunks_are_refused_as_soon_as_they_are_beyond_the_limit(watched: Watched):
    head = watched.head("POST /predict", JSON, "Transfer-Encoding: chunked")
    endless = chunks(itertools.repeat(b" " * 65_536, 10_000))
    start = time.monotonic()
    assert statuses(sent(watched.address, head, *itertools.islice(endless, 64), ends=True)) == [413]
    assert time.monotonic() - start < 10


def test_t051_a_length_that_is_too_small_ends_the_body_there(watched: Watched):
    head = watched.head("POST /predict", JSON, f"Content-Length: {SIZE - 1}")
    told = sent(watched.address, head + GOOD + watched.head("GET /predict?x=7"))
    assert statuses(told) == [400, 400]
    assert b'"prediction"' not in told


def test_t051_a_length_that_is_too_large_waits_for_the_rest_until_the_deadline(watched: Watched):
    start = time.monotonic()
    head = watched.head("POST /predict", JSON, f"Content-Length: {SIZE + 1}")
    assert statuses(sent(watched.address, head + GOOD)) == [408]
    assert time.monotonic() - start < BODY_TIMEOUT_S + SLACK_S


@pytest.mark.parametrize("length", [2**31, 2**53, 2**63 - 1, 2**63, 2**64 + 9, 10**400])
def test_t051_a_length_that_no_body_has_is_refused(watched: Watched, length: int):
    told = sent(watched.address, watched.head("POST /predict", JSON, f"Content-Length: {length}") + GOOD, ends=True)
    assert statuses(told) in ([400], [413])


HEADS: dict[str, tuple[str, tuple[str, ...], set[int]]] = {
    "a field of 64 KiB": ("GET /health", ("X-Long: " + "a" * 65_536,), {431}),
    "10 000 fields": ("GET /health", tuple(f"X-{n}: a" for n in range(10_000)), {431}),
    "65 small fields": ("GET /health", tuple(f"X-{n}: a" for n in range(65)), {431}),
    "a target of 1 MiB": ("GET /" + "a" * MIB, (), {414}),
    "100 000 parameters": ("GET /predict?" + "&".join(["x=1"] * 100_000), (), {414}),
    "2 000 parameters": ("GET /predict?" + "&".join(["x=1"] * 2000), (), {400}),
    "a cookie of 1 MiB": ("GET /health", ("Cookie: a=" + "b" * MIB,), {431}),
    "a method of 1 MiB": ("A" * MIB + " /health", (), {400, 431}),
}


@pytest.mark.parametrize("name", HEADS)
def test_t053_a_head_that_is_too_large_is_refused(watched: Watched, name: str):
    line, lines, expected = HEADS[name]
    start = time.monotonic()
    told = sent(watched.address, watched.head(line, *lines, CLOSE))
    assert len(statuses(told)) == 1
    assert set(statuses(told)) <= expected
    assert time.monotonic() - start < 5


# --- T056: pickles


class Touch:
    """An object that makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


KINDS = (
    "application/vnd.bentoml+pickle",
    "application/x-pickle",
    "application/pickle",
    "application/x-python-serialize",
    "application/vnd.apache.avro",
    "application/x-joblib",
    "application/octet-stream",
    "application/x-www-form-urlencoded",
    "application/x-ndarray",
    "text/json; charset=utf-7",
    "application/json; charset=utf-7",
    "application/yaml",
    "text/plain",
    "*/*",
    "",
)
CLAIMS = {
    "Payload-Container": "Tuple",
    "Args-Number": "1",
    "X-Format": "pickle",
    "Payload-Meta": '{"format": "pickle"}',
    "Content-Encoding": "identity",
    "Inference-Header-Content-Length": "0",
}


def pickled(path: Path) -> list[bytes]:
    """Pickles that make a file at this path, whole and behind something that is none."""
    whole = [pickle.dumps(Touch(path), protocol) for protocol in (0, 2, 5)]
    return [*whole, b'{"x":1}' + whole[-1]]


@pytest.fixture
def touched(tmp_path: Path) -> Iterator[Path]:
    """A file that only an unpickled pickle makes."""
    path = tmp_path / "touched"
    yield path
    assert not path.exists()


def test_t056_the_pickles_do_what_they_say(tmp_path: Path):
    for number, data in enumerate(pickled(tmp_path / "touched")[:3]):
        pickle.loads(data)
        (tmp_path / "touched").rename(tmp_path / str(number))


def test_t056_no_content_type_makes_anybody_read_a_pickle(watched: Watched, touched: Path, tmp_path: Path):
    with traced(watched.pids, tmp_path) as trace:
        for kind, body in itertools.product(KINDS, pickled(touched)):
            status, _, told = watched.ask(
                "POST", "/predict", body, content_type=kind, **dict.fromkeys(CLAIMS, "pickle")
            )
            assert status == 415, (kind, told)
            fields = CLAIMS | ({"Content-Type": kind} if kind else {})
            head = watched.head("POST /predict", *(f"{name}: {value}" for name, value in fields.items()), CLOSE)
            length = f"Content-Length: {len(body)}\r\n\r\n".encode()
            assert statuses(sent(watched.address, head[:-2] + length + body)) == [415]
    assert trace.outside() == []


@pytest.mark.parametrize(
    "kind", ["application/json", "text/csv", "application/vnd.apache.parquet", "application/cloudevents+json"]
)
def test_t056_a_pickle_that_is_called_something_else_is_not_one(watched: Watched, touched: Path, kind: str):
    for body in pickled(touched):
        assert watched.ask("POST", "/predict", body, content_type=kind)[0] in (400, 415, 422)


def test_t056_a_pickle_in_a_form_is_not_read(watched: Watched, touched: Path):
    for body, kind in itertools.product(pickled(touched), KINDS[:6]):
        disposition = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.pkl"\r\n'
        form = disposition + f"Content-Type: {kind}\r\n\r\n".encode() + body + b"\r\n--b--\r\n"
        assert watched.ask("POST", "/predict", form, content_type="multipart/form-data; boundary=b")[0] == 415


def test_t056_there_is_one_port(watched: Watched):
    assert len(listeners(watched.pids)) == 1


# --- T058: addresses that are only data


@pytest.fixture
def visited(watched: Watched) -> Iterator[str]:
    """An address where nobody may come: `127.0.0.1:PORT`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(BlockingIOError):
            listener.accept()


def addresses(visited: str) -> list[str]:
    """Strings that some server would go after."""
    return [
        f"http://{visited}/x",
        f"http://user:word@{visited}/",
        f"http://localhost.{visited}.nip.io/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:169.254.169.254]/",
        f"gopher://{visited}/_x",
        f"dict://{visited}/x",
        f"redis://{visited}/0",
        "file:///etc/passwd",
        "/etc/passwd",
        f"\\\\{visited}\\share\\x",
        "s3://bucket/key",
        "http://rebind.test/",
        f"${{jndi:ldap://{visited}/x}}",
        f"<!DOCTYPE a [<!ENTITY b SYSTEM 'http://{visited}/'>]>",
        f"{{{{''.__class__}}}}$(curl {visited})`curl {visited}`",
    ]


FIELDS_OF_PROXIES = (
    *("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Original-URL", "X-Rewrite-URL", "Forwarded"),
    *("Referer", "Origin", "X-Callback-Url", "X-Request-ID", "X-Correlation-ID", "User-Agent", "From", "Via"),
    *("X-Wap-Profile", "Link", "Traceparent", "X-HTTP-Method-Override", "Accept", "Accept-Language", "If-None-Match"),
)


def test_t058_an_address_in_a_column_is_data(watched: Watched, visited: str, tmp_path: Path):
    with traced(watched.pids, tmp_path) as trace:
        for address in addresses(visited):
            for kind, body in bodies_with(address):
                status, _, told = watched.ask("POST", "/predict", body, content_type=kind)
                assert (status, address in told) == (200, False), told
    assert trace.outside() == []


def bodies_with(text: str) -> list[tuple[str, bytes]]:
    row = {"x": 1, "note": text}
    form = '--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
    quoted = text.replace('"', '""')
    return [
        ("application/json", json.dumps(row).encode()),
        ("application/json", json.dumps({"instances": [row, row]}).encode()),
        ("application/json", json.dumps({"X": [[1, text]]}).encode()),
        ("application/json", json.dumps({"columns": ["note", "x"], "data": [[text, 1]]}).encode()),
        ("text/csv", f'x,note\n1,"{quoted}"\n'.encode()),
        ("multipart/form-data; boundary=b", (form % ("x", "1") + form % ("note", text) + "--b--\r\n").encode()),
    ]


def test_t058_an_address_anywhere_else_is_refused_or_data(watched: Watched, visited: str, tmp_path: Path):
    with traced(watched.pids, tmp_path) as trace:
        for address in addresses(visited):
            for body in ({"x": address}, {"x": 1, address: 1}, {"$ref": address}, {"x": {"url": address}}, [address]):
                told = watched.ask("POST", "/predict", json.dumps(body).encode(), content_type="application/json")
                assert told[0] == 422
                assert "word@" not in told[2]
            for field in FIELDS_OF_PROXIES:
                assert (
                    watched.ask("POST", "/predict", GOOD, **{"Content-Type": "application/json", field: address})[0]
                    == 200
                )
    assert trace.outside() == []


def test_t058_an_address_as_the_target_goes_nowhere(watched: Watched, visited: str, tmp_path: Path):
    with traced(watched.pids, tmp_path) as trace:
        for address in addresses(visited):
            told = sent(watched.address, watched.head(f"GET {address}", CLOSE))
            assert statuses(told)[0] in (200, 400, 404)  # an address whose path we have is ours, wherever it points
            asked = f"GET /predict?x=1&url={address}"
            assert statuses(sent(watched.address, watched.head(asked, CLOSE)))[0] in (400, 422)
        assert statuses(
            sent(watched.address, f"GET /health HTTP/1.1\r\nHost: {visited}\r\n{CLOSE}\r\n\r\n".encode())
        ) == [200]
        assert statuses(sent(watched.address, f"CONNECT {visited} HTTP/1.1\r\nHost: x\r\n\r\n".encode())) == [400]
    assert trace.outside() == []


# --- T059: injection


IDS = (
    b"a\r\nSet-Cookie: x",
    b"a\nSet-Cookie: x",
    b"a%0d%0aSet-Cookie:%20x",
    b"\x1b[31mred\x1b[0m\x1b]0;x\x07",
    b"%s%n{}{0.__class__}%(message)s",
    b'","level":"error","x":"',
    b"<script>alert(1)</script>",
    b"../../etc/passwd",
    "\u202e\u2028é".encode(),
    b"\xff\xfe\x85\xa0",
    b"a" * 10_000,
)


HARMLESS = re.compile(r"[A-Za-z0-9._:/@+=-]{1,128}")


@pytest.mark.parametrize("field", ["X-Request-ID", "X-Correlation-ID"])
def test_t059_an_id_comes_back_harmless_and_is_one_line_of_the_log(watched: Watched, field: str):
    for value in IDS:
        before = watched.server.log_path.stat().st_size
        head = watched.head("POST /predict", JSON, f"Content-Length: {SIZE}", CLOSE)
        told = sent(watched.address, head[:-2] + field.encode() + b": " + value + b"\r\n\r\n" + GOOD)
        top = told.partition(b"\r\n\r\n")[0]
        assert statuses(told) in ([200], [400])
        assert re.fullmatch(rb"[\t\r\n -~]*", top)
        assert b"set-cookie" not in top.lower().replace(b"aset-cookie:x", b"").replace(b"a0d0aset-cookie:20x", b"")
        request = json.loads(told.partition(b"\r\n\r\n")[2])["id"]
        until(lambda start=before, id_=request: lines_of(watched, start, id_), "it is logged")
        (line,) = lines_of(watched, before, request)
        assert all(HARMLESS.fullmatch(line[name]) for name in ("request_id", "correlation_id"))


def lines_of(watched: Watched, start: int, request: str) -> list[Any]:
    """What was logged of a request from a place on, whole lines only."""
    data = watched.server.log_path.read_bytes()[start:]
    assert b"\x1b" not in data
    lines = [json.loads(line) for line in data.split(b"\n")[:-1]]
    return [line for line in lines if line.get("request_id") == request]


PATHS = (
    "/..%2f..%2fetc%2fpasswd",
    "/../../etc/passwd",
    "/predict/../../etc/passwd",
    "/predict%2f..%2fmetadata",
    "/v2/models/..%2f..%2fetc%2fpasswd/infer",
    "/v2/models/..\\..\\x",
    "/models/%00",
    "/predict%00",
    "/..\\",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/....//....//etc/passwd",
    "//etc/passwd",
    "/predict;x=1",
    "/PREDICT",
    "/predict/",
    "/%c0%ae%c0%ae/etc/passwd",
    "/metrics%0a",
    "/health%0A?x=1",
    "/ready%00",
    "/v2/health/live%7f",
    "/\u202e".encode().decode("latin-1"),
)


def test_t059_no_path_leads_anywhere_else(watched: Watched, tmp_path: Path):
    with traced(watched.pids, tmp_path) as trace:
        for method, path in itertools.product(("GET", "POST", "PUT", "DELETE"), PATHS):
            told = sent(watched.address, watched.head(f"{method} {path}", "Content-Length: 0", CLOSE))
            assert statuses(told)[0] in (400, 404, 405), (method, path, told)
            assert b"root:" not in told
            assert b"passwd" not in told
    assert trace.outside() == []


@pytest.mark.parametrize("path", ["/openapi.json", "/", "/metrics"])
def test_t059_ranges_are_ignored_however_many(watched: Watched, path: str):
    ranges = ",".join(["0-0"] * 3000)
    quickest_s = min(asked_for(watched, path, f"bytes={ranges}") for _ in range(5))
    assert quickest_s < 0.1
    told = sent(watched.address, watched.head(f"GET {path}", "Range: bytes=" + ",".join(["0-0"] * 10_000), CLOSE))
    assert statuses(told) == [431]


def asked_for(watched: Watched, path: str, ranges: str) -> float:
    start = time.monotonic()
    status, fields, body = watched.ask("GET", path, range=ranges)
    took_s = time.monotonic() - start
    assert status == 200
    assert len(body.encode()) == int(fields["content-length"]) > 100
    assert "content-range" not in fields
    return took_s


def test_t059_what_is_sent_stands_in_no_log_and_no_metric(watched: Watched):
    words = [f"{CANARY}\x1b[0m", f"{CANARY}\u2028"]
    for word in words:
        for body in ({"x": word}, {"x": 1, word: 2}, {"x": 1, "note": word}, word):
            watched.ask("POST", "/predict", json.dumps(body).encode(), content_type="application/json")
        sent(watched.address, watched.head(f"GET /{CANARY}?{CANARY}={CANARY}", f"X-{CANARY}: {CANARY}", CLOSE))
        sent(watched.address, watched.head("POST /predict", f"Content-Type: {CANARY}/{CANARY}", CLOSE))
        sent(watched.address, f"{CANARY}\r\n\r\n".encode())
