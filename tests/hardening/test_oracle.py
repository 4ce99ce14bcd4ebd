"""The oracle sees what it is there to see."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.serve.family import children, kill, until

from .conftest import begun
from .oracle import CANARY, Watched, listeners, traced, under_oracle


@pytest.fixture(scope="module")
def harmed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A server of its own, to which harm is done."""
    server = begun(tmp_path_factory.mktemp("harmed"), "loopback", "--workers", "2", "--inline-s", "1")
    try:
        yield server
    finally:
        server.server.end()


def write(watched: Watched) -> None:
    (watched.folder / "new").write_text("")


def say(watched: Watched) -> None:
    watched.ask("GET", "/health", X_Request_ID=CANARY)


def replace(watched: Watched) -> None:
    worker = children(children(watched.server.process.pid)[0])[0]
    before = watched.pids
    kill(worker)
    until(lambda: len(watched.pids) == len(before) and worker not in watched.pids, "there is another worker")
    watched.settle()


@pytest.mark.parametrize("harm", [write, say, replace], ids=lambda harm: harm.__name__)
def test_harm_is_seen(harmed: Watched, harm: Callable[[Watched], None]):
    with pytest.raises(AssertionError), under_oracle(harmed):
        harm(harmed)


def test_an_answer_of_500_is_seen_unless_it_is_listed(harmed: Watched):
    def fail() -> int:
        return harmed.ask("POST", "/predict", b'{"x":1,"note":"fail"}', content_type="application/json")[0]

    with pytest.raises(AssertionError), under_oracle(harmed):
        assert fail() == 500
    with under_oracle(harmed, listed={500}):
        assert fail() == 500


ACTS = """\
import socket, subprocess, sys
sys.stdin.readline()
open("/etc/hostname", "rb").close()
open(sys.argv[1], "w").close()
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(("127.0.0.1", 9))
subprocess.run(["true"])
print("done", flush=True)
sys.stdin.readline()
"""


def test_what_a_process_does_outside_is_traced(tmp_path: Path):
    command = [sys.executable, "-c", ACTS, str(tmp_path / "written")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        with traced((process.pid,), tmp_path) as trace:
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.stdout.readline() == "done\n"
        process.stdin.write("\n")
    if trace.calls is None:
        pytest.skip("nobody is let to trace another process here")
    seen = "\n".join(trace.outside())
    assert all(word in seen for word in ("/etc/hostname", "written", "connect(", "execve("))


def test_listeners_are_found(harmed: Watched):
    assert [int(each.rpartition(":")[2], 16) for each in listeners(harmed.pids)] == [harmed.address[1]]
