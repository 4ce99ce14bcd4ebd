#!/usr/bin/env python3
"""`lading predict` on millions of rows of Parquet, beside its own engine in process; and the memory that it takes.

In one run: the engine (`Model.run_table`) over chunks that are in memory already, in as many processes as the command
uses; and the command, from its start to its end, with an id put through. It is the engine, and not the estimator's own
`predict`, because that is what the command cannot be quicker than; the estimator's is told beside it. Memory is the
resident memory of all its processes together, sampled from /proc, with a tenth of the rows and with all of them. Then
the same command is killed again and again (SIGKILL, at random times), and its output compared. Linux only. Writes
`benchmarks/batch.md`, and the raw figures to `benchmarks/batch.json`; `--rows` and `--kills` make it shorter.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import platform
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
COLUMNS = 13
GROUP_ROWS = 250_000
CHUNK_ROWS = 1 << 16
SAMPLE_S = 0.02
WORKERS = len(os.sched_getaffinity(0))
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT / "src")}
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
NAMES = [f"x{place}" for place in range(COLUMNS)]


class Run(NamedTuple):
    """One run of the command."""

    rows: int
    seconds: float
    peak_mb: float
    digest: str = ""


def make_model(folder: Path) -> tuple[Path, Path]:
    """A gradient boosting regression as such are trained: the bundle, and the estimator in a file."""
    import joblib
    import numpy as np
    import pandas as pd
    from sklearn.ensemble import HistGradientBoostingRegressor

    import lading

    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(20_000, COLUMNS)), columns=NAMES)
    y = X["x0"] * X["x1"] + np.sin(3 * X["x2"]) + X.sum(axis=1) + rng.normal(size=len(X))
    estimator = HistGradientBoostingRegressor(max_iter=200, random_state=0).fit(X, y)
    joblib.dump(estimator, folder / "estimator.joblib")
    bundle = lading.pack(estimator, X, path=folder / "model.lading", compile="require").path
    return bundle, folder / "estimator.joblib"


def make_rows(path: Path, rows: int) -> None:
    """A Parquet file of an id and numbers."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(1)
    schema = pa.schema([("id", pa.int64()), *((name, pa.float64()) for name in NAMES)])
    with pq.ParquetWriter(path, schema, use_dictionary=False) as writer:
        for start in range(0, rows, GROUP_ROWS):
            count = min(GROUP_ROWS, rows - start)
            columns = [np.arange(start, start + count), *rng.normal(size=(COLUMNS, count))]
            writer.write_table(pa.table([pa.array(column) for column in columns], schema=schema))


def _predict(way: str, path: Path, rows: int, barrier: Any) -> None:
    """Predict so many rows of chunks that are in memory."""
    import numpy as np

    chunk = np.random.default_rng(2).normal(size=(CHUNK_ROWS, COLUMNS))
    if way == "estimator":
        import joblib
        import pandas as pd

        estimator, frame = joblib.load(path), pd.DataFrame(chunk, columns=NAMES)
        predict = lambda: estimator.predict(frame)  # noqa: E731
    else:
        import lading
        from lading.schema.table import Table

        model = lading.load(path)
        table = Table(model.schema.inputs, CHUNK_ROWS, matrix=chunk)
        predict = lambda: model.run_table(table, proba=False)  # noqa: E731
    predict()
    barrier.wait()
    for _ in range(-(-rows // CHUNK_ROWS)):
        predict()
    barrier.wait()


def in_process(way: str, path: Path, rows: int) -> float:
    """Rows a second of all processes together."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(WORKERS + 1)
    share = rows // WORKERS
    processes = [context.Process(target=_predict, args=(way, path, share, barrier)) for _ in range(WORKERS)]
    for process in processes:
        process.start()
    barrier.wait()
    start = time.perf_counter()
    barrier.wait()
    seconds = time.perf_counter() - start
    for process in processes:
        process.join()
    return WORKERS * -(-share // CHUNK_ROWS) * CHUNK_ROWS / seconds


def family(pid: int) -> list[int]:
    """The process and all that it started."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []
    return [pid, *(each for child in children for each in family(child))]


def resident_mb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))


def started(bundle: Path, data: Path) -> "subprocess.Popen[str]":
    words = ["predict", bundle, data, "-o", data.with_name("scored.parquet"), "--columns", "id"]
    return subprocess.Popen(
        [sys.executable, "-m", "lading", *map(str, words)], env=ENVIRONMENT, stderr=subprocess.PIPE, text=True
    )


