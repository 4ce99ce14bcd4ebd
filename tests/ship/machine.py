"""A host for one test: its /etc, /opt, /run and network are its own, and are gone at its end."""

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PATIENCE_S = 30.0
_PROGRAMS = ("curl", "ip", "nginx", "nsenter", "openssl", "runuser", "setpriv", "systemctl", "systemd-sysusers")
_IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
on_a_machine = pytest.mark.skipif(
    not _IS_ROOT or not all(map(shutil.which, _PROGRAMS)), reason="no root, or no systemd"
)

_ENTER = """set -eu
mount -t tmpfs tmpfs /opt
mkdir /opt/.upper /opt/.work
mount -t overlay overlay -o lowerdir=/etc,upperdir=/opt/.upper,workdir=/opt/.work /etc
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=755 tmpfs /var/log
mkdir /var/log/nginx
ip link set lo up
echo ready
exec sleep 1000
"""
_MAKE_PYTHON = """#!/bin/sh
# `python -m venv FOLDER`, with the libraries of the tests in it, and a pip that only says what it was asked.
set -eu
"{real}" -m venv --without-pip "$3"
site="$3/lib/{name}/site-packages"
printf '%s\\n' {paths} > "$site/tests.pth"
mkdir -p "$site/pip"
: > "$site/pip/__init__.py"
printf 'import sys\\nopen("/opt/pip.txt", "a").write(" ".join(sys.argv[1:]) + "\\\\n")\\n' > "$site/pip/__main__.py"
"""


class Machine:
    """Runs programs on the host, as root."""

    def __init__(self, holder: int, programs: Path) -> None:
        self._inside = ["nsenter", "-t", str(holder), "-m", "-n"]
        self._environment = {"PATH": f"{programs}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "HOME": "/root"}
        self._started: list[subprocess.Popen[bytes]] = []

    def run(self, *command: str, code: int = 0) -> str:
        """What a program prints that ends with this code."""
        done = self._run(command)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def wait_for(self, *command: str, log: Path) -> None:
        """Run a program until it ends well."""
        deadline = time.monotonic() + PATIENCE_S
        while self._run(command).returncode:
            assert time.monotonic() < deadline, log.read_text()

    def _run(self, command: tuple[str, ...]) -> "subprocess.CompletedProcess[str]":
        whole = [*self._inside, *command]
        return subprocess.run(whole, env=self._environment, capture_output=True, text=True, timeout=60)

    def start(self, *command: str, log: Path, environment: dict[str, str] | None = None) -> "subprocess.Popen[bytes]":
        """A program that goes on."""
        surroundings = self._environment if environment is None else environment
        with log.open("wb") as file:
            started = subprocess.Popen([*self._inside, *command], env=surroundings, stdout=file, stderr=file)
        self._started.append(started)
        return started

    def end(self) -> None:
        """Leave no process behind that was started."""
        for process in self._started:
            process.terminate()
        for process in self._started:
            process.wait(PATIENCE_S)


@contextmanager
def machine(folder: Path) -> Iterator[Machine]:
    """A host whose Python makes environments in which the libraries of the tests are."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    paths = shlex.join(path for path in sys.path if path.endswith(("site-packages", "src")))
    python = folder / name
    python.write_text(_MAKE_PYTHON.format(real=_python_for_everybody(name), name=name, paths=paths))
    python.chmod(0o755)
    command = ["unshare", "-m", "-n", "--propagation", "private", "sh", "-c", _ENTER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "ready\n"
            made = Machine(holder.pid, folder)
            try:
                yield made
            finally:
                made.end()
        finally:
            holder.kill()


def _python_for_everybody(name: str) -> str:
    """A Python of the version of the tests' own that users other than root may run."""
    for found in (sys.executable, f"/usr/bin/{name}", f"/usr/local/bin/{name}"):
        command = ["runuser", "-u", "nobody", "--", found, "-c", ""]
        if os.path.exists(found) and subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0:
            return found
    pytest.skip("this Python is root's alone")
