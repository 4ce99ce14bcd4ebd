"""A new generation beside the one that serves: no request fails, and a bad one changes nothing."""

import os
import re
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

import lading
from lading.bundle.declared import Declared
from lading.flavors.linear import LinearFile

from .family import family, kill, masters, pss_bytes, until, workers
from .load import loaded

FAST = ("--workers", "2", "--drain-s", "0.3")

Put = Callable[[str], None]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return tmp_path / "double.lading"


@pytest.fixture
def put(bundle: Path, tmp_path: Path) -> Put:
    """Puts a version of the model that doubles in the place that is served, at once."""

    def put(version: str) -> None:
        model = LinearFile("lading.linear/1", ("x",), coef=((2.0,),), intercept=(0.0,))
        new = lading.pack(model, path=tmp_path / "new.lading", declared=Declared(name="double", version=version))
        os.replace(new.path, bundle)

    put("1.0.0")
    return put


def versions_served(server: Any) -> set[str | None]:
    answers = (httpx.get(f"{server.url}/predict?x=1", timeout=60) for _ in range(4))
    return {answer.headers["x-model"] for answer in answers}


def reload(run_lading: Any, server: Any) -> Any:
    return run_lading("reload", "--port", server.url.rpartition(":")[2], environment=server.environment)


def test_a_new_version_serves_when_reload_says_so(start: Any, run_lading: Any, put: Put, bundle: Path):
    server = start(bundle, *FAST)
    put("2.0.0")
    assert versions_served(server) == {"double/1.0.0"}
    done = reload(run_lading, server)
    assert (done.returncode, done.stderr) == (0, "double 2.0.0 serves now\n")
    assert versions_served(server) == {"double/2.0.0"}


def test_sighup_does_the_same(start: Any, put: Put, bundle: Path):
    server = start(bundle, *FAST)
    put("2.0.0")
    server.signal(signal.SIGHUP)
    until(lambda: versions_served(server) == {"double/2.0.0"}, "the new version serves")


def test_no_request_fails_however_often_it_is_reloaded(start: Any, run_lading: Any, put: Put, bundle: Path, scale: str):
    reloads = 200 if scale == "full" else 4
    server = start(bundle, *FAST)
    before = sum(map(pss_bytes, family(server.process.pid)))
    with loaded(server.url) as load:
        for number in range(reloads):
            put(f"{number + 2}.0.0")
            assert reload(run_lading, server).returncode == 0
    assert load.failures == load.wrong == []
    assert load.statuses() == {200}
    assert {model for _, model in load.answers} == {f"double/{number + 1}.0.0" for number in range(reloads + 1)}
    until(lambda: len(masters(server.process.pid)) == 1, "the old generations end")
    assert sum(map(pss_bytes, family(server.process.pid))) < before * 1.25


def spoil_file(bundle: Path, put: Put) -> None:
    bundle.write_bytes(b"no bundle")


def change_golden(bundle: Path, put: Put) -> None:
    """A model whose golden rows have other answers than it gives here: one that was packed with another factor."""
    from lading.bundle.bundle import Bundle, write_bundle

    put("2.0.0")
    with Bundle.open(bundle) as packed:
        members = {name: packed.read(name) for name in (packed.manifest.model, "golden.json")}
        manifest = packed.manifest
    members[manifest.model] = members[manifest.model].replace(b"2.0", b"2.5")
    bundle.unlink()
    write_bundle(bundle, manifest, members)


def remove_file(bundle: Path, put: Put) -> None:
    bundle.unlink()


BAD = {
    spoil_file: (3, "is not a bundle"),
    change_golden: (5, "golden rows have another answer than at packing"),
    remove_file: (2, "there is no file"),
}


@pytest.mark.parametrize("spoil", BAD, ids=lambda spoil: spoil.__name__)
def test_a_bad_version_ends_alone(start: Any, run_lading: Any, put: Put, bundle: Path, scale: str, spoil: Any):
    server = start(bundle, *FAST)
    serving = family(server.process.pid)
    spoil(bundle, put)
    with loaded(server.url) as load:
        for _ in range(20 if scale == "full" else 2):
            done = reload(run_lading, server)
            assert (done.returncode, BAD[spoil][1] in done.stderr) == (BAD[spoil][0], True), done.stderr
    assert load.failures == load.wrong == []
    assert set(load.answers) == {(200, "double/1.0.0")}
    assert family(server.process.pid) == serving


def test_a_version_that_hangs_is_given_up(start: Any, run_lading: Any, put: Put, bundle: Path):
    server = start(bundle, *FAST, "--start-timeout-s", "2")
    serving = family(server.process.pid)
    bundle.unlink()
    os.mkfifo(bundle.with_name("pipe"))
    bundle.symlink_to("pipe")  # opening it waits for somebody who writes
    done = reload(run_lading, server)
    assert done.returncode in (1, 2)
    assert versions_served(server) == {"double/1.0.0"}
    assert family(server.process.pid) == serving


