"""Stores that are real: a file of SQLite, and servers of PostgreSQL and Redis that end with the tests."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

import lading
from lading.bundle.manifest import check_names
from lading.engine.model import Model
from lading.features.completion import Completion
from lading.flavors.linear import LinearFile
from lading.monitor.counters import SharedCounters
from lading.monitor.slots import Slots
from lading.settings import Settings

WAIT_S = 60.0
CANARY = "canary-of-a-password"
COLUMNS = ("rooms", "crime_rate", "school_score")
HOMES = LinearFile("lading.linear/1", COLUMNS, coef=((1.0, 10.0, 100.0),), intercept=(0.0,))
"""A model whose answer tells all of its columns: 2 rooms where crime is 3 and schools are 4 give 432."""
SQL = "SELECT district_id, school_score, crime_rate FROM districts WHERE district_id IN (:keys)"
DISTRICT = {"key": "district_id", "columns": ["crime_rate", "school_score"], "sql": SQL, "example": "M1"}
ROWS = [("M1", 3.0, 4.0), ("M2", 5.0, 6.0), ("'; DROP TABLE districts; --", 1.0, 2.0)]


@pytest.fixture(scope="session")
def pack_homes(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Packs the model with a lookup by district, as it is said otherwise."""

    def pack(inputs: Any = None, features: Any = None, **said: Any) -> Path:
        path = tmp_path_factory.mktemp("homes") / "homes-1.0.0.lading"
        features = {"district": DISTRICT | said} if features is None else features
        return lading.pack(HOMES, path=path, name="homes", inputs=inputs or {}, features=features).path

    return pack


@pytest.fixture(scope="session")
def homes(pack_homes: Callable[..., Path]) -> Model:
    return lading.load(pack_homes())


@pytest.fixture(scope="session")
def nullable_homes(homes: Model) -> Callable[..., Model]:
    """Makes a model whose looked-up columns may be null, with another lookup."""

    def make(**said: Any) -> Model:
        lookup = msgspec.structs.replace(homes.manifest.features["district"], **said)
        schema = homes.schema
        inputs = tuple(msgspec.structs.replace(field, nullable=field.name != "rooms") for field in schema.inputs)
        schema = msgspec.structs.replace(schema, inputs=inputs)
        manifest = msgspec.structs.replace(homes.manifest, model_schema=schema, features={"district": lookup})
        check_names(manifest)
        return replace(homes, manifest=manifest)

    return make


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A file of SQLite with the districts."""
    path = tmp_path / "features.db"
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE districts (district_id TEXT PRIMARY KEY, crime_rate REAL, school_score REAL)")
        connection.executemany("INSERT INTO districts VALUES (?, ?, ?)", ROWS)
    return path


@pytest.fixture
def url(database: Path) -> str:
    return f"sqlite:///{database}"


class Looking:
    """What completes rows, in an event loop of its own, with its counters."""

    def __init__(self, model: Model, url: str, **settings: Any) -> None:
        self.counters = SharedCounters(Slots.create(1), 0)
        self.completion = Completion(model.manifest, Settings(features_url=url, **settings), self.counters)
        self._runner = asyncio.Runner()

    def run(self, work: Any) -> Any:
        return self._runner.run(asyncio.wait_for(work, WAIT_S))

    def complete(self, *rows: Any, timeout_s: float = 10.0) -> Any:
        """The rows of the model for these of a request: the key, and the rooms."""
        return self.run(self.completion.complete(rows, timeout_s))

    def complete_all(self, *requests: Any) -> list[Any]:
        """The same for requests that are there together; an error stands in its place."""

        async def together() -> list[Any]:
            asked = (self.completion.complete(rows, 10.0) for rows in requests)
            return await asyncio.gather(*asked, return_exceptions=True)

        return self.run(together())

    def count(self, what: str) -> float:
        return self.counters.total(f"features_{what}", "district")

    def close(self) -> None:
        self._runner.close()
        self.completion.close()


Look = Callable[..., Looking]


@pytest.fixture
def look() -> Iterator[Look]:
    """Makes what completes rows."""
    made: list[Looking] = []

    def make(model: Model, url: str, **settings: Any) -> Looking:
        made.append(Looking(model, url, **settings))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture(scope="session")
def canary() -> str:
    return CANARY


# --- servers


class Server:
    """A server as a process of a user who may do nothing, in a folder of its own."""

    def __init__(self, folder: Path, command: list[str], is_up: Callable[[], bool], user: dict[str, Any]) -> None:
        self.folder = folder
        self._command = command
        self._is_up = is_up
        self._user = user
        self.url = ""

    def start(self) -> None:
        self.process = subprocess.Popen(
            self._command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **self._user
        )
        end = time.monotonic() + WAIT_S
        while not self._is_up():
            assert self.process.poll() is None, "the server ended"
            assert time.monotonic() < end, "the server does not come up"

    def kill(self) -> None:
        self._signal(signal.SIGKILL)
        self.process.wait(WAIT_S)

    def hang(self) -> None:
        """Do nothing more, with all processes."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children")
        started = children.read_text().split() if children.exists() else []
        for each in [*map(int, started), pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, number)


