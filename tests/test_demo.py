"""`scripts/demo` does what it shows, in the environment that the tests run in, and leaves nothing behind."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PATIENCE_S = 300
GOES_TO_ITS_CHECKOUT = """CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." """


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout whose environment is there already, so that nothing is installed."""
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "demo", folder / "scripts")
    (folder / "scripts" / "environment").write_text(GOES_TO_ITS_CHECKOUT, "utf-8")
    (folder / "examples").symlink_to(ROOT / "examples")
    (folder / ".venv" / "bin").mkdir(parents=True)
    for name, words in {"python": "", "lading": "-m lading"}.items():
        program = folder / ".venv" / "bin" / name
        program.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}/src" exec "{sys.executable}" {words} "$@"\n', "utf-8")
        program.chmod(0o755)
    return folder


def _start(checkout: Path, temporary: Path) -> subprocess.Popen[str]:
    """The demo, in a process group of its own; a setting that is left over from elsewhere does not reach it."""
    temporary.mkdir()
    return subprocess.Popen(
        [checkout / "scripts" / "demo"],
        env=os.environ | {"TMPDIR": str(temporary), "LADING_PORT": "none"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def _has_processes(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _end_all(demo: subprocess.Popen[str]) -> None:
    """End what a demo that failed has left."""
    if _has_processes(demo.pid):
        os.killpg(demo.pid, signal.SIGKILL)
    demo.wait(PATIENCE_S)
    if demo.stdout is not None:
        demo.stdout.close()


@pytest.fixture(scope="module")
def shown(checkout: Path) -> Iterator[str]:
    """What the demo prints, once it has ended."""
    demo = _start(checkout, checkout / "whole")
    try:
        output, _ = demo.communicate(timeout=PATIENCE_S)
        assert demo.returncode == 0, output
        assert not _has_processes(demo.pid)
        yield output
    finally:
        _end_all(demo)


def test_the_demo_serves_three_models_and_stops_each(shown: str):
    ports = re.findall(r"^  open +http://127\.0\.0\.1:(\d+)$", shown, re.MULTILINE)
    assert len(ports) == 3
    assert shown.count("(the server has stopped with exit code 0)") == 3


def test_the_demo_shows_good_answers_and_bad_ones(shown: str):
    assert re.search(r'^{"prediction":"malignant","probabilities":{"benign":0\.', shown, re.MULTILINE)
    assert re.search(r'^{"prediction":"leaves","id":"[0-9a-f]{32}"}$', shown, re.MULTILINE)
    assert "did you mean `mean radius`?" in shown
    assert shown.count('"status": 422') == 2


def test_the_demo_ends_in_predictions(shown: str):
    *_, header, first, _, _ = shown.rstrip().splitlines()
    assert header.endswith(",prediction")
    assert first.rpartition(",")[2] in ("benign", "malignant")


def test_the_demo_leaves_no_file(shown: str, checkout: Path):
    assert [*(checkout / "whole").iterdir()] == []
    assert sorted(path.name for path in checkout.iterdir() if path.name != "whole") == [".venv", "examples", "scripts"]


def test_a_demo_that_is_interrupted_leaves_nothing_either(checkout: Path, tmp_path: Path):
    demo = _start(checkout, tmp_path / "temporary")
    try:
        assert demo.stdout is not None
        assert any(line.startswith("  open ") for line in demo.stdout)
        demo.terminate()
        demo.communicate(timeout=PATIENCE_S)
        assert demo.returncode == 130
        assert not _has_processes(demo.pid)
        assert [*(tmp_path / "temporary").iterdir()] == []
    finally:
        _end_all(demo)
