"""Servers that are attacked: on both roads, in each mode, with one process and with several."""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.conftest import SCALE
from tests.live import run
from tests.serve.conftest import Server

import lading

from .oracle import Watched

MODEL = """\
def score(x: float, note: str) -> float:
    if note == "fail":
        raise ValueError
    return 2 * max(-1e300, min(x, 1e300))
"""
"""It doubles one column, and takes a text, of which it knows one word."""
MIB = 1 << 20
HEADER_TIMEOUT_S = BODY_TIMEOUT_S = KEEP_ALIVE_S = 1.0
LIMITS = {
    "--header-timeout-s": HEADER_TIMEOUT_S,
    "--body-timeout-s": BODY_TIMEOUT_S,
    "--keep-alive-s": KEEP_ALIVE_S,
    "--max-body-bytes": MIB,
    "--inline-s": 1.0,
}
"""A server of small patience, with a model that is never so slow that it gets a thread."""
OPTIONS = tuple(f"{name}={value}" for name, value in LIMITS.items())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not sys.platform.startswith("linux"):
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason="the oracle reads /proc"))


@dataclass(frozen=True)
class Access:
    """How a server is started in a mode, and asked.

    Attributes:
        options: of `lading serve`.
        fields: header fields of somebody who may do everything.
        secrets: what may stand nowhere.
    """

    options: tuple[str, ...] = ()
    fields: dict[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()


def loopback(bundle: Path) -> Access:
    """As a person starts it on the own machine."""
    return Access()


def production(bundle: Path) -> Access:
    """With a bundle that a trusted key has signed, and with API keys; all made by the commands that a person has."""
    home = {"HOME": str(bundle.parent), "XDG_CONFIG_HOME": str(bundle.parent / "config")}

    def lading(*arguments: object) -> str:
        done = run(*arguments, **home)
        assert done.returncode == 0, done.stderr
        return str(done.stdout.decode().strip())

    lading("keygen")
    lading("sign", bundle)
    lading("trust", "add", bundle.parent / "config" / "lading" / "signing.pub", "--code")
    scopes = ("predict:*", "models:read", "metrics")
    key = lading("keys", "create", "tester", *(word for scope in scopes for word in ("--scope", scope)))
    # Of cases in which nobody is known there are many, and all are from one address.
    options = ("--production", "--auth", "keys", "--failure-rate-limit", "1000000/s")
    return Access(options, {"Authorization": f"Bearer {key}"}, (key,))


def tls(bundle: Path) -> Access:
    """With TLS, of which nobody here checks who signed it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    begins = datetime(2020, 1, 1, tzinfo=UTC)
    unsigned = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    dated = unsigned.serial_number(1).not_valid_before(begins).not_valid_after(begins.replace(year=2100))
    form, kind = serialization.PrivateFormat.PKCS8, serialization.Encoding.PEM
    pem = key.private_bytes(kind, form, serialization.NoEncryption())
    paths = bundle.with_name("key.pem"), bundle.with_name("certificate.pem")
    for path, data in zip(paths, (pem, dated.sign(key, hashes.SHA256()).public_bytes(kind)), strict=True):
        path.touch(0o600)
        path.write_bytes(data)
    return Access(("--tls-key-file", str(paths[0]), "--tls-certificate-file", str(paths[1])))


MODES: dict[str, Callable[[Path], Access]] = {"loopback": loopback, "production": production, "tls": tls}
"""Each makes, beside a bundle, what its mode needs."""
WAYS = {
    "production, lane, two workers": ("production", "--lane", 2),
    "loopback, ASGI, one process": ("loopback", "--no-lane", 1),
}
"""Mode, road and workers: each of them once, and in a full run every two of them together."""
if SCALE == "full":
    WAYS["production, ASGI, one process"] = ("production", "--no-lane", 1)
    WAYS["loopback, lane, two workers"] = ("loopback", "--lane", 2)


@pytest.fixture(scope="session", params=WAYS)
def watched(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A server that lives as long as the session, in a folder of its own where nothing is to change."""
    mode, road, workers = WAYS[request.param]
    folder = tmp_path_factory.mktemp("attacked")
    server = begun(folder, mode, road, "--workers", str(workers), *OPTIONS)
    try:
        yield server
    finally:
        server.server.end()


def begun(folder: Path, mode: str, *options: str) -> Watched:
    """A server in this mode that has settled; whoever begins it ends it."""
    inside, outside = folder / "inside", folder / "outside"
    for path in (inside, outside / "tmp", outside / "run"):
        path.mkdir(parents=True)
    bundle = packed(inside)
    access = MODES[mode](bundle)
    environment = {
        "HOME": str(inside),
        "XDG_CONFIG_HOME": str(inside / "config"),
        "XDG_RUNTIME_DIR": str(outside / "run"),
        "TMPDIR": str(outside / "tmp"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [str(bundle), "--port", "0", *access.options, *options]
    server = Server(*command, log=outside / "log", environment=environment, before_exec=lambda: os.chdir(inside))
    try:
        server.banner()
        watched = Watched(server, inside, access.fields, access.secrets)
        watched.settle()
    except BaseException:
        server.end()
        raise
    return watched


def packed(folder: Path) -> Path:
    """A bundle of the model, in this folder."""
    (folder / "double.py").write_text(MODEL)
    return lading.pack(folder / "double.py", path=folder / "double-1.0.0.lading").path


@pytest.fixture(scope="session")
def many() -> Callable[[int, int], int]:
    """How many of something: the first number, or in a full run the second."""
    return lambda few, all_: all_ if SCALE == "full" else few
