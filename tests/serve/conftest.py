"""Servers as real processes, ended whatever happens, and gates that hold a model in another process."""

import importlib
import os
import queue
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import lading
from lading.flavors.linear import LinearFile

WAIT_S = 60.0
"""Longer than a start or an end takes on the busiest machine."""
SRC = Path(lading.__file__).parents[1]
ODD = Path(__file__).parent / "odd"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def process_environment() -> dict[str, str]:
    """The environment of a process that runs the package of this checkout, with no settings of the person's own."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LADING_")}
    inherited = {name: value for name, value in inherited.items() if not name.endswith("_THREADS")}
    return inherited | {"PYTHONPATH": f"{SRC}{os.pathsep}{ODD}", "LADING_DRAIN_S": "0"}


class Server:
    """`lading serve` in a process of its own."""

    def __init__(
        self, *arguments: str, log: Path, environment: dict[str, str], before_exec: Callable[[], object] | None = None
    ) -> None:
        self.log_path = log
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.environment = environment
        with log.open("wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "lading", "serve", *arguments],
                env=process_environment() | environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                preexec_fn=before_exec,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def banner(self) -> str:
        """What it says when it is ready."""
        lines: list[str] = []
        while not any(line.startswith("  try ") for line in lines) or lines[-1].strip():
            line = self._lines.get(timeout=WAIT_S)
            assert line is not None, self.log()
            lines.append(line)
        self.url = next(line.split()[1] for line in lines if line.split()[:1] == ["open"])
        return "".join(lines)

    def log(self) -> str:
        """Everything that it wrote to stderr so far."""
        return self.log_path.read_text()

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=WAIT_S)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        """The exit code."""
        return self.process.wait(WAIT_S)

    def end(self) -> None:
        """Be gone, at once."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(WAIT_S)
        self._reader.join(WAIT_S)
        if self.process.stdout is not None:
            self.process.stdout.close()


Start = Callable[..., Server]


@pytest.fixture(scope="module")
def module_start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts servers that live as long as the module's tests."""
    yield from _starter(tmp_path_factory)


@pytest.fixture
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts servers that live as long as the test; `is_awaited` says whether to wait until it is ready."""
    yield from _starter(tmp_path_factory)


def _starter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    servers: list[Server] = []
    folder = tmp_path_factory.mktemp("logs")

    def make(
        model: Path,
        *options: str,
        is_awaited: bool = True,
        port: int = 0,
        environment: dict[str, str] | None = None,
        before_exec: Callable[[], object] | None = None,
    ) -> Server:
        log = folder / f"{len(servers)}.log"
        surroundings = {"XDG_RUNTIME_DIR": str(folder)} | (environment or {})
        command = (str(model), "--port", str(port), *options)
        server = Server(*command, log=log, environment=surroundings, before_exec=before_exec)
        server.url = f"http://127.0.0.1:{port}"
        servers.append(server)
        if is_awaited:
            server.banner()
        return server

    try:
        yield make
    finally:
        for server in servers:
            server.end()


@pytest.fixture(scope="session")
def run_lading() -> Callable[..., Any]:
    """Runs `lading ARGUMENTS` to its end."""

    def run(*arguments: str, environment: dict[str, str]) -> Any:
        command = [sys.executable, "-m", "lading", *arguments]
        surroundings = process_environment() | environment
        return subprocess.run(command, env=surroundings, capture_output=True, text=True, timeout=WAIT_S)

    return run


@pytest.fixture
def refusal(start: Start) -> Callable[..., tuple[int, list[str]]]:
    """Starts a server that is to end by itself, and gives its exit code and its lines."""

    def run(*arguments: Any, **options: Any) -> tuple[int, list[str]]:
        server = start(*arguments, is_awaited=False, **options)
        return server.wait(), server.log().splitlines()

    return run


# --- models


@pytest.fixture(scope="session")
def double_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of a model that doubles its one column, `x`, and needs no framework."""
    model = LinearFile("lading.linear/1", ("x",), coef=((2.0,),), intercept=(0.0,))
    return lading.pack(model, path=tmp_path_factory.mktemp("double") / "double-1.0.0.lading").path


@pytest.fixture(scope="session")
def odd_models() -> Iterator[Any]:
    """The module of strange models, as it is when a file of them is made."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ODD))
        yield importlib.import_module("odd_models")
        sys.modules.pop("odd_models")


class Gate:
    """Holds a model in another process: it says that it is there, and waits to be let through."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        for name in ("entered", "released"):
            os.mkfifo(folder / name)
        # Open for both sides, so that opening waits for nobody
        self._entered, self._released = (os.open(folder / name, os.O_RDWR) for name in ("entered", "released"))

    def is_entered(self) -> None:
        """Wait until the model is there."""
        ready, _, _ = select.select([self._entered], [], [], WAIT_S)
        assert ready, "nobody came to the gate"
        os.read(self._entered, 1)

    def release(self, times: int = 1) -> None:
        """Let the model through so many times."""
        os.write(self._released, b"." * times)

    def close(self) -> None:
        for file in (self._entered, self._released):
            os.close(file)


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    gate = Gate(tmp_path / "gate")
    yield gate
    gate.close()


@pytest.fixture
def odd_path(tmp_path: Path, odd_models: Any, gate: Gate) -> Path:
    """A file of the strange model, whose held rows wait at the gate."""
    import joblib

    path = tmp_path / "odd.joblib"
    joblib.dump(odd_models.Odd(predicts_at=str(gate.folder)).fit(None), path)
    return path


@pytest.fixture
def waiting_path(tmp_path: Path, odd_models: Any, gate: Gate) -> Path:
    """A file of the strange model that waits at the gate while it is loaded."""
    import joblib

    path = tmp_path / "waiting.joblib"
    joblib.dump(odd_models.Odd(loads_at=str(gate.folder)).fit(None), path)
    return path


@pytest.fixture
def odd_file(tmp_path: Path, odd_models: Any) -> Callable[..., Path]:
    """Writes a file of the strange model, as it is described; each time the same file."""
    import joblib

    def write(**description: object) -> Path:
        joblib.dump(odd_models.Odd(**description).fit(None), tmp_path / "new.joblib")
        return (tmp_path / "new.joblib").replace(tmp_path / "strange.joblib")

    return write


@pytest.fixture(scope="session")
def a_free_port() -> Callable[[], int]:
    return free_port
