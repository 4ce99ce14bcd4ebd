"""The measuring: each part in each round, with one target after the other; every figure is a row of the results."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.serving.environments import BenchError
from benchmarks.serving.openloop import Load, open_loop
from benchmarks.serving.plan import COLUMNS, SIZES, Plan, loads
from benchmarks.serving.processes import Running, running
from benchmarks.serving.target import ROOT, ROW, Case, Server
from benchmarks.serving.wrk import closed_loop

PROCESS = "process"
WARM_UP_S = 1
REST_S = 0.3
"""In which a server gives up what a load left behind."""
IMPORT = "import sklearn.ensemble"
OPEN_CONNECTIONS = 256

Row = dict[str, Any]


@dataclass
class Bench:
    """One run: its targets in their order, with the Python of each, and the rows so far."""

    plan: Plan
    cases: Mapping[str, Case]
    servers: Mapping[str, Server]
    pythons: Mapping[str, Path]
    rows: list[Row] = field(default_factory=list)
    save: Callable[[], None] = lambda: None
    round: int = 0

    def run(self) -> None:
        """Everything, in turn."""
        for number in range(self.plan.rounds):
            self.round = number
            for part in self.plan.parts:
                if part != "startup":
                    print(f"bench: round {self.round + 1} of {self.plan.rounds}: {part}", flush=True)
                    self._measure(part)
                    self.save()
        if "startup" in self.plan.parts:
            print("bench: startup", flush=True)
            _startup(self)
            self.save()

    def _measure(self, part: str) -> None:
        if part not in _OF_LADING:
            _case(self, self.cases[part])
        elif "lading" in self.servers:
            _OF_LADING[part](self)

    def add(self, kind: str, case: str, target: str, figures: Row) -> Row:
        """Notes a row."""
        row = {"kind": kind, "round": self.round, "case": case, "target": target, "invalid": "", **figures}
        self.rows.append(row)
        return row

    @contextmanager
    def noting(self, case: Case, target: str) -> Iterator[None]:
        """When this fails, the results say why, and the rest goes on."""
        try:
            yield
        except (BenchError, OSError, subprocess.SubprocessError) as error:
            self.fail(case.name, target, error)

    def fail(self, case: str, target: str, error: Exception) -> None:
        """Notes why there are no figures."""
        reason = str(error).replace(str(ROOT), ".")
        print(f"bench: {target}, {case}: {reason}", flush=True)
        self.add("failed", case, target, {"invalid": reason})

    def with_server(self, case: Case, target: str, job: Callable[[Running], object], workers: int = 0) -> None:
        """Does something with a target while it runs."""
        with self.noting(case, target), running(self.servers[target], self.pythons[target], case, workers) as server:
            job(server)

    def closed(self, server: Running, target: str, kind: str, connections: int, workers: int = 0) -> Row:
        """A closed loop, after one request that must be answered rightly."""
        figures: Row = {"body": kind, "connections": connections, "workers": workers or server.server.workers}
        if reason := _settled(server, kind):
            return self.add("closed", server.case.name, target, figures | {"invalid": reason})
        request = server.request(kind)
        # The fewer requests there are in a load, the more it counts that the last one is cut off.
        seconds = self.plan.seconds * (1 if kind == ROW else 2)
        figures |= {"bytes": len(request.body), **closed_loop(server.port, request, connections, seconds)}
        return self.add("closed", server.case.name, target, figures)

    def open(self, server: Running, target: str, rate: float, name: str) -> Row:
        """An open loop at this rate."""
        if reason := _settled(server, ROW):
            return self.add("open", server.case.name, target, {"load": name, "invalid": reason})
        outcome = open_loop(_load(server, rate, self.plan.seconds, OPEN_CONNECTIONS))
        bad = {status: count for status, count in outcome["statuses"].items() if status != "200"}
        words = ", ".join(f"{count} x {status}" for status, count in bad.items())
        return self.add("open", server.case.name, target, {"load": name, **outcome, "invalid": words})


def _load(server: Running, rate: float, seconds: float, connections: int) -> Load:
    request = server.request(ROW)
    return Load(server.port, request.path, request.content_type, request.body.decode(), rate, seconds, connections)


def _settled(server: Running, kind: str) -> str:
    """Why one request is answered wrongly; empty where it is right, and what the load before left behind is done."""
    reason = server.check(kind)
    time.sleep(REST_S)
    return reason


def _warm_up(server: Running, kind: str) -> None:
    closed_loop(server.port, server.request(kind), 1 if kind != ROW else 64, WARM_UP_S)


# --- the cases, with every target


def _case(bench: Bench, case: Case) -> None:
    for target, server in bench.servers.items():
        if set(case.bodies) & set(server.paths):
            bench.with_server(case, target, partial(_loads, bench, target))
    if PROCESS in bench.plan.targets:
        with bench.noting(case, PROCESS):
            _in_process(bench, case, SIZES)


def _loads(bench: Bench, target: str, server: Running) -> None:
    kinds = [kind for kind in server.case.bodies if kind in server.server.paths]
    connections, *others = loads(server.case.name)
    _warm_up(server, kinds[0])
    before = server.counters() if target == "lading" else {}
    rows = [bench.closed(server, target, kind, connections) for kind in kinds]
    if before and kinds == [ROW] and server.case.facts["engine"] == "native":
        _at_batches_seen(bench, server, rows[0], before)
    for number in others:
        bench.closed(server, target, ROW, number)
    if server.case.name == "iris":
        _open_loops(bench, target, server, rows[0].get("requests_s", 0.0))
    memory = {"pss_mb": server.pss_mb(), "workers": server.server.workers, "answer_bytes": server.answer_bytes}
    bench.add("memory", server.case.name, target, memory)


def _open_loops(bench: Bench, target: str, server: Running, capacity: float) -> None:
    bench.open(server, target, bench.plan.rate, "same")
    if capacity:
        bench.open(server, target, min(capacity / 2, bench.plan.top_rate), "half")


def _at_batches_seen(bench: Bench, server: Running, row: Row, before: Mapping[str, float]) -> None:
    """Notes the mean batch, and what the model without a server does with batches of that size."""
    after = server.counters()
    rows, batches = (after[name] - before.get(name, 0) for name in ("lading_rows_total", "lading_batches_total"))
    row["mean_batch"] = rows / batches
    _in_process(bench, server.case, (round(row["mean_batch"]),), load="seen")


def _in_process(bench: Bench, case: Case, sizes: tuple[int, ...], load: str = "sizes") -> None:
    python = bench.pythons["lading"]
    seconds = min(1.0, bench.plan.seconds / 4)
    command = [str(python), "-m", "benchmarks.serving.inprocess", str(case.folder), str(seconds), *map(str, sizes)]
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | one_thread, capture_output=True, text=True, timeout=300, check=False
    )
    if done.returncode:
        raise BenchError(f"the model without a server failed: {done.stderr.strip().splitlines()[-1]}")
    for figures in json.loads(done.stdout):
        bench.add("process", case.name, PROCESS, {"load": load, **figures})


# --- what is about Lading alone, or about it and the limit


def _columns(bench: Bench) -> None:
    for name in COLUMNS:
        bench.with_server(bench.cases[name], "lading", partial(_warm_then_closed, bench, "lading"))


def _warm_then_closed(bench: Bench, target: str, server: Running, workers: int = 0) -> Row:
    _warm_up(server, ROW)
    return bench.closed(server, target, ROW, 64, workers)


def _workers(bench: Bench) -> None:
    for workers in (1, 2, 3):
        for target in ("lading", "nginx"):
            if target in bench.servers and (target, workers) != ("nginx", 3):
                _with_workers(bench, target, workers)


def _with_workers(bench: Bench, target: str, workers: int) -> None:
    def measure(server: Running) -> None:
        row = _warm_then_closed(bench, target, server, workers)
        row |= {"kind": "workers", "pss_mb": server.pss_mb()}

    bench.with_server(bench.cases["iris"], target, measure, workers)


def _overload(bench: Bench) -> None:
    lading, case = bench.servers["lading"], bench.cases["slow"]
    queue = {"LADING_MAX_QUEUE_ROWS": str(bench.plan.max_queue_rows)}
    server = replace(lading, environment={**lading.environment, **queue})
    with bench.noting(case, "lading"), running(server, bench.pythons["lading"], case) as started:
        capacity = _warm_then_closed(bench, "lading", started).get("requests_s", 0.0)
        if capacity and not _settled(started, ROW):
            load = _load(started, 5 * capacity, 2 * bench.plan.seconds, bench.plan.overload_connections)
            bench.add("overload", case.name, "lading", {"capacity_s": capacity, **open_loop(load)})


def _startup(bench: Bench) -> None:
    for number in range(bench.plan.starts):
        bench.round = number
        for target in bench.servers:
            _start(bench, bench.cases["iris"], target)
        if "lading" in bench.servers:
            _start(bench, bench.cases["forest"], "lading")
            _import(bench)


def _start(bench: Bench, case: Case, target: str) -> None:
    bench.with_server(case, target, lambda it: bench.add("start", case.name, target, {"ready_s": it.ready_s}))


def _import(bench: Bench) -> None:
    start = time.perf_counter()
    subprocess.run([str(bench.pythons["lading"]), "-c", IMPORT], check=True, timeout=120)
    bench.add("import", "forest", PROCESS, {"ready_s": time.perf_counter() - start})


_OF_LADING: dict[str, Callable[[Bench], None]] = {"columns": _columns, "workers": _workers, "overload": _overload}