def killed(bundle: Path, data: Path, after_s: float) -> bool:
    """Kill the command after so long; false where it had ended before."""
    process = started(bundle, data)
    try:
        process.communicate(timeout=after_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
    return process.returncode == -signal.SIGKILL


def command(bundle: Path, data: Path, rows: int) -> Run:
    """The command, from its start to its end."""
    start, peak_mb = time.perf_counter(), 0.0
    process = started(bundle, data)
    while process.poll() is None:
        peak_mb = max(peak_mb, sum(map(resident_mb, family(process.pid))))
        try:
            process.wait(SAMPLE_S)
        except subprocess.TimeoutExpired:
            continue
    seconds = time.perf_counter() - start
    told = process.communicate()[1]
    if process.returncode or f"{rows:,} rows" not in told:
        raise SystemExit(told)
    out = data.with_name("scored.parquet")
    with out.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    out.unlink()
    return Run(rows, seconds, peak_mb, digest)


def after_kills(bundle: Path, data: Path, whole: Run, kills: int) -> tuple[int, Run]:
    """How often the command was killed, at random times in its course, and what it gave when it was left to end."""
    lots = random.Random(0)
    longest_s = 2 * whole.seconds / (kills + 2)
    count = sum(killed(bundle, data, lots.uniform(0, longest_s)) for _ in range(kills))
    return count, command(bundle, data, whole.rows)


class Round(NamedTuple):
    """What was measured one after the other: rows a second of the engine in process, and the command."""

    engine: float
    run: Run

    @property
    def ratio(self) -> float:
        return self.run.rows / self.run.seconds / self.engine


def report(rounds: list[Round], estimator: float, few: Run, killed: tuple[int, Run]) -> str:
    kills, resumed = killed
    many = rounds[0].run
    lines = ["# Files: millions of rows", ""]
    lines += [f"`scripts/bench files`: Python {platform.python_version()}, {WORKERS} processors, as many workers."]
    lines += [f"{many.rows:,} rows of Parquet, an id and {COLUMNS} numbers, through a compiled gradient boosting of"]
    lines += ["200 trees into Parquet, with the id put through. Start and loading are part of the command's time.", ""]
    lines += ["| round | the engine in process, rows/s | `lading predict`, rows/s | ratio |", "|---|---|---|---|"]
    for place, each in enumerate(rounds, 1):
        rate = each.run.rows / each.run.seconds
        lines += [f"| {place} | {each.engine:,.0f} | {rate:,.0f} | {each.ratio:.2f} |"]
    ratio = statistics.median(each.ratio for each in rounds)
    lines += [f"| median | | | **{ratio:.2f}** (aim: 0.80) |", ""]
    lines += [f"scikit-learn's own `predict` has {estimator:,.0f} rows/s in as many processes."]
    peak_mb = max(each.run.peak_mb for each in rounds)
    lines += [f"Peak memory of all processes: {peak_mb:.0f} MB; with a tenth of the rows {few.peak_mb:.0f} MB."]
    same = "the same file" if resumed.digest == many.digest else "**another file**"
    lines += [f"Killed {kills} times at random and then left to end, it gives {same}, byte for byte."]
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kills", type=int, default=20)
    asked = parser.parse_args()
    rows = asked.rows
    sys.path.insert(0, str(ROOT / "src"))
    os.environ.update(ENVIRONMENT | ONE_THREAD)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle, estimator_path = make_model(folder)
        make_rows(folder / "few.parquet", rows // 10)
        make_rows(folder / "many.parquet", rows)
        few = command(bundle, folder / "few.parquet", rows // 10)
        # One after the other, as the machine may be another one a minute later.
        rounds = [
            Round(in_process("engine", bundle, rows), command(bundle, folder / "many.parquet", rows))
            for _ in range(asked.rounds)
        ]
        estimator = in_process("estimator", estimator_path, max(rows // 10, CHUNK_ROWS))
        killed = after_kills(bundle, folder / "many.parquet", rounds[0].run, asked.kills)
    text = report(rounds, estimator, few, killed)
    Path(__file__).with_suffix(".md").write_text(text)
    raw = {"estimator_rows_per_s": estimator, "few": few, "rounds": rounds, "kills": killed}
    Path(__file__).with_suffix(".json").write_text(json.dumps(raw, indent=1) + "\n")
    print(text)


if __name__ == "__main__":
    main()
