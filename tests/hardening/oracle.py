"""The oracle: what holds after every case, and what a running server is seen to do meanwhile.

The known answer comes in its normal time, from the same processes; their memory, descriptors and threads are back;
nothing failed that was not to fail; no file was changed; and nothing of what was sent stands in a log or a metric.
"""

import contextlib
import http.client
import json
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.conftest import SCALE
from tests.serve.conftest import Server
from tests.serve.family import children, is_alive, private_bytes, until

WAIT_S = 60.0
NORMAL_S = 1.0
"""The quickest of a few canaries takes less, also on a busy machine; normal is a thousandth of it."""
BACK_S = 15.0
"""In which connections that were refused or forgotten are gone."""
MAX_GROWTH_BYTES = (128 if SCALE == "full" else 32) << 20
"""After thousands of connections the allocator keeps what they needed; the next thousands need no more."""
CANARY = "canary-5e1f0c"
"""Stands in whatever a case sends that nobody is to repeat."""

_CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_CONTEXT.check_hostname, _CONTEXT.verify_mode = False, ssl.CERT_NONE
_SERVER_ERROR = re.compile(r'^lading_requests_total\{.*status="(5\d\d)".*\} (\S+)$', re.MULTILINE)
_FAILING = {"error", "critical"}


@dataclass
class Watched:
    """A running server, and who may ask it anything.

    Attributes:
        server: its processes and its log.
        folder: its current folder, its user's home and its bundle: where nothing may change.
        fields: header fields of somebody who may do everything; none where anybody may.
        secrets: what may stand in no log and no metric.
    """

    server: Server
    folder: Path
    fields: Mapping[str, str] = field(default_factory=dict)
    secrets: Sequence[str] = ()

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        parts = urlsplit(self.server.url)
        assert parts.hostname is not None
        assert parts.port is not None
        return parts.hostname, parts.port

    def connect(self) -> socket.socket:
        """A connection, in TLS where the server has it."""
        connection = socket.create_connection(self.address, timeout=WAIT_S)
        if not self.server.url.startswith("https:"):
            return connection
        return _CONTEXT.wrap_socket(connection)

    @property
    def pids(self) -> tuple[int, ...]:
        """Its process, and everybody below."""
        return tuple(sorted(_descendants(self.server.process.pid)))

    def head(self, line: str, *lines: str) -> bytes:
        """The head of a request from somebody who may do everything."""
        credentials = [f"{name}: {value}" for name, value in self.fields.items()]
        return "\r\n".join([f"{line} HTTP/1.1", "Host: x", *credentials, *lines, "", ""]).encode("latin-1")

    def ask(self, method: str, path: str, body: bytes | None = None, **fields: str) -> tuple[int, dict[str, str], str]:
        """The status, the fields and the body of an answer, on a connection of its own."""
        connection = http.client.HTTPConnection(*self.address)
        connection.sock = self.connect()
        named = {name.replace("_", "-"): value for name, value in fields.items()}
        try:
            connection.request(method, path, body, dict(self.fields) | {"Connection": "close"} | named)
            response = connection.getresponse()
            told = {name.lower(): value for name, value in response.getheaders()}
            return response.status, told, response.read().decode()
        finally:
            connection.close()

    def canary(self) -> float:
        """Seconds that the known answer took."""
        start = time.monotonic()
        status, _, body = self.ask("POST", "/predict", b'{"x":21,"note":"plain"}', content_type="application/json")
        assert (status, json.loads(body)["prediction"]) == (200, 42.0), body
        return time.monotonic() - start

    def metrics(self) -> str:
        """What it counts."""
        status, _, body = self.ask("GET", "/metrics")
        assert status == 200, body
        return body

    def settle(self) -> None:
        """Let everything begin that begins with the first request of its kind, in each process."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self._settle, range(32)))

    def _settle(self, number: int) -> None:
        self.canary()
        self.metrics()
        large = b'{"x":1,"note":"plain"}' + b" " * (1 << 18)
        assert self.ask("POST", "/predict", large, content_type="application/json")[0] == 200
        failing = b'{"x":1,"note":"fail"}'
        assert self.ask("POST", "/predict", failing, content_type="application/json")[0] == 500
        for kind in ("application/vnd.apache.parquet", "application/vnd.apache.arrow.stream"):
            assert self.ask("POST", "/predict", b"none", content_type=kind)[0] in (400, 415)


# --- what is seen of it


@dataclass(frozen=True)
class Sight:
    """What the system shows of a server, of all its processes, at one time."""

    pids: tuple[int, ...]
    descriptors: Counter[str]
    threads: Counter[str]
    memory_bytes: int
    files: Mapping[str, tuple[int, int]]
    failures: Mapping[str, float]
    log_bytes: int


def sight(watched: Watched) -> Sight:
    """The server as it is now."""
    failures: dict[str, float] = {}
    for status, count in _SERVER_ERROR.findall(watched.metrics()):
        failures[status] = failures.get(status, 0) + float(count)
    pids = watched.pids
    return Sight(
        pids,
        descriptors(pids),
        threads(pids),
        sum(private_bytes(pid) for pid in pids),
        _files(watched.folder),
        failures,
        watched.server.log_path.stat().st_size,
    )


def descriptors(pids: Sequence[int]) -> Counter[str]:
    """The files, sockets and pipes that processes hold, by what the system calls them."""
    return Counter(f"{pid} {target}" for pid in pids for target in _targets(pid))


def threads(pids: Sequence[int]) -> Counter[str]:
    """The threads that they have, by name."""
    return Counter(f"{pid} {_name(task)}" for pid in pids for task in Path(f"/proc/{pid}/task").iterdir())


def _name(task: Path) -> str:
    with contextlib.suppress(OSError):
        return (task / "comm").read_text().strip()
    return "gone"


def listeners(pids: Sequence[int]) -> set[str]:
    """Where they listen, by TCP: an address and a port each, as the system writes them."""
    sockets = {target for pid in pids for target in _targets(pid) if target.startswith("socket:")}
    lines = [line.split() for name in ("tcp", "tcp6") for line in _table(f"/proc/{pids[0]}/net/{name}")]
    return {words[1] for words in lines if words[3] == "0A" and f"socket:[{words[9]}]" in sockets}


def _targets(pid: int) -> Iterator[str]:
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            yield str(link.readlink())


def _table(path: str) -> list[str]:
    return Path(path).read_text().splitlines()[1:] if Path(path).exists() else []


def _descendants(pid: int) -> set[int]:
    return {pid}.union(*(_descendants(child) for child in children(pid)))


def _files(folder: Path) -> dict[str, tuple[int, int]]:
    found = {path: path.lstat() for path in folder.rglob("*")}
    return {str(path): (told.st_size, told.st_mtime_ns) for path, told in found.items()}


# --- the judgement


@contextlib.contextmanager
def under_oracle(watched: Watched, *, listed: Collection[int] = ()) -> Iterator[None]:
    """A case, after which the server is as it was.

    Args:
        watched: the server.
        listed: statuses from 500 on with which it may answer in this case.
    """
    before = sight(watched)
    yield
    quickest_s = min(watched.canary() for _ in range(3))
    assert quickest_s < NORMAL_S, f"the known answer took {quickest_s:.3f} s"
    assert watched.pids == before.pids, "there are other processes than before"
    assert all(is_alive(pid) for pid in before.pids), "a process has ended"
    _await_back(lambda: descriptors(before.pids), before.descriptors)
    _await_back(lambda: threads(before.pids), before.threads)
    after = sight(watched)
    grown_bytes = after.memory_bytes - before.memory_bytes
    assert grown_bytes < MAX_GROWTH_BYTES, f"it has {grown_bytes >> 20} MiB more than before"
    assert after.files == before.files, "a file was changed"
    assert unlisted(before, after, listed) == {}, "there were answers from 500 on"
    told_lines = complaints(watched, before.log_bytes, listed)
    assert told_lines == [], f"the log tells of failures: {told_lines}"
    told = _log(watched, before.log_bytes).decode() + watched.metrics()
    assert [word for word in (CANARY, *watched.secrets) if word in told] == [], "what was sent stands there"


def _await_back(look: Callable[[], Counter[str]], before: Counter[str]) -> None:
    """Wait until there are no more of them than before; says which are."""
    with contextlib.suppress(AssertionError):
        until(lambda: look().total() <= before.total(), "they are back", limit_s=BACK_S)
    now = look()
    assert now.total() <= before.total(), now - before


def unlisted(before: Sight, after: Sight, listed: Collection[int]) -> dict[str, float]:
    """Answers from 500 on that were not to be, as they were counted."""
    counts = {status: count - before.failures.get(status, 0) for status, count in after.failures.items()}
    return {status: count for status, count in counts.items() if count and int(status) not in listed}


def complaints(watched: Watched, start: int, listed: Collection[int]) -> list[str]:
    """Lines of the log, from a place on, that tell of a failure; each line is one object of JSON."""
    lines = _log(watched, start).splitlines()
    return [line.decode() for line in lines if _complains(json.loads(line), listed)]


def _log(watched: Watched, start: int) -> bytes:
    return watched.server.log_path.read_bytes()[start:]


def _complains(entry: dict[str, Any], listed: Collection[int]) -> bool:
    status = entry.get("status", 0)
    if status >= 500:
        return status not in listed
    return entry["level"] in _FAILING and not listed


@dataclass
class Quick:
    """Asks for the known answer again and again, and keeps how many seconds that took each time."""

    watched: Watched
    times_s: list[float] = field(default_factory=list)

    def ask(self) -> None:
        """Ask once."""
        self.times_s.append(self.watched.canary())

    def never_waited(self) -> None:
        """Nothing, where all but the slowest tenth came in their normal time."""
        assert sorted(self.times_s)[len(self.times_s) * 9 // 10] < NORMAL_S


# --- what it asks of the system


_ATTACHED = re.compile(r"rocess \d+ attached")
_WRITING = re.compile(r"O_(WRONLY|RDWR|CREAT)")


@dataclass
class Trace:
    """What processes asked of the system; None where nobody is let to see that."""

    calls: list[str] | None = None

    def outside(self) -> list[str]:
        """Calls that begin a process, reach for another machine, read what is the system's, or write a file."""
        return [call for call in self.calls or () if _is_outside(call)]


