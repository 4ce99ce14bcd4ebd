"""A run that is killed goes on where it was: no row is lost or doubled, and the output is the same byte for byte."""

import fcntl
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.batch.conftest import FRAME, NAMES, Predict, read, write
from tests.live import environment

from lading.batch.folder import PartsFolder
from lading.batch.sources import find_sources, refuse_changed
from lading.errors import LadingError

FILES = 40


@pytest.fixture
def many(folder: Path) -> Path:
    """Files of a few rows, of which one in each does not fit."""
    for place in range(FILES):
        frame = FRAME.copy()
        frame.loc[place, NAMES[0]] = float("nan")
        write(frame, folder / f"{place:02}.parquet")
    return folder


def start(*arguments: object) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "lading", "predict", *map(str, arguments)]
    return subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE)


def kill_after(process: "subprocess.Popen[bytes]", parts: int, folder: Path) -> bool:
    """Kill the process as soon as it has done so many parts; whether it was killed."""
    while process.poll() is None:
        if len(list(folder.glob("*.part"))) >= parts:
            process.kill()
        try:
            process.wait(0.002)
        except subprocess.TimeoutExpired:
            continue
    process.communicate()
    return process.returncode == -signal.SIGKILL


@pytest.mark.parametrize(("kind", "workers"), [("parquet", 1), ("csv", 2)])
def test_a_killed_run_goes_on(kind: str, workers: int, many: Path, predict: Predict, iris_path: Path, scale: str):
    assert predict("*.parquet", "-o", f"whole.{kind}", "--columns", "id").code == 0
    lots, parts = random.Random(f"{kind} {workers}"), many / f"scored.{kind}.parts"
    arguments = (iris_path, "??.parquet", "-o", f"scored.{kind}", "--columns", "id", "--workers", workers)
    kills = 0
    for _ in range(20 if scale == "full" else 2):
        done = len(list(parts.glob("*.part")))
        kills += kill_after(start(*arguments), min(done + lots.randint(1, 15), FILES), parts)
    result = predict("??.parquet", "-o", f"scored.{kind}", "--columns", "id", workers=workers)
    assert result.code == 0
    assert kills
    for name in (f"{{}}.{kind}", "{}.rejects.jsonl"):
        assert (many / name.format("scored")).read_bytes() == (many / name.format("whole")).read_bytes()
    assert len(read(many / f"scored.{kind}")) == FILES * 149
    assert not parts.exists()


