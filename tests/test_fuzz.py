"""The fuzz targets: what they are seeded with is well, nothing near it breaks them, and each notices a defect."""

import importlib
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fuzz.__main__ import TARGETS
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import SCALE

ROOT = Path(__file__).parents[1]
RUNS, SECONDS = (100_000, 60) if SCALE == "full" else (1500, 4)


@dataclass(frozen=True)
class Target:
    """A target, and what it is seeded with."""

    fuzz_one: Callable[[bytes], None]
    seeds: list[bytes]


@pytest.fixture(scope="module", params=TARGETS)
def target(request: pytest.FixtureRequest) -> Target:
    module = importlib.import_module(f"fuzz.{request.param}")
    return Target(module.fuzz_one, module.seeds())


def test_its_seeds_are_many_and_break_nothing(target: Target):
    assert len(set(target.seeds)) == len(target.seeds) >= 4
    for seed in target.seeds:
        target.fuzz_one(seed)


@given(st.binary(max_size=300))
def test_no_bytes_break_it(target: Target, data: bytes):
    target.fuzz_one(data)


@given(st.data())
def test_nothing_near_its_seeds_breaks_it(target: Target, data: Any):
    seed = data.draw(st.sampled_from(target.seeds))
    place, length = data.draw(st.integers(1, len(seed))), data.draw(st.integers(0, 8))
    target.fuzz_one(seed[:place] + data.draw(st.binary(max_size=8)) + seed[place + length :])


# --- they notice


def fail(*_: object, **__: object) -> Any:
    raise ValueError("a defect")


@pytest.mark.parametrize(
    ("name", "where", "seed"),
    [
        ("bundle", "lading.bundle.archive.is_archive", 0),
        ("bundle", "lading.bundle.manifest._check_schema", 1),
        ("bundle", "fuzz.bundle.decode_golden", 2),
        ("bundle", "lading.flavors.linear.LinearFlavor.load", 3),
        ("decode", "lading.schema.rows.RowChecker.object", 0),
        ("decode", "lading.schema.csv_rows.CsvRows.of_numbers", -1),
        ("signature", "fuzz.signature.TrustStore.claim", 0),
        ("signature", "fuzz.signature.digest_in", 1),
        ("signature", "lading.bundle.signing.entry.check_entry", 3),
        ("lane", "lading.http.lane.LaneProtocol._enter", 0),
        ("lane", "lading.http.protocol.GuardedProtocol.on_headers_complete", 0),
    ],
)
def test_an_exception_that_is_no_refusal_is_noticed(monkeypatch: pytest.MonkeyPatch, name: str, where: str, seed: int):
    target = importlib.import_module(f"fuzz.{name}")
    seeds = target.seeds()
    monkeypatch.setattr(where, fail)
    with pytest.raises((ValueError, AssertionError, TypeError)):
        target.fuzz_one(seeds[seed])


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx: \0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: y\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n",
    ],
)
def test_what_is_no_answer_is_noticed(data: bytes):
    lane = importlib.import_module("fuzz.lane")
    with pytest.raises(AssertionError):
        lane.answers(data)
    assert lane.answers(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nab" * 2) == [200, 200]


def test_a_difference_between_the_roads_is_noticed(monkeypatch: pytest.MonkeyPatch):
    lane = importlib.import_module("fuzz.lane")
    monkeypatch.setattr("lading.http.lane._CORRELATION", b"\r\nx: y\r\nx-correlation-id: ")
    with pytest.raises(AssertionError, match="the roads differ"):
        lane.fuzz_one(lane.seeds()[0])


# --- under atheris


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="there is no atheris for this Python")
@pytest.mark.parametrize("name", TARGETS)
def test_atheris_finds_nothing_in_a_short_time(name: str, tmp_path: Path):
    limits = ("--runs", str(RUNS), "--seconds", str(SECONDS), "--folder", str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-m", "fuzz", name, *limits],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": "src"},
        capture_output=True,
        text=True,
        timeout=SECONDS + 120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (runs,) = re.findall(r"^Done (\d+) runs", done.stderr, re.MULTILINE)
    assert int(runs) >= len(list((tmp_path / name).glob("seed-*"))) > 0
    covered = [int(count) for count in re.findall(r"cov: (\d+)", done.stderr)]
    assert covered[-1] > 50