def _is_outside(call: str) -> bool:
    if "open" not in call:
        return not call.rpartition(" +++")[1] and "---" not in call
    return '"/etc/' in call or _WRITING.search(call) is not None


@contextlib.contextmanager
def traced(pids: Sequence[int], folder: Path) -> Iterator[Trace]:
    """What processes ask of the system while the block runs; known at its end."""
    trace = Trace()
    with contextlib.ExitStack() as stack:
        path = folder / "trace.txt"
        tracer = _tracer(pids, path)
        if tracer is not None:
            stack.callback(_end, tracer)
        yield trace
    if tracer is not None:
        trace.calls = [line.split(maxsplit=1)[1] for line in path.read_text("utf-8", "replace").splitlines()]


def _tracer(pids: Sequence[int], path: Path) -> "subprocess.Popen[str] | None":
    strace = shutil.which("strace")
    if strace is None:
        return None
    calls = "trace=execve,execveat,fork,vfork,socket,connect,open,openat,openat2,creat"
    command = [strace, "-f", "-e", calls, "-o", str(path), *(f"--attach={pid}" for pid in pids)]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert tracer.stderr is not None
    left = len(pids)
    for line in tracer.stderr:  # ends where it may not attach
        left -= _ATTACHED.search(line) is not None
        if left <= 0:
            return tracer
    _end(tracer)
    return None


def _end(tracer: "subprocess.Popen[str]") -> None:
    tracer.terminate()
    tracer.communicate(timeout=WAIT_S)
