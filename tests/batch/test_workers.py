"""Workers end with their parent, a parent says when one of them has ended, and nothing that a model prints is data."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.batch.conftest import FRAME, Predict, write
from tests.live import environment

import lading
from lading.batch.answering import identity_of
from lading.batch.chunk import Chunk, decode_part
from lading.batch.plan import Plan
from lading.batch.workers import Order, Worker
from lading.errors import LadingError

ENOUGH_S = 30.0


def order(path: Path) -> Order:
    model = lading.load(path)
    plan = Plan(model.schema.names, (), ("prediction",), proba=False, kind="csv")
    return Order(path, False, None, identity_of(model), plan)


def chunk() -> Chunk:
    return Chunk(0, "rows.csv", "csv", 0, FRAME.iloc[:3, :4].to_csv(index=False).encode())


def until(is_so: Callable[[], bool]) -> bool:
    """Whether it becomes so in time."""
    pause, deadline = threading.Event(), ENOUGH_S / 0.01
    while not is_so() and deadline:
        pause.wait(0.01)
        deadline -= 1
    return is_so()


def test_a_worker_scores_until_it_is_ended(iris_path: Path):
    worker = Worker(order(iris_path))
    try:
        parts = [decode_part(worker.score(chunk())) for _ in range(2)]
    finally:
        worker.end()
    assert [part and part.body for part in parts] == [b"setosa\n" * 3] * 2
    with pytest.raises(LadingError, match="a worker has ended with the exit code -9"):
        worker.score(chunk())


def test_a_worker_that_loads_something_else_says_so(iris_path: Path, churn_path: Path):
    said = order(iris_path)
    worker = Worker(Order(churn_path, False, None, said.identity, said.plan))
    try:
        with pytest.raises(LadingError, match="was changed while it was loaded"):
            worker.score(chunk())
    finally:
        worker.end()


def test_workers_end_when_their_parent_is_killed(folder: Path, iris_path: Path):
    for place in range(20):
        write(FRAME, folder / f"{place:02}.csv")
    words = ["predict", iris_path, "*.csv", "-o", "scored.jsonl", "--columns", "id", "--workers", 2]
    command = [sys.executable, "-m", "lading", *map(str, words)]
    process = subprocess.Popen(command, env=environment(), stderr=subprocess.DEVNULL)
    children: list[str] = []

    def has_children() -> bool:
        tasks = Path(f"/proc/{process.pid}/task").glob("*/children")
        children[:] = [child for task in tasks for child in task.read_text().split()]
        return len(children) >= 3  # two workers, and what tracks what they share

    assert until(has_children)
    process.kill()
    process.wait(ENOUGH_S)
    assert until(lambda: not any(Path(f"/proc/{child}/exe").exists() for child in children))


def test_ctrl_c_says_how_to_go_on(folder: Path, iris_path: Path):
    os.mkfifo(folder / "rows.csv")
    write(FRAME, folder / "first.csv")
    words = ["predict", iris_path, "first.csv", "-o", "scored.csv", "--columns", "id", "--workers", 2]
    slow = "import lading.batch.run as run; run._items = lambda *_: open('rows.csv')"  # which waits for a writer
    code = f"{slow}; import sys; sys.argv = {['lading', *map(str, words)]}; from lading.cli import main; main()"
    process = subprocess.Popen([sys.executable, "-c", code], env=environment(), stderr=subprocess.PIPE, text=True)
    assert until((folder / "scored.csv.parts" / "run.json").exists)
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=ENOUGH_S)[1]
    assert (process.returncode, told.strip()) == (130, "stopped   nothing is kept")


def test_what_a_model_prints_is_no_data(predict: Predict, folder: Path, capfd: pytest.CaptureFixture[str]):
    (folder / "loud.py").write_text("def twice(x: int) -> int:\n    print('asked')\n    return 2 * x\n")
    lading.pack("loud.py:twice", path="loud.lading")
    for name in "ab":
        (folder / f"{name}.csv").write_text("x\n1\n")
    capfd.readouterr()
    for workers in (1, 2):
        result = predict("a.csv", "b.csv", "-o", "-", model="loud.lading", workers=workers)
        assert (result.code, result.out) == (0, "x,prediction\n1,2\n1,2\n")
        assert result.err.count("asked") >= 2
