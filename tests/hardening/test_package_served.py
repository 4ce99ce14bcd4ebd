"""The same harm as in `test_package.py`, at the door of a server in production: it does not start, and nothing runs."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.live import environment
from tests.serve.conftest import Server, process_environment
from tests.signed import sign, trusting

from lading.bundle.signing.keys import PrivateKey
from lading.bundle.signing.signature import signature_path

from . import hostile

KEY, OTHER = PrivateKey.generate(), PrivateKey.generate()
PRODUCTION = ("--production", "--auth", "keys", "--port", "0")
TIMEOUT_S = 60
WORKERS = ["1", "2"]


@pytest.fixture(scope="module")
def configuration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a user who has an API key, and trusts `KEY` for programs too."""
    folder = tmp_path_factory.mktemp("configuration")
    trusting(folder / "lading" / "trust", KEY, code=True)
    done = lading(folder, "keys", "create", "web-shop")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "canary"
    yield path
    assert not path.exists()


@pytest.fixture
def evil(iris_path: Path, canary: Path, tmp_path: Path) -> Path:
    """A bundle whose pickle touches the canary when it is opened."""
    return hostile.evil(iris_path, tmp_path / "evil.lading", hostile.payloads(canary)["os.system"])


def lading(configuration: Path, *arguments: object, folder: Path | None = None) -> Any:
    command = [sys.executable, "-P", "-m", "lading", *map(str, arguments)]
    variables = environment(XDG_CONFIG_HOME=str(configuration))
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=TIMEOUT_S)


def refusal(configuration: Path, path: Path, workers: str = "1") -> str:
    """What a server says that does not start."""
    done = lading(configuration, "serve", path, *PRODUCTION, "--workers", workers)
    assert done.returncode == 3, done.stdout + done.stderr
    assert done.stdout == ""
    return str(done.stderr)


@pytest.mark.parametrize(
    ("payload", "workers"), [("os.system", "1"), ("through pkgutil", "2"), ("before the end is broken", "1")]
)
def test_t001_an_unsigned_bundle_is_not_served(
    payload: str, workers: str, iris_path: Path, canary: Path, configuration: Path, tmp_path: Path
):
    path = hostile.evil(iris_path, tmp_path / "evil.lading", hostile.payloads(canary)[payload])
    assert "is unsigned" in refusal(configuration, path, workers)


@pytest.mark.parametrize("workers", WORKERS)
def test_t001_nor_is_a_bare_file(workers: str, canary: Path, configuration: Path, tmp_path: Path):
    (tmp_path / "model.pkl").write_bytes(hostile.payloads(canary)["os.system"])
    assert "is unsigned" in refusal(configuration, tmp_path / "model.pkl", workers)


@pytest.mark.skipif(shutil.which("strace") is None, reason="no strace")
def test_t001_and_no_process_is_started(evil: Path, configuration: Path, tmp_path: Path):
    command = ["strace", "-f", "--seccomp-bpf", "-e", "trace=execve", "-o", str(tmp_path / "trace"), sys.executable]
    done = subprocess.run(
        [*command, "-P", "-m", "lading", "serve", str(evil), *PRODUCTION],
        env=environment(XDG_CONFIG_HOME=str(configuration)),
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    started = [line for line in (tmp_path / "trace").read_text().splitlines() if line.endswith("= 0")]
    assert (done.returncode, len(started)) == (3, 1)


@pytest.mark.parametrize("workers", WORKERS)
def test_t002_nor_what_an_unknown_key_has_signed(workers: str, evil: Path, configuration: Path):
    assert "unknown key id" in refusal(configuration, sign(evil, OTHER), workers)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:100] + bytes([data[100] ^ 1]) + data[101:],
        lambda data: data + b"\0",
    ],
    ids=["a byte", "one more"],
)
def test_t003_nor_what_was_changed_since(change: Callable[[bytes], bytes], evil: Path, configuration: Path):
    sign(evil, KEY)
    evil.write_bytes(change(evil.read_bytes()))
    assert "is not what was signed" in refusal(configuration, evil)


@pytest.mark.parametrize("signature", [b"", b"{}"])
def test_t004_nor_what_has_no_good_signature(signature: bytes, evil: Path, configuration: Path):
    signature_path(evil).write_bytes(signature)
    assert "is not good" in refusal(configuration, evil)


def test_t004_nor_with_the_signature_of_another(evil: Path, iris_path: Path, configuration: Path, tmp_path: Path):
    other = sign(Path(shutil.copy(iris_path, tmp_path)), KEY)
    shutil.copy(signature_path(other), signature_path(evil))
    assert "is not what was signed" in refusal(configuration, evil)


def test_t004_nor_where_the_trust_store_is_broken(iris_path: Path, configuration: Path, tmp_path: Path):
    shutil.copytree(configuration, tmp_path / "configuration")
    (tmp_path / "configuration" / "lading" / "trust" / "x.json").write_text("{")
    path = sign(Path(shutil.copy(iris_path, tmp_path)), KEY)
    assert "the trust store cannot be read" in refusal(tmp_path / "configuration", path)


@pytest.mark.parametrize("workers", WORKERS)
def test_t007_what_stands_beside_a_bundle_is_not_imported(
    workers: str, iris_path: Path, canary: Path, configuration: Path, tmp_path: Path
):
    path = sign(Path(shutil.copy(iris_path, tmp_path)), KEY)
    for name in ("numpy", "sitecustomize", "usercustomize", "conftest", "gunicorn", "sklearn"):
        (tmp_path / f"{name}.py").write_text(hostile.source(canary))
    command = [sys.executable, "-P", "-m", "lading", "serve", path.name, *PRODUCTION, "--workers", workers]
    variables = process_environment() | {"XDG_CONFIG_HOME": str(configuration)}
    with subprocess.Popen(
        command, cwd=tmp_path, env=variables, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as server:
        assert server.stdout is not None
        banner = os.read(server.stdout.fileno(), 1 << 16)
        server.terminate()
        assert server.wait(TIMEOUT_S) == 0
    assert b"signed    by key" in banner


def test_t019_a_model_that_cannot_be_loaded_is_said(iris_path: Path, configuration: Path, tmp_path: Path):
    trees = b'{"learner": {"gradient_booster": {"model": {"gbtree_model_param": {"num_trees": "1000000000"}}}}}'
    path = sign(hostile.evil(iris_path, tmp_path / "m.lading", trees, "m.json", "xgboost"), KEY)
    done = lading(configuration, "serve", path, *PRODUCTION, "--workers", "2")
    assert done.returncode == 1
    assert done.stderr.count("error: ") == 1


def test_a_good_bundle_is_served(iris_path: Path, configuration: Path, tmp_path: Path):
    path = sign(Path(shutil.copy(iris_path, tmp_path)), KEY)
    variables = {"XDG_CONFIG_HOME": str(configuration)}
    server = Server(str(path), *PRODUCTION, log=tmp_path / "log", environment=variables)
    try:
        assert f"by key {KEY.public.key_id[:12]}…" in server.banner()
        assert "signature ok" in server.log()
        with server.client() as client:
            assert client.get("/ready").status_code == 200
            assert client.post("/predict", json={}).status_code == 401
    finally:
        server.end()