def _folder(user: dict[str, Any]) -> Path:
    # Not in pytest's, which nobody else may enter; and not long, as the name of a socket may not be.
    folder = Path(tempfile.mkdtemp(prefix="lading-store-"))
    if user:
        shutil.chown(folder, user["user"])
    return folder


def _unprivileged(name: str) -> dict[str, Any]:
    return {"user": name, "group": name, "extra_groups": []} if os.geteuid() == 0 else {}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture(scope="session")
def postgresql_program() -> Path:
    found = [*sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres")), shutil.which("postgres")]
    if not found[0]:
        pytest.skip("there is no PostgreSQL here: apt-get install postgresql")
    return Path(found[0])


@pytest.fixture(scope="session")
def _postgresql(postgresql_program: Path) -> Iterator[Server]:
    psycopg = pytest.importorskip("psycopg")
    user = _unprivileged("postgres")
    folder = _folder(user)
    data = folder / "data"
    initdb = [str(postgresql_program.with_name("initdb")), "-D", str(data), "-U", "lading", "-A", "trust", "-N"]
    subprocess.run(initdb, check=True, cwd=folder, capture_output=True, timeout=WAIT_S, **user)
    url = f"postgresql://lading:{CANARY}@/postgres?host={folder}"

    def is_up() -> bool:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    options = ["-D", str(data), "-k", str(folder), "-c", "listen_addresses=", "-c", "fsync=off"]
    server = Server(folder, [str(postgresql_program), *options], is_up, user)
    server.url = url
    server.start()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE districts (district_id text PRIMARY KEY, crime_rate numeric, school_score real)"
        )
        connection.cursor().executemany("INSERT INTO districts VALUES (%s, %s, %s)", ROWS)
    yield server
    server.kill()
    shutil.rmtree(folder)


@pytest.fixture
def postgresql(_postgresql: Server) -> Iterator[Server]:
    """A server of PostgreSQL with the districts; up again, whatever a test has done to it."""
    yield _postgresql
    _postgresql.go_on()
    if _postgresql.process.poll() is not None:
        _postgresql.start()


@pytest.fixture
def redis(canary: str) -> Iterator[Server]:
    """A server of Redis with the districts."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("there is no Redis here: apt-get install redis-server")
    driver = pytest.importorskip("redis")
    user, port = _unprivileged("nobody") | ({"group": "nogroup"} if os.geteuid() == 0 else {}), _free_port()
    folder = _folder(user)
    url = f"redis://:{canary}@127.0.0.1:{port}/0"

    def is_up() -> bool:
        # Somebody else may have taken the port, and say nothing.
        failures = (driver.ConnectionError, driver.TimeoutError)
        with contextlib.suppress(*failures), driver.Redis.from_url(url, socket_timeout=2) as client:
            for key, crime_rate, school_score in ROWS:
                client.hset(f"district:{key}", mapping={"crime_rate": crime_rate, "school_score": school_score})
            return True
        return False

    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--requirepass", canary]
    server = Server(folder, [program, *options], is_up, user)
    server.url = url
    server.start()
    yield server
    server.go_on()
    server.kill()
    shutil.rmtree(folder)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port where connections are taken, and nobody says anything."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield int(listener.getsockname()[1])
