"""What a replica takes: measured with a real one, reckoned where there is none, said where somebody knows better."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from tests.live import environment
from tests.serve.family import is_alive, until
from tests.signed import sign, trusting

import lading
from lading.bundle.declared import Declared
from lading.bundle.lookups import Lookup
from lading.bundle.manifest import Member, Requirement
from lading.bundle.signing.keys import PrivateKey
from lading.bundle.signing.trust import TrustStore
from lading.cli import cli
from lading.errors import Untrusted, UsageError
from lading.settings import without_settings
from lading.ship import shipper as shippers
from lading.ship.files import File, text_file
from lading.ship.measuring import MB, Measured, estimate, measure
from lading.ship.plan import Choices, Plan, make_plan

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what memory a process takes")
HELD = 10_000 * 20_000
"""Bytes that so many rows leave in a model that keeps something of each."""


@pytest.fixture
def packed(tmp_path: Path, key: PrivateKey) -> Callable[..., Path]:
    """Packs a function of Python, and signs it."""

    def pack(source: str) -> Path:
        file = tmp_path / "model.py"
        file.write_text(source)
        declared = Declared(name="model", version="1.0.0")
        return sign(lading.pack(file, path=tmp_path / "model-1.0.0.lading", declared=declared).path, key)

    return pack


def children() -> set[str]:
    """The processes that this one has started and that are still there."""
    return {word for task in Path("/proc/self/task").iterdir() for word in (task / "children").read_text().split()}


# --- measured


def test_a_replica_is_started_asked_and_ended(plan: Callable[..., Plan]):
    before = children()
    found = measure(plan())
    assert (found.is_estimate, found.reason) == (False, "")
    assert 1 <= found.load_s < 60
    assert 30 * MB < found.memory_bytes < 200 * MB
    assert children() <= before


def test_several_workers_take_more(plan: Callable[..., Plan]):
    one, two = (measure(plan(settings={"workers": workers})) for workers in ("1", "2"))
    assert not two.is_estimate
    assert one.memory_bytes < two.memory_bytes < 2 * one.memory_bytes


def test_what_many_rows_take_counts(packed: Callable[..., Path], trust: TrustStore):
    source = "kept = []\n\n\ndef greedy(x: float) -> float:\n    kept.append(b'x' * 20_000)\n    return x\n"
    found = measure(make_plan(packed(source), trust, Choices(lock=False)))
    assert not found.is_estimate
    assert HELD < found.memory_bytes < 2 * HELD


def test_what_is_too_slow_for_many_rows_is_measured_too(packed: Callable[..., Path], trust: TrustStore):
    source = "import time\n\n\ndef slow(x: float) -> float:\n    time.sleep(0.002)\n    return x\n"
    plan = make_plan(packed(source), trust, Choices(lock=False, settings={"request_timeout_s": "0.2"}))
    assert not measure(plan).is_estimate


def test_settings_of_the_person_do_not_reach_it(plan: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch):
    for name, value in {"AUTH": "keys", "HOST": "0.0.0.0", "PORT": "1", "NO_SUCH_SETTING": "x"}.items():
        monkeypatch.setenv(f"LADING_{name}", value)
    assert not measure(plan()).is_estimate
    assert {name for name in os.environ if name.startswith("LADING_")}.isdisjoint(without_settings())


def test_a_file_of_settings_beside_the_bundle_does_not_reach_it(copied: Path, trust: TrustStore):
    (copied.parent / "lading.toml").write_text("[serve]\nno_such_setting = 1\n")
    assert not measure(make_plan(copied, trust, Choices(lock=False))).is_estimate


# --- estimated


def test_code_of_a_key_that_is_trusted_for_data_only_is_not_run(
    packed: Callable[..., Path], key: PrivateKey, tmp_path: Path
):
    trace = f"import pathlib\n\npathlib.Path({str(tmp_path / 'trace')!r}).touch()\n"
    source = f"{trace}\n\ndef model(x: float) -> float:\n    return x\n"
    bundle = packed(source)
    (tmp_path / "trace").unlink()  # packing has run it
    with pytest.raises(Untrusted, match="is not served"):
        measure(make_plan(bundle, trusting(tmp_path / "trust", key), Choices(lock=False)))
    assert not (tmp_path / "trace").exists()


def test_a_start_has_an_end(plan: Callable[..., Plan]):
    found = measure(plan(), limit_s=0.001)
    assert (found.is_estimate, found.reason) == (True, "it was not ready within 0.001 s")


def test_libraries_that_are_not_here_are_told(
    packed: Callable[..., Path], trust: TrustStore, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as patch:
        patch.setattr("lading.engine.loading.installed", lambda names: (Requirement("no-such-library", "1.0"),))
        bundle = packed("def model(x: float) -> float:\n    return x\n")
    found = measure(make_plan(bundle, trust, Choices(lock=False)))
    assert found.is_estimate
    assert found.reason == "this environment does not have the libraries that the model needs"


def test_no_store_of_features_is_asked(renamed: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(subprocess, "Popen", _refuse)
    found = measure(renamed(features={"store": Lookup(key="id", columns=("a",), sql="select 1")}))
    assert (found.is_estimate, found.reason) == (True, "it looks features up in a store, which is not asked for this")


def _refuse(*_: Any, **__: Any) -> None:
    raise AssertionError("a process was started")


def test_an_estimate_grows_with_what_is_loaded(renamed: Callable[..., Plan]):
    def estimated(*libraries: str, size: int = 1, **choices: Any) -> Measured:
        needed = tuple(Requirement(library, "1.0") for library in libraries)
        return estimate(renamed(choices, requirements=needed, files=(Member("model", "0" * 64, size),), engine=None))

    little = estimated("numpy")
    for more in (estimated("scikit-learn", "scipy"), estimated("torch"), estimated("numpy", size=500 * MB)):
        assert more.is_estimate
        assert more.load_s > little.load_s
        assert more.memory_bytes > 2 * little.memory_bytes
    assert estimated("numpy", settings={"workers": "3"}).memory_bytes > 2 * little.memory_bytes


# --- said


def test_what_is_said_is_not_measured(plan: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(subprocess, "Popen", _refuse)
    assert measure(plan(load_s=20, memory_mb=600)) == Measured(20, 600 * MB, is_estimate=False)


def test_one_of_the_two_may_be_said(plan: Callable[..., Plan]):
    found = measure(plan(load_s=20), limit_s=0.001)
    assert (found.load_s, found.memory_bytes, found.is_estimate) == (20, estimate(plan()).memory_bytes, True)


# --- on the command line


class Told:
    """A target whose one file is what it was told."""

    needs_measure = True

    def files(self, plan: Plan) -> list[File]:
        return [text_file("told", repr(plan.measured))]

    def next_steps(self, plan: Plan, folder: str) -> list[str]:
        return []


@pytest.fixture
def ship(bundle: Path, trust: TrustStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs `lading ship` to that target."""
    monkeypatch.setattr(shippers, "shipper_named", lambda name: Told())
    fixed = ["ship", "told", str(bundle), "--trust", str(trust.folder), "--no-lock", "-o", str(tmp_path / "out")]
    return lambda *more: CliRunner().invoke(cli, [*fixed, *more])