@pytest.fixture
def cut_off(predict: Predict, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a run that could not end."""
    for name in ("a.csv", "b.csv"):
        write(FRAME, folder / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lading.batch.output.FileOutput.end", _stop)
        with pytest.raises(RuntimeError):
            predict("a.csv", "b.csv", "-o", "scored.csv", "--columns", "id")
    return folder / "scored.csv.parts"


def _stop(output: object) -> None:
    raise RuntimeError


def test_what_is_done_is_said(cut_off: Path, predict: Predict):
    assert len(list(cut_off.glob("*.part"))) == 2
    result = predict("a.csv", "b.csv", "-o", "scored.csv", "--columns", "id")
    assert result.err == "resuming  2 chunks are done\nwrote     scored.csv   300 rows\n"


def test_a_part_that_is_broken_is_done_again(cut_off: Path, predict: Predict, folder: Path):
    (cut_off / "00000001.part").write_bytes(b"half a p")
    assert predict("a.csv", "b.csv", "-o", "scored.csv", "--columns", "id").code == 0
    assert len(read(folder / "scored.csv")) == 300


CHANGES: dict[str, tuple[Callable[[Path], object], list[str], str]] = {
    "another input": (lambda folder: write(FRAME.head(9), folder / "b.csv"), ["--columns", "id"], "other inputs"),
    "other options": (lambda folder: None, ["--columns", "id", "--proba"], "other options"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_another_run_is_not_mixed_with_it(name: str, cut_off: Path, predict: Predict, folder: Path):
    change, options, words = CHANGES[name]
    change(folder)
    result = predict("a.csv", "b.csv", "-o", "scored.csv", *options)
    assert (result.code, result.err) == (
        2,
        f"error: scored.csv.parts is of another run, with {words}\n  begin anew: --restart\n",
    )
    assert predict("a.csv", "b.csv", "-o", "scored.csv", *options, "--restart").code == 0
    assert not cut_off.exists()


def test_another_model_is_not_mixed_with_it(cut_off: Path, predict: Predict, churn_path: Path, folder: Path):
    said = json.loads((cut_off / "run.json").read_bytes())
    (cut_off / "run.json").write_text(json.dumps(said | {"model": "another"}))
    assert "with another model" in predict("a.csv", "b.csv", "-o", "scored.csv", "--columns", "id").err


def test_two_runs_at_once_are_refused(cut_off: Path, predict: Predict):
    with (cut_off / "run.json").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        result = predict("a.csv", "b.csv", "-o", "scored.csv", "--columns", "id")
    assert (result.code, result.err.splitlines()[0]) == (1, "error: another run is going on in scored.csv.parts")


def test_a_link_in_place_of_a_part_is_not_followed(cut_off: Path, predict: Predict, folder: Path):
    part = cut_off / "00000000.part"
    (folder / "elsewhere").write_bytes(part.read_bytes())
    part.unlink()
    part.symlink_to(folder / "elsewhere")
    (cut_off / "output").unlink()
    (cut_off / "output").symlink_to(folder / "elsewhere")
    assert predict("a.csv", "b.csv", "-o", "scored.csv", "--columns", "id").code == 0
    assert (folder / "elsewhere").exists()
    assert len(read(folder / "scored.csv")) == 300


STRANGE: dict[str, Callable[[Path], object]] = {
    "a file": lambda path: path.touch(),
    "a link": lambda path: path.symlink_to("."),
    "things of others": lambda path: (path.mkdir(), (path / "thesis.tex").touch()),
    "open to others": lambda path: (path.mkdir(), path.chmod(0o777)),
}


@pytest.mark.parametrize("name", STRANGE)
def test_a_folder_of_somebody_else_is_left_alone(name: str, predict: Predict, folder: Path):
    write(FRAME, folder / "a.csv")
    STRANGE[name](folder / "scored.csv.parts")
    before = sorted(os.walk(folder))
    result = predict("a.csv", "-o", "scored.csv", "--columns", "id", "--restart")
    assert (result.code, result.err.splitlines()[0]) == (1, "error: scored.csv.parts was not made by this command")
    assert sorted(os.walk(folder)) == before


def test_stdin_leaves_nothing_behind(predict: Predict, folder: Path):
    broken = FRAME.to_csv(index=False).encode() + b'"'
    assert predict("-", "-o", "scored.csv", "--columns", "id", stdin=broken).code == 1
    assert list(folder.iterdir()) == []


def test_a_break_in_the_middle_keeps_what_is_done(predict: Predict, folder: Path):
    write(FRAME, folder / "a.parquet")
    data = bytearray(write(FRAME, folder / "b.parquet").read_bytes())
    data[4:3000] = bytes(2996)
    (folder / "b.parquet").write_bytes(data)
    result = predict("a.parquet", "b.parquet", "-o", "scored.csv", "--columns", "id")
    assert (result.code, result.err.count("\n")) == (1, 1)
    assert result.err.startswith("error: b.parquet cannot be read")
    assert (folder / "scored.csv.parts" / "00000000.part").exists()
    assert not (folder / "scored.csv").exists()


def test_a_file_that_changes_meanwhile_is_said(folder: Path):
    (source,) = find_sources([str(write(FRAME, folder / "a.csv"))], None)
    refuse_changed(source)
    os.utime("a.csv", (1, 1))
    with pytest.raises(LadingError, match=r"a\.csv was changed while it was read"):
        refuse_changed(source)


def test_only_one_run_holds_the_folder(folder: Path):
    run = {"is_resumable": True, "restart": False}
    with PartsFolder(folder / "out", {"version": "1"}, **run), pytest.raises(LadingError, match="another run"):
        PartsFolder(folder / "out", {"version": "1"}, **run)