def test_a_version_whose_process_is_killed_ends_alone(
    start: Any, run_lading: Any, odd_path: Path, gate: Any, odd_models: Any
):
    import joblib

    server = start(odd_path, *FAST)
    serving = masters(server.process.pid)
    joblib.dump(odd_models.Odd(loads_at=str(gate.folder)).fit(None), odd_path)
    server.signal(signal.SIGHUP)
    gate.is_entered()
    (starting,) = set(masters(server.process.pid)) - set(serving)
    os.kill(starting, signal.SIGKILL)
    until(lambda: "perhaps there is not enough memory" in server.log(), "the reason is logged")
    assert httpx.get(f"{server.url}/predict?x0=4").json()["prediction"] == 8.0
    assert masters(server.process.pid) == serving


def test_a_reload_is_told_when_the_server_ends(start: Any, run_lading: Any, odd_file: Any, gate: Any):
    server = start(odd_file(), *FAST)
    odd_file(loads_at=str(gate.folder))
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(reload, run_lading, server)
        gate.is_entered()
        server.signal(signal.SIGTERM)
        done = asking.result(60)
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        1,
        "error: the server ended before the new version served",
    )
    assert server.wait() == 0


def test_an_interrupt_does_not_wait_for_who_drains(start: Any, run_lading: Any, put: Put, bundle: Path):
    server = start(bundle, "--workers", "2", "--drain-s", "1000")
    assert reload(run_lading, server).returncode == 0
    server.signal(signal.SIGINT)
    assert server.wait() == 0


def test_a_crash_is_mended_while_another_generation_drains(start: Any, run_lading: Any, put: Put, bundle: Path):
    server = start(bundle, "--workers", "2", "--drain-s", "1000")
    old = masters(server.process.pid)
    assert reload(run_lading, server).returncode == 0
    (new,) = set(masters(server.process.pid)) - set(old)
    kill(new)
    until(lambda: "generation 3 serves" in server.log(), "another one serves")


def test_a_server_is_found_by_the_name_of_its_host(start: Any, run_lading: Any, put: Put, bundle: Path):
    server = start(bundle, *FAST, "--host", "localhost")
    port = server.url.rpartition(":")[2]
    assert run_lading("reload", "--host", "localhost", "--port", port, environment=server.environment).returncode == 0


def test_settings_are_read_anew(start: Any, run_lading: Any, put: Put, bundle: Path):
    config = bundle.with_name("lading.toml")
    config.write_text("[serve]\nworkers = 2\nmax_rows = 1\n")
    server = start(bundle, "--drain-s", "0.3")
    rows = [{"x": 1}, {"x": 2}]
    assert httpx.post(f"{server.url}/predict", json=rows).status_code == 413
    config.write_text("[serve]\nworkers = 3\n")
    assert reload(run_lading, server).returncode == 0
    assert httpx.post(f"{server.url}/predict", json=rows).status_code == 200
    until(lambda: len(workers(server.process.pid)) == 3, "the old workers end")


def test_settings_that_are_wrong_are_said_and_change_nothing(start: Any, run_lading: Any, put: Put, bundle: Path):
    config = bundle.with_name("lading.toml")
    server = start(bundle, *FAST)
    config.write_text("[serve]\nmax_row = 1\n")
    done = reload(run_lading, server)
    assert (done.returncode, "did you mean `max_rows`?" in done.stderr) == (2, True)
    assert versions_served(server) == {"double/1.0.0"}


def test_reload_without_a_server_says_what_it_needs(run_lading: Any, a_free_port: Any, tmp_path: Path):
    done = run_lading("reload", "--port", str(a_free_port()), environment={"XDG_RUNTIME_DIR": str(tmp_path)})
    assert done.returncode == 2
    assert "no server that could reload listens" in done.stderr
    assert "--workers 2" in done.stderr


def test_only_its_user_can_ask(start: Any, put: Put, bundle: Path):
    server = start(bundle, *FAST)
    folder = Path(server.environment["XDG_RUNTIME_DIR"]) / "lading"
    assert folder.stat().st_mode & 0o077 == 0
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    assert list(folder.iterdir()) == []


def test_a_folder_that_others_can_enter_is_not_used(start: Any, put: Put, bundle: Path, tmp_path: Path):
    folder = tmp_path / "runtime"
    (folder / "lading").mkdir(parents=True)
    (folder / "lading").chmod(0o777)
    server = start(bundle, *FAST, environment={"XDG_RUNTIME_DIR": str(folder)})
    assert "SIGHUP does the same" in server.log()
    assert list((folder / "lading").iterdir()) == []


def test_in_development_a_written_file_is_loaded(start: Any, put: Put, bundle: Path):
    server = start(bundle, "--reload", "--drain-s", "0")
    assert len(workers(server.process.pid)) == 1
    put("2.0.0")
    until(lambda: versions_served(server) == {"double/2.0.0"}, "the new version serves")
    assert re.search(r"double.lading has changed", server.log())


def test_the_supervisor_loads_no_library_of_models(start: Any, iris_path: Path):
    server = start(iris_path, *FAST)
    maps = Path(f"/proc/{server.process.pid}/maps").read_text()
    assert "msgspec" in maps
    assert "numpy" not in maps
    assert pss_bytes(server.process.pid) < 40 << 20
