"""Case T039: what is not settled is not served. It ends with one sentence and the way out, and nothing listens."""

import http.client
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from tests.live import run
from tests.serve.conftest import Server
from tests.signed import sign, trusting

import lading
from lading.access.keys.file import create_key
from lading.access.passwords.users import add_user
from lading.bundle.signing.keys import PrivateKey
from lading.flavors.linear import LinearFile

from .conftest import MODEL

NOW = datetime.now(UTC)
USAGE, FAILED = 2, 3
PRODUCTION = ("--production", "--auth", "keys")
OURS, DATED, RAISED, DATA_ONLY, NOBODYS = (PrivateKey.generate() for _ in range(5))


class Case(NamedTuple):
    """A start that is refused.

    Attributes:
        code: with which it ends.
        says: a part of the sentence.
        options: of `lading serve`; `{}` stands for the folder of files.
        variables: of the environment.
        bundle: by its name.
    """

    code: int
    says: str
    options: tuple[str, ...] = ()
    variables: Mapping[str, str] = MappingProxyType({})
    bundle: str = "good"


NOBODY = "--production needs to know who may ask"
CASES = {
    "no way to ask": Case(FAILED, NOBODY, ("--production",)),
    "an empty way": Case(FAILED, NOBODY, ("--production", "--auth", "")),
    "a blank way": Case(FAILED, NOBODY, ("--production", "--auth", " \t")),
    "a comma": Case(FAILED, NOBODY, ("--production", "--auth", ",")),
    "an empty variable": Case(FAILED, NOBODY, ("--production",), {"LADING_AUTH": ""}),
    "a blank variable": Case(FAILED, NOBODY, (), {"LADING_AUTH": "  ", "LADING_PRODUCTION": "true"}),
    "an empty variable on loopback": Case(USAGE, "empty", (), {"LADING_AUTH": ""}),
    "an unknown way": Case(USAGE, "--auth", ("--auth", "kyes")),
    "an unknown way in production": Case(USAGE, "--auth", ("--production", "--auth", "none")),
    "network and keys": Case(USAGE, "stands alone", ("--auth", "network,keys")),
    "keys and network": Case(USAGE, "stands alone", ("--production", "--auth", "keys, network")),
    "no file": Case(USAGE, "no file", ("--auth", "keys", "--keys-file", "{}/none")),
    "an empty file": Case(USAGE, "empty.json", ("--auth", "keys", "--keys-file", "{}/empty.json")),
    "a blank file": Case(USAGE, "blank.json", ("--auth", "keys", "--keys-file", "{}/blank.json")),
    "no users": Case(USAGE, "no file", ("--auth", "basic", "--users-file", "{}/none")),
    "no key in it": Case(FAILED, "no key is in", (*PRODUCTION, "--keys-file", "{}/nobody.json")),
    "no file in production": Case(FAILED, "no file", (*PRODUCTION, "--keys-file", "{}/none")),
    "an empty file in production": Case(FAILED, "empty.json", (*PRODUCTION, "--keys-file", "{}/empty.json")),
    "open to others": Case(FAILED, "0644", (*PRODUCTION, "--keys-file", "{}/open.json")),
    "writable by others": Case(FAILED, "0602", (*PRODUCTION, "--keys-file", "{}/writable.json")),
    "users open to others": Case(FAILED, "0644", ("--production", "--auth", "basic", "--users-file", "{}/open.json")),
    "an empty secret": Case(
        FAILED, "32 bytes or more, got 0", ("--production", "--auth", "tokens", "--token-secret-file", "{}/empty.json")
    ),
    "a blank secret": Case(USAGE, "32 bytes", ("--auth", "tokens", "--token-secret-file", "{}/blank.json")),
    "a short secret": Case(USAGE, "got 31", ("--auth", "tokens", "--token-secret-file", "{}/short.secret")),
    "a secret open to others": Case(
        FAILED, "0644", ("--production", "--auth", "tokens", "--token-secret-file", "{}/open.json")
    ),
    "a key of TLS open to others": Case(
        FAILED, "0644", (*PRODUCTION, "--tls-certificate-file", "{}/open.json", "--tls-key-file", "{}/open.json")
    ),
    "both words": Case(FAILED, "--insecure contradict", (*PRODUCTION, "--insecure")),
    "a rate of nobody": Case(USAGE, "--rate-limit", ("--auth", "network", "--rate-limit", "2/h")),
    "another host": Case(USAGE, "0.0.0.0 can be reached from elsewhere", ("--host", "0.0.0.0")),
    "another host with keys": Case(USAGE, ":: can be reached from elsewhere", ("--host", "::", "--auth", "keys")),
    "another host by name": Case(USAGE, "can be reached from elsewhere", ("--host", "example.com")),
    "passwords in the open": Case(FAILED, "passwords", ("--production", "--auth", "basic", "--host", "0.0.0.0")),
    "half of TLS": Case(USAGE, "TLS needs", ("--tls-key-file", "{}/open.json")),
    "certificates without TLS": Case(USAGE, "needs TLS", ("--client-ca-file", "{}/open.json")),
    "certificates of nobody": Case(USAGE, "who signs them", ("--auth", "certificate")),
    "a prefix without a slash": Case(USAGE, "--root-path", ("--root-path", "models/iris")),
    "a prefix with one at its end": Case(USAGE, "--root-path", ("--root-path", "/models/iris/")),
    "an origin with a path": Case(USAGE, "--cors-origins", ("--cors-origins", "https://app.example.com/")),
    "unsigned": Case(FAILED, "is unsigned", PRODUCTION, bundle="unsigned"),
    "of an unknown key": Case(FAILED, "unknown key id", PRODUCTION, bundle="nobodys"),
    "of a key whose time is over": Case(FAILED, "was trusted until", PRODUCTION, bundle="dated"),
    "an old version": Case(FAILED, "1.0.0", PRODUCTION, bundle="raised"),
    "a program of a key for data": Case(FAILED, "is trusted for data only", PRODUCTION, bundle="program"),
    "two workers, unsigned": Case(FAILED, "is unsigned", (*PRODUCTION, "--workers", "2"), bundle="unsigned"),
    "two workers, nobody": Case(FAILED, NOBODY, ("--production", "--workers", "2")),
}
INSECURE = {name for name in CASES if name.startswith("another host")}


