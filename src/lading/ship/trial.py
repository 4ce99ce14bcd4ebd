"""A replica, tried out on this machine: how long it takes to be ready, and what memory it takes at most.

It is a process with the libraries of this environment, on a socket in a folder of its own, and lets the bundle in by
the keys of the plan: what those do not allow, it does not load. It has one row to answer, then as many as one request
may bring; what it has taken by then is read, and it is ended.
"""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lading.bundle.signing.entry import encode_entry
from lading.bundle.signing.trust import SUFFIX as ENTRY_SUFFIX
from lading.errors import Untrusted
from lading.schema.synthetic import example_row
from lading.settings import PREFIX, SETTINGS, without_settings

if TYPE_CHECKING:
    from lading.ship.plan import Plan

LIMIT_S = 120.0
"""What a start may take here."""
_ANSWER_S = 30.0
"""What an answer may take here, beyond the time that the settings give it."""
_END_S = 2.0
_NO_LIBRARIES = 4
_TAKEN = {200, 413, 503, 504}
"""Of the large request: where it is too much, refusing it takes memory too."""
_PASSED_ON = [
    setting.name
    for setting in SETTINGS
    if setting.section in ("Limits", "Processes and time") and setting.form != "rate" and setting.name != "reload"
]
"""The settings of the plan that memory and time depend on; who may ask whom does not matter here."""


_SET_PDEATHSIG = 1
"""Of prctl(2), as in <linux/prctl.h>."""
_NOT_TRUSTED = 3
"""With which `lading serve` ends where it may not serve a bundle."""


class NotMeasured(Exception):
    """A replica could not be tried out here, for the reason that this says."""


def try_out(plan: Plan, *, limit_s: float = LIMIT_S) -> tuple[float, int]:
    """Seconds from the start of a replica until it is ready, and bytes of memory that it takes at most.

    Args:
        plan: whose bundle is started.
        limit_s: what the start may take.

    Raises:
        NotMeasured: there is no such figure; says why.
    """
    if plan.manifest.features:
        raise NotMeasured("it looks features up in a store, which is not asked for this")
    if not Path("/proc/self/smaps_rollup").exists():
        raise NotMeasured("only Linux says what memory a process takes")
    with tempfile.TemporaryDirectory(prefix="lading-") as name:
        folder = Path(name)
        with _started(plan, folder, limit_s) as (process, load_s):
            _ask(plan, folder / "socket")
            return load_s, _memory_bytes(process.pid)


# --- the process


@contextlib.contextmanager
def _started(plan: Plan, folder: Path, limit_s: float) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """The process once it is ready, and the seconds that this took; ended with the block."""
    # Nothing is imported from the current folder, and no `lading.toml` beside the bundle is read.
    command = [sys.executable, "-P", "-m", "lading", "serve", str(plan.bundle), "--config", os.devnull]
    quiet = subprocess.DEVNULL
    start = time.monotonic()
    try:
        process = subprocess.Popen(
            command,
            env=_environment(plan, folder),
            stdin=quiet,
            stdout=subprocess.PIPE,
            stderr=quiet,
            preexec_fn=_end_with_parent,
        )
    except OSError as error:
        raise NotMeasured(f"its process cannot be started: {type(error).__name__}") from None
    with process:
        try:
            _wait_until_ready(process, limit_s)
            yield process, time.monotonic() - start
        finally:
            _end(process)


def _environment(plan: Plan, folder: Path) -> dict[str, str]:
    trust = folder / "trust"
    trust.mkdir()
    for entry in plan.entries:
        (trust / f"{entry.key_id}{ENTRY_SUFFIX}").write_bytes(encode_entry(entry))
    said = {name: value for name, value in plan.choices.settings.items() if name in _PASSED_ON}
    own = {"production": "true", "auth": "network", "trust": str(trust), "unix_socket": str(folder / "socket")}
    settings = said | own | {"drain_s": "0", "shutdown_s": "0"}
    return without_settings() | {f"{PREFIX}{name.upper()}": value for name, value in settings.items()}


def _end_with_parent() -> None:
    """Let the system end this process when the one that has started it is gone, however it went."""
    ctypes.CDLL(None).prctl(_SET_PDEATHSIG, signal.SIGTERM)


def _wait_until_ready(process: subprocess.Popen[bytes], limit_s: float) -> None:
    """Wait for the first line of what it says, which is when it is ready."""
    assert process.stdout is not None
    end, watchdog = time.monotonic() + limit_s, threading.Timer(limit_s, process.kill)
    watchdog.start()
    try:
        if process.stdout.readline():
            return
    finally:
        watchdog.cancel()
    code = process.wait()
    if time.monotonic() >= end:
        raise NotMeasured(f"it was not ready within {limit_s:g} s")
    if code == _NO_LIBRARIES:
        raise NotMeasured("this environment does not have the libraries that the model needs")
    if code == _NOT_TRUSTED:
        hint = "lading serve BUNDLE --production says why; a program needs a key that is trusted with --code"
        raise Untrusted(
            "the bundle is not served with the keys that are trusted, and would not be there either", hint=hint
        )
    raise NotMeasured(f"it ended with exit code {code}: lading serve says why")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()


# --- what it is asked


def _ask(plan: Plan, path: Path) -> None:
    """Have one row answered, and as many as a request may bring."""
    row = msgspec.json.encode(list(example_row(plan.manifest.request_schema.inputs).values()))
    settings = plan.settings
    rows = min(settings.max_rows, settings.max_cells // len(plan.manifest.request_schema.inputs))
    rows = max(min(rows, settings.max_body_bytes // (len(row) + 1) - 1), 1)
    for count, good in ((1, {200}), (rows, _TAKEN)):
        body = b'{"X":[' + b",".join([row] * count) + b"]}"
        status = _status(plan, path, body)
        if status not in good:
            raise NotMeasured(f"it answered {count:,} rows of its example with {status}")


def _status(plan: Plan, path: Path, body: bytes) -> int:
    connection = http.client.HTTPConnection("localhost")
    with contextlib.closing(connection):
        try:
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.settimeout(plan.settings.request_timeout_s + _ANSWER_S)
            connection.sock.connect(str(path))
            connection.request("POST", plan.manifest.route, body, {"content-type": "application/json"})
            return connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            raise NotMeasured(f"it does not answer: {type(error).__name__}") from None


# --- its memory


def _memory_bytes(pid: int) -> int:
    """What a process and all below it have taken at most; what they share counts once.

    See https://docs.kernel.org/filesystems/proc.html: `Pss` is what a process has by itself and its part of what is
    shared; `VmHWM` is the most that it has had, `VmRSS` what it has now.
    """
    figures = [_figures(Path(f"/proc/{number}")) for number in _tree(pid)]
    if not figures:
        raise NotMeasured("it ended before its memory was read")
    most = [figure["VmHWM"] - figure["VmRSS"] + figure["Pss"] for figure in figures]
    # Alone it shares with none of its own, but perhaps with others on this machine.
    return max(sum(most), figures[0]["VmHWM"])


def _tree(pid: int) -> list[int]:
    """A process and all below it."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(word) for task in tasks for word in (task / "children").read_text().split()]
    except OSError:
        return []
    return [pid, *(below for child in children for below in _tree(child))]


def _figures(process: Path) -> dict[str, int]:
    try:
        lines = [*(process / "status").read_text().splitlines(), *(process / "smaps_rollup").read_text().splitlines()]
    except OSError:
        raise NotMeasured("its memory cannot be read") from None
    pairs = (line.split() for line in lines if line.endswith(" kB"))
    return {words[0].rstrip(":"): int(words[1]) << 10 for words in pairs}
