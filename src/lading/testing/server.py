"""A real service for tests: `lading serve` as a process of its own, on a free port of this machine."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lading.errors import LadingError
from lading.remote.wire import Request, ask

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 60.0
_POLL_S = 0.02
_SHOWN_LINES = 5


@contextmanager
def serve(path: str | Path, *options: str, timeout_s: float = START_TIMEOUT_S) -> Iterator[str]:
    """The address of a service of this bundle or model file, which is ready; it is stopped at the end.

    Args:
        path: of the bundle or the model file.
        options: of `lading serve`, such as `"--workers", "2"`.
        timeout_s: seconds within which it has to be ready.

    Raises:
        LadingError: it did not start, or ended otherwise than it was told to.
    """
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        process = _start(path, options, log)
        try:
            yield _address_when_ready(process, log, timeout_s)
        except BaseException:
            _stop(process)
            raise
        if code := _stop(process):
            raise LadingError(f"the service did not stop as it was told to: exit code {code}{_told(log)}")


def _start(path: str | Path, options: tuple[str, ...], log: Path) -> subprocess.Popen[bytes]:
    # Nobody is to be sent elsewhere: it stops at once.
    defaults = ("--host", "127.0.0.1", "--port", "0", "--drain-s", "0")
    command = [sys.executable, "-m", "lading", "serve", str(path), *defaults, *options]
    # Not into a pipe: nobody reads while the test runs, and a full pipe would stop the service.
    with log.open("wb") as output:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)


def _address_when_ready(process: subprocess.Popen[bytes], log: Path, timeout_s: float) -> str:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        url = _address(log)
        if url is not None and ask(url, Request("GET", "/ready")).status == 200:
            return url
        try:
            code = process.wait(_POLL_S)
        except subprocess.TimeoutExpired:
            continue
        raise LadingError(f"the service did not start: exit code {code}{_told(log)}")
    raise LadingError(f"the service was not ready within {timeout_s:g} s{_told(log)}")


def _address(log: Path) -> str | None:
    """What the banner says behind `open`, once it is printed."""
    complete = _text(log).rpartition("\n")[0]
    words = (line.split() for line in complete.splitlines())
    return next((line[1] for line in words if len(line) == 2 and line[0] == "open"), None)


def _stop(process: subprocess.Popen[bytes]) -> int:
    """The exit code of the process, which is gone: it was told to stop, or killed when it did not."""
    process.terminate()
    try:
        return process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _told(log: Path) -> str:
    """The last lines that it printed, each behind a line end; nothing where there are none."""
    return "".join(f"\n  {line}" for line in _text(log).splitlines()[-_SHOWN_LINES:])


def _text(log: Path) -> str:
    return log.read_bytes().decode("utf-8", "replace")