class Harbor(NamedTuple):
    """A folder with bundles by their names, files, and the configuration of a user."""

    folder: Path
    bundles: dict[str, Path]

    @property
    def environment(self) -> dict[str, str]:
        return {"XDG_CONFIG_HOME": str(self.folder / "config"), "XDG_RUNTIME_DIR": str(self.folder)}

    def refuse(self, case: Case) -> tuple[Any, int]:
        """The process of a start that ended, and its port."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        options = [option.replace("{}", str(self.folder)) for option in case.options]
        bundle = self.bundles[case.bundle]
        return run("serve", bundle, "--port", port, *options, **self.environment, **case.variables), port


@pytest.fixture(scope="module")
def harbor(tmp_path_factory: pytest.TempPathFactory) -> Harbor:
    folder = tmp_path_factory.mktemp("harbor")
    config = folder / "config" / "lading"
    _trust(config / "trust")
    create_key(config / "keys.json", "all", NOW)
    add_user(config / "users.json", "alice", "correct horse battery", NOW)
    _write_files(folder, (config / "keys.json").read_bytes())
    return Harbor(folder, _bundles(folder))


def _trust(folder: Path) -> None:
    trusting(folder, OURS, code=True)
    trusting(folder, DATA_ONLY)
    trusting(folder, DATED, not_after=NOW - timedelta(days=1))
    trusting(folder, RAISED, minimum_versions={"model": "1.0.1"})


def _write_files(folder: Path, keys: bytes) -> None:
    files = {
        "empty.json": (b"", 0o600),
        "blank.json": (b" \n\t" * 20, 0o600),
        "nobody.json": (b'{"format": 1, "keys": []}', 0o600),
        "short.secret": (b"5ecre7" * 5 + b"x\n", 0o600),
        "open.json": (keys, 0o644),
        "writable.json": (keys, 0o602),
    }
    for name, (data, mode) in files.items():
        (folder / name).write_bytes(data)
        (folder / name).chmod(mode)


def _bundles(folder: Path) -> dict[str, Path]:
    model = LinearFile("lading.linear/1", ("x",), coef=((2.0,),), intercept=(0.0,))
    (folder / "double.py").write_text(MODEL)
    packed = lading.pack(model, path=folder / "double-1.0.0.lading").path
    program = lading.pack(folder / "double.py", path=folder / "program-1.0.0.lading").path
    signers = {"good": OURS, "unsigned": None, "nobodys": NOBODYS, "dated": DATED, "raised": RAISED}
    bundles = {"program": sign(program, DATA_ONLY)}
    for name, key in signers.items():
        (folder / name).mkdir()
        bundles[name] = Path(shutil.copy(packed, folder / name))
        if key is not None:
            sign(bundles[name], key)
    return bundles


@pytest.fixture(scope="module")
def refused(harbor: Harbor) -> Iterator[dict[str, "Future[tuple[Any, int]]"]]:
    """How every start ended; two at a time."""
    with ThreadPoolExecutor(2) as threads:
        yield {name: threads.submit(harbor.refuse, case) for name, case in CASES.items()}


@pytest.mark.parametrize("name", CASES)
def test_t039_it_does_not_start_and_says_why(refused: dict[str, "Future[tuple[Any, int]]"], name: str):
    case, (done, port) = CASES[name], refused[name].result()
    told = done.stderr.decode()
    assert (done.returncode, done.stdout) == (case.code, b""), told
    lines = [line for line in told.splitlines() if not line.startswith('{"level":"info"')]
    assert lines[0].startswith("error: ")
    assert case.says in lines[0]
    assert len(lines) == 2, told
    assert all(line.startswith("  ") and line.strip() for line in lines[1:])
    assert name not in INSECURE or "--insecure" in lines[1]
    assert not any(word in told for word in ("Traceback", "5ecre7"))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads every file")
def test_t039_a_file_that_cannot_be_read(harbor: Harbor):
    path = harbor.folder / "unreadable.json"
    path.touch(0o000)
    done, _ = harbor.refuse(Case(FAILED, "", (*PRODUCTION, "--keys-file", str(path))))
    assert done.returncode == FAILED
    assert "cannot read" in done.stderr.decode()


@pytest.mark.parametrize(
    "credentials",
    [
        *(
            "Bearer admin",
            "Bearer lading",
            "Bearer changeme",
            "Bearer lk_",
            "Bearer lt_",
            "Bearer null",
            "Bearer undefined",
        ),
        *(
            "Basic YWRtaW46YWRtaW4=",
            "Basic bGFkaW5nOmxhZGluZw==",
            "Basic Og==",
            "Basic YWxpY2U6",
            "Bearer {}",
            "Token x",
        ),
    ],
)
def test_t039_nobody_is_let_in_by_default(production: Server, credentials: str):
    host, port = production.url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    try:
        connection.request("GET", "/metadata", headers={"Authorization": credentials})
        assert connection.getresponse().status == 401
    finally:
        connection.close()


@pytest.fixture(scope="module")
def production(harbor: Harbor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that has all that it needs."""
    log = tmp_path_factory.mktemp("production") / "log"
    options = ("--production", "--auth", "keys,basic,tokens", "--failure-rate-limit", "1000/s")
    server = Server(str(harbor.bundles["good"]), "--port", "0", *options, log=log, environment=harbor.environment)
    try:
        server.banner()
        yield server
    finally:
        server.end()
