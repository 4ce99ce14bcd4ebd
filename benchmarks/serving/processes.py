"""A server as a tree of processes: started, asked until it answers, measured, and ended by its ids."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from benchmarks.serving.environments import BenchError
from benchmarks.serving.target import CONTENT_TYPES, ROOT, Case, Launch, Server

READY_S = 90.0
STOP_S = 15.0


class Request(NamedTuple):
    """A prediction request, the same for every load."""

    path: str
    content_type: str
    body: bytes


class Reply(NamedTuple):
    """What came back; status 0 where nothing did."""

    status: int
    body: bytes = b""


@dataclass(frozen=True)
class Running:
    """A server that has answered."""

    server: Server
    case: Case
    port: int
    pid: int
    ready_s: float
    answer_bytes: int

    def request(self, kind: str) -> Request:
        """The request of this kind for its case."""
        return request_of(self.server, self.case, kind)

    def check(self, kind: str) -> str:
        """Why the answer to one such request is wrong; empty where it is right."""
        return wrong(self.server, self.case, ask(self.port, self.request(kind)))

    def pss_mb(self) -> float:
        """Memory of all its processes; pages that they share are divided by who shares them."""
        return sum(_pss_mb(pid) for pid in tree(self.pid))

    def counters(self) -> dict[str, float]:
        """The unlabeled samples of `/metrics`."""
        text = ask(self.port, Request("/metrics", "", b"")).body.decode()
        pairs = (line.split() for line in text.splitlines() if line[:1] not in ("", "#") and "{" not in line)
        return {name: float(value) for name, value in pairs}


def request_of(server: Server, case: Case, kind: str) -> Request:
    """How this server is asked for its case."""
    return Request(server.paths[kind], CONTENT_TYPES[kind], server.body(kind, case))


def ask(port: int, request: Request, timeout_s: float = 60) -> Reply:
    """The answer to one request: POST where there is a body, else GET."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        head = {"content-type": request.content_type} if request.body else {}
        connection.request("POST" if request.body else "GET", request.path, request.body or None, head)
        answer = connection.getresponse()
        return Reply(answer.status, answer.read())
    except (OSError, http.client.HTTPException):
        return Reply(0)
    finally:
        connection.close()


def wrong(server: Server, case: Case, reply: Reply) -> str:
    """Why this is not the model's answer; empty where it is."""
    if reply.status != 200:
        return f"answered {reply.status}" if reply.status else "did not answer"
    if server.is_constant:
        return ""
    try:
        answers = server.answers(json.loads(reply.body))
    except (ValueError, KeyError, TypeError):
        return "answered 200 with something else than predictions"
    return "" if answers == case.facts["expected"] else "answered other predictions than the model's"


@contextlib.contextmanager
def running(server: Server, python: Path, case: Case, workers: int = 0) -> Iterator[Running]:
    """The server with this case's model, from its first right answer on, until the block ends.

    Raises:
        BenchError: it did not answer in time, or not rightly.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        launch = Launch(python, case, free_port(), workers or server.workers, Path(folder))
        command = server.command(launch)
        start = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=_environment(server, launch),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C is for us, who then end it
        )
        try:
            reply = _first_answer(process, launch, request_of(server, case, next(iter(_kinds(server, case)))))
            ready_s = time.perf_counter() - start
            if reason := wrong(server, case, reply):
                raise BenchError(f"{reason}: `{' '.join(command)}`")
            yield Running(server, case, launch.port, process.pid, ready_s, len(reply.body))
        finally:
            _end(process)


def _kinds(server: Server, case: Case) -> list[str]:
    return [kind for kind in case.bodies if kind in server.paths]


def _environment(server: Server, launch: Launch) -> dict[str, str]:
    """That of this process, without other settings of Lading; one thread for each process, as Lading has it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LADING_", "PYTHON", "VIRTUAL"))}
    own = {name: str(launch.folder) for name in ("HOME", "TMPDIR", "XDG_RUNTIME_DIR")}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return kept | own | threads | {"BENCH_CASE": str(launch.case.folder)} | dict(server.environment)


def _first_answer(process: subprocess.Popen[bytes], launch: Launch, request: Request) -> Reply:
    end = time.perf_counter() + READY_S
    while time.perf_counter() < end:
        reply = ask(launch.port, request)
        if reply.status == 200:
            return reply
        if process.poll() is not None:
            raise BenchError(f"ended with {process.returncode} before it answered: `{_words(process)}`")
        time.sleep(0.005)
    raise BenchError(f"did not answer within {READY_S:.0f} s: `{_words(process)}`")


def _words(process: subprocess.Popen[bytes]) -> str:
    return " ".join(map(str, process.args)) if isinstance(process.args, list) else str(process.args)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Asks it to stop; what is left of its tree after that is killed, each by a handle that no other process gets."""
    with contextlib.ExitStack() as handles:
        descriptors = [_handle(pid, handles) for pid in tree(process.pid)]
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            pass
        finally:
            for descriptor in filter(None, descriptors):
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            process.wait()


def _handle(pid: int, handles: contextlib.ExitStack) -> int | None:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    handles.callback(os.close, descriptor)
    return descriptor


def tree(pid: int) -> list[int]:
    """The process and all that descend from it."""
    found = [pid]
    for parent in found:
        for file in Path(f"/proc/{parent}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += map(int, file.read_text().split())
    return found


def _pss_mb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # it has just ended
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
