"""Real servers for tests: an application on a free port in a thread, or `lading` as a process."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import uvicorn

ROOT = Path(__file__).parents[1]
TIMEOUT_S = 60


@contextlib.contextmanager
def serving(app: Any) -> Iterator[str]:
    """The address of an application that uvicorn serves in a thread, on a port that the system chose."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(TIMEOUT_S)
        listener.close()
    assert not thread.is_alive()


def environment(**extra: str) -> dict[str, str]:
    """The environment of a process that runs the package of this checkout, with no settings of the person's own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LADING_")}
    path = os.pathsep.join([str(ROOT / "src"), *filter(None, [kept.get("PYTHONPATH")])])
    return kept | {"PYTHONPATH": path, "PYTHONWARNINGS": "error", "LADING_DRAIN_S": "0"} | extra


def run(*arguments: object, folder: Path | None = None, stdin: bytes = b"", **extra: str) -> Any:
    """The finished process of `lading ARGUMENTS`: its exit code, stdout and stderr."""
    return subprocess.run(
        _command(arguments), cwd=folder, input=stdin, env=environment(**extra), capture_output=True, timeout=TIMEOUT_S
    )


@contextlib.contextmanager
def started(
    *arguments: object, folder: Path | None = None, limit_s: float = TIMEOUT_S
) -> Iterator[tuple[str, list[str]]]:
    """The address that `lading ARGUMENTS` says, and all the lines of its banner; stopped as a person stops it."""
    # Not a pipe: nobody reads the log while the server runs, and a full pipe would stop it.
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            _command(arguments), cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=log, text=True
        )
        watchdog = threading.Timer(limit_s, process.kill)
        watchdog.start()
        try:
            yield _read_banner(process, log)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=TIMEOUT_S)
            assert process.returncode == 0
        finally:
            watchdog.cancel()
            process.kill()
            process.communicate()


def _read_banner(process: Any, log: Any) -> tuple[str, list[str]]:
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if line.strip().startswith("'"):  # the body of the curl line is the last
            break
    urls = [line.split()[1] for line in lines if line.split()[:1] == ["open"]]
    if not urls:
        log.seek(0)
        raise AssertionError(log.read())
    return urls[0], lines


def _command(arguments: Sequence[object]) -> list[str]:
    return [sys.executable, "-m", "lading", *map(str, arguments)]
