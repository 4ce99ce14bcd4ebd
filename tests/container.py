"""A real container engine for tests, and a stand-in for Python's own image, which no registry gives here.

The stand-in is Debian with its Python, made by debootstrap. It holds the certificates and the indexes that this
machine's pip uses, so that pip works in a build. An engine that answers already is used as it is; else one is started,
as root.
"""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

BASE = "lading-test/python:3.11-slim"
"""What the stand-in is called."""
PYTHON = "3.11"
SUITE = "bookworm"
PACKAGES = "python3,python3-venv,ca-certificates"
START_S = 120
BUILD_S = 600


class Engine:
    """An engine, asked by its command."""

    def __init__(self, host: str = "") -> None:
        self.environment = {"DOCKER_HOST": host} if host else {}

    def run(
        self, *arguments: object, check: bool = True, timeout_s: float = BUILD_S
    ) -> "subprocess.CompletedProcess[str]":
        """The finished command `docker ARGUMENTS`."""
        done = subprocess.run(
            ["docker", *map(str, arguments)],
            env=os.environ | self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )
        assert not check or done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done

    def ask(self, *arguments: object) -> str:
        """What a command says."""
        return self.run(*arguments).stdout.strip()

    def inspect(self, name: str) -> dict[str, Any]:
        """All that is known of an image or a container."""
        return json.loads(self.ask("inspect", name))[0]

    @property
    def answers(self) -> bool:
        """Whether there is an engine behind it."""
        return shutil.which("docker") is not None and not self.run("info", check=False, timeout_s=START_S).returncode

    @contextlib.contextmanager
    def container(self, image: str, *options: object) -> Iterator[str]:
        """The id of a container, which is gone afterwards."""
        name = self.ask("run", "--detach", *options, image)
        try:
            yield name
        finally:
            self.run("rm", "--force", name, check=False)

    def layers(self, image: str, folder: Path) -> Iterator[tuple[str, bytes]]:
        """Every file of every layer that an image has above the stand-in, by its name."""
        below = set(self.inspect(BASE)["RootFS"]["Layers"])
        saved = folder / "image.tar"
        self.run("save", "--output", saved, image)
        with tarfile.open(saved) as image_file:
            manifest = json.loads(_member(image_file, "manifest.json"))[0]
            config = json.loads(_member(image_file, manifest["Config"]))
            yield "the configuration", json.dumps(config).encode()
            for digest, layer in zip(config["rootfs"]["diff_ids"], manifest["Layers"], strict=True):
                if digest in below:
                    continue
                with tarfile.open(fileobj=image_file.extractfile(layer)) as files:
                    for file in files:
                        if file.isreg():
                            yield file.name, _member(files, file.name)


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    found = archive.extractfile(name)
    assert found is not None
    return found.read()


@contextlib.contextmanager
def engine(folder: Path) -> Iterator[Engine | str]:
    """An engine with the stand-in, for one process at a time; or why there is none.

    Args:
        folder: of all processes of these tests.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with _running(folder) as found:
            if isinstance(found, Engine):
                _ensure_base(found, folder)
            yield found


@contextlib.contextmanager
def _running(folder: Path) -> Iterator[Engine | str]:
    if Engine().answers:
        yield Engine()
        return
    missing = [name for name in ("docker", "dockerd", "debootstrap") if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        yield f"no container engine answers, and none can be started: {', '.join(missing) or 'root only may'}"
        return
    ours = Engine(f"unix://{folder}/docker.sock")
    options = ["--data-root", folder / "data", "--exec-root", folder / "exec", "--pidfile", folder / "pid"]
    with (folder / "dockerd.log").open("w") as log:
        process = subprocess.Popen(
            ["dockerd", *map(str, options), "--host", ours.environment["DOCKER_HOST"]], stdout=log, stderr=log
        )
        try:
            deadline = time.monotonic() + START_S
            while not (is_there := ours.answers) and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.2)
            yield ours if is_there else f"dockerd does not start: {(folder / 'dockerd.log').read_text()[-500:]}"
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(START_S)


def _ensure_base(engine: Engine, folder: Path) -> None:
    if engine.ask("images", "--quiet", BASE):
        return
    root = folder / "base"
    shutil.rmtree(root, ignore_errors=True)
    subprocess.run(
        ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(root)],
        check=True,
        capture_output=True,
        timeout=BUILD_S,
    )
    for part in ("var/cache/apt/archives", "var/lib/apt/lists"):
        shutil.rmtree(root / part)
        (root / part).mkdir()
    certificates = ssl.get_default_verify_paths().cafile or "/etc/ssl/certs/ca-certificates.crt"
    shutil.copy(certificates, root / "etc/ssl/certs/ca-certificates.crt")
    (root / "etc/pip.conf").write_text(_pip_configuration())
    with subprocess.Popen(["tar", "-C", str(root), "-c", "."], stdout=subprocess.PIPE) as tar:
        command = ["docker", "import", "-", BASE]
        variables = os.environ | engine.environment
        subprocess.run(command, stdin=tar.stdout, env=variables, check=True, capture_output=True, timeout=BUILD_S)
    assert tar.returncode == 0
    shutil.rmtree(root)


def _pip_configuration() -> str:
    """What this machine's pip is told of indexes that a container reaches too."""
    said = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    pairs: Mapping[str, str] = {
        name.rpartition(".")[2]: value.strip("'")
        for name, _, value in (line.partition("=") for line in said.splitlines())
    }
    kept = {name: pairs[name] for name in ("index-url", "trusted-host") if name in pairs}
    lines = [f"{name} = {value}" for name, value in (kept | {"cert": "/etc/ssl/certs/ca-certificates.crt"}).items()]
    return "\n".join(["[global]", *lines]) + "\n"
