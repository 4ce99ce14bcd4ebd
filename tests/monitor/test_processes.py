"""Several processes count at the same time, and some are killed: nothing is lost, and it can be read all along."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from lading.monitor.exposition import exposition
from lading.monitor.reading import Reading, read
from lading.monitor.slots import Slot, Slots, release

SRC = Path(__file__).parents[2] / "src"
PATIENCE_S = 60
SOME = 3000
WRITER = """
import sys
from lading.monitor.counters import SharedCounters
from lading.monitor.slots import Slots

fd, position, count = map(int, sys.argv[1:])
counters = SharedCounters(Slots.attach(fd), position, generation=1)
counters.set("in_flight", 1)
number = 0
while number != count:
    counters.add("batches")
    counters.add("warnings", f"column {number % 3000}")
    counters.observe("batch_rows", number % 300)
    counters.add("rows")
    number += 1
print("counted", flush=True)
sys.stdin.read()
"""
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts processes that count so often, or without an end, and then wait; they are killed at the end."""
    writers: list[subprocess.Popen[bytes]] = []

    def start(slots: Slots, position: int, count: int = -1) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", WRITER, str(slots.fd), str(position), str(count)]
        environment = os.environ | {"PYTHONPATH": str(SRC)}
        pipe = subprocess.PIPE
        writer = subprocess.Popen(command, pass_fds=[slots.fd], env=environment, stdin=pipe, stdout=pipe)
        writers.append(writer)
        return writer

    yield start
    for writer in writers:
        kill(writer)


def kill(writer: "subprocess.Popen[bytes]") -> None:
    """End it as the kernel does when memory runs out."""
    with writer:
        writer.kill()
    assert writer.returncode == -signal.SIGKILL


def wait(writer: "subprocess.Popen[bytes]") -> None:
    """Wait until it has counted what it was to count."""
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"counted\n"


def totals(reading: Reading) -> dict[tuple[str, str], float]:
    """All counts and all buckets, none of which may ever go down."""
    return {
        (name, f"{label} {position}"): value
        for name, labels in reading.items()
        if name != "in_flight"
        for label, values in labels.items()
        for position, value in enumerate(values)
    }


def test_what_processes_counted_before_they_were_killed_is_there_exactly(start: Start):
    slots = Slots.create(4)
    for generation in range(1, 3):
        writers = [start(slots, position, SOME) for position in range(4)]
        for writer in writers:
            wait(writer)
        assert read(slots)["in_flight"] == {"": [4.0]}
        for position, writer in enumerate(writers):
            kill(writer)
            release(slots, position)
        times, reading = 4 * generation, read(slots)
        assert reading["rows"] == reading["batches"] == {"": [times * SOME]}
        assert reading["warnings"] == {f"column {number}": [times] for number in range(SOME)}
        assert reading["batch_rows"][""][0] == times * sum(number % 300 for number in range(SOME))
        assert sum(reading["batch_rows"][""][1:]) == times * SOME
        assert "in_flight" not in reading


def test_who_is_killed_at_any_instant_leaves_what_was_counted(start: Start):
    slots = Slots.create(2)
    gaps, before = [0.0, 0.0], 0.0
    for round in range(4):
        writers = [start(slots, position) for position in range(2)]
        # Each round ends elsewhere: while columns are still new, and when they are known.
        goal, deadline = before + 700 * (round + 1), time.monotonic() + PATIENCE_S
        while before < goal:
            now = sum(read(slots).get("rows", {}).get("", [0.0]))
            assert now >= before
            assert time.monotonic() < deadline
            before = now
        for writer in writers:
            kill(writer)
        for position in range(2):
            one = {(entry.name, entry.label): entry for entry in Slot(slots, position).entries()}
            values = Slot(slots, position).values
            counts = Counter({key: values[entry.first] for key, entry in one.items()})
            # What comes first in a turn is ahead by the one that was begun when the process was killed, in each round.
            gap = counts["batches", ""] - counts["rows", ""]
            assert gap - gaps[position] in (0.0, 1.0)
            warned = sum(count for (name, _), count in counts.items() if name == "warnings")
            assert counts["rows", ""] <= warned <= counts["batches", ""]
            gaps[position] = gap


def test_a_reader_never_fails_and_never_sees_a_total_go_down(start: Start):
    slots = Slots.create(3)
    writers = {position: start(slots, position) for position in range(3)}
    before: dict[tuple[str, str], float] = {}
    deadline = time.monotonic() + PATIENCE_S
    for turn in range(12):
        while (now := totals(read(slots))).get(("rows", " 0"), 0.0) < 300 * turn:
            assert time.monotonic() < deadline
        assert {key: (before[key], now.get(key)) for key in before if now.get(key, -1.0) < before[key]} == {}
        before = now
        if turn % 4 == 1:
            assert list(text_string_to_metric_families(exposition(slots).decode()))
            kill(writers[turn % 3])
            writers[turn % 3] = start(slots, turn % 3)
    assert len(before) > 1000


def test_an_exposition_needs_no_numpy_and_loads_prometheus_only_when_asked():
    program = """
import sys
from lading.monitor.counters import SharedCounters
from lading.monitor.exposition import exposition
from lading.monitor.slots import Slots, release
slots = Slots.create(2)
SharedCounters(slots, 1).add("rows")
release(slots, 1)
print(sorted({"numpy", "prometheus_client", "starlette", "msgspec"} & set(sys.modules)))
print(b"lading_rows_total 1.0" in exposition(slots), "numpy" in sys.modules, "prometheus_client" in sys.modules)
"""
    environment = os.environ | {"PYTHONPATH": str(SRC)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("[]\nTrue False True\n", "")