def test_who_ships_is_told_what_was_measured(ship: Callable[..., Any], tmp_path: Path):
    done = ship()
    assert done.exit_code == 0, done.output
    assert "  replica   ready after " in done.output
    assert "estimated" not in done.output
    assert "is_estimate=False" in (tmp_path / "out" / "told").read_text()


def test_who_ships_is_told_that_it_was_not(ship: Callable[..., Any], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lading.ship.measuring.measure", lambda plan: estimate(plan, "for a reason"))
    done = ship("--dry-run")
    assert "  replica   ready after 2 s" in done.output
    assert "estimated: for a reason; --load-s and --memory-mb say better" in done.output


def test_programs_are_told_too(ship: Callable[..., Any]):
    done = ship("--json", "--load-s", "20", "--memory-mb", "600")
    told = msgspec.json.decode(done.stdout)["measured"]
    assert told == {"load_s": 20.0, "memory_bytes": 600 * MB, "is_estimate": False, "reason": ""}


@pytest.mark.parametrize("said", [("--load-s", "-1"), ("--load-s", "nan"), ("--memory-mb", "-5")])
def test_what_cannot_be_is_refused(ship: Callable[..., Any], said: tuple[str, str]):
    done = ship(*said)
    assert isinstance(done.exception, UsageError)
    assert said[0] in done.exception.message


def test_what_is_started_ends_with_who_started_it_however_that_ends():
    code = (
        "import subprocess; from lading.ship.trial import _end_with_parent;"
        "print(subprocess.Popen(['sleep', '60'], preexec_fn=_end_with_parent).pid, flush=True); input()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], env=environment(PYTHONWARNINGS=""), **pipes) as starter:
        child = int(starter.stdout.readline())
        assert is_alive(child)
        starter.kill()
    until(lambda: not is_alive(child), "the child has ended")
