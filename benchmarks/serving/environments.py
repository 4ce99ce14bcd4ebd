"""The environments: one for each target, kept in the cache from run to run, and the programs of the system."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.serving.target import ROOT

PACKAGES = {"wrk": "wrk", "nginx": "nginx-light"}
SHARED = ("joblib", "numpy", "pandas", "scikit-learn", "scipy")
"""What reads a pickled model has the versions that wrote it."""


class BenchError(Exception):
    """One line for the person who runs this."""


def make_environment(folder: Path, requirements: Sequence[str]) -> Path:
    """The Python of a virtual environment that has these; made where it is not there, or made for others."""
    python = folder / "bin" / "python"
    stamp = "\n".join([sys.version, *requirements, (ROOT / "pyproject.toml").read_text()])
    if (folder / "stamp").is_file() and (folder / "stamp").read_text() == stamp:
        return python
    print(f"bench: {folder.name}: pip install {' '.join(requirements)}", flush=True)
    _run([sys.executable, "-m", "venv", "--clear", str(folder)])
    _run([str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check", *requirements])
    (folder / "stamp").write_text(stamp)
    return python


def versions(python: Path) -> dict[str, str]:
    """What is installed there, by names in lower case."""
    listed = _run([str(python), "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"])
    return {package["name"].lower(): package["version"] for package in json.loads(listed)}


def shared_pins(installed: dict[str, str]) -> list[str]:
    """Requirements for the same versions of what a pickled model is made of."""
    return [f"{name}=={installed[name]}" for name in SHARED]


def ensure_programs(names: Sequence[str]) -> None:
    """Installs what is missing with apt, as root or through sudo.

    Raises:
        BenchError: it cannot be installed so.
    """
    missing = [PACKAGES[name] for name in names if not program(name)]
    if not missing:
        return
    line = f"apt-get install -y {' '.join(missing)}"
    become = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if not shutil.which("apt-get") or (become and not shutil.which("sudo")):
        raise BenchError(f"expected the programs {', '.join(names)}: install them by hand, `{line}` on Debian")
    print(f"bench: {line}", flush=True)
    _run([*become, "apt-get", "-qq", "update"])
    _run([*become, "env", "DEBIAN_FRONTEND=noninteractive", *line.split()])


def program(name: str) -> str | None:
    """Where a program is; nginx is often outside of the PATH of those who are not root."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin")


def program_versions() -> dict[str, str]:
    """The first line that each program says about itself."""
    found = {}
    for name, flag in (("wrk", "-v"), ("nginx", "-v")):
        path = program(name)
        if path:
            done = subprocess.run([path, flag], capture_output=True, text=True, timeout=10, check=False)
            found[name] = (done.stdout + done.stderr).splitlines()[0]
    return found


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200, check=False)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        raise BenchError(f"`{' '.join(command[:4])} …` failed: {last}")
    return done.stdout
