#!/usr/bin/env python3
"""Memory and time to ready of `lading serve --workers`: what each process has of its own, and what one more costs.

Serves iris, packed as it is compiled where that is possible, with one, two and four workers, asks each of them, and
reads `/proc/PID/smaps_rollup`: PSS is memory, shared pages divided by who shares them. Linux only.
"""

import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import lading

RUNS = 5
WORKERS = (2, 3, 4)
PAGE = Path(__file__).with_suffix(".md")


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def pss_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:"))


def ask(url: str, path: str, body: bytes | None = None) -> int:
    request = urllib.request.Request(url + path, body, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def run(bundle: Path, workers: int) -> Iterator[tuple[str, float]]:
    """Figures of one server: seconds to ready, and megabytes."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "lading", "serve", str(bundle), "--workers", str(workers), "--port", str(port)]
    environment = os.environ | {"LADING_DRAIN_S": "0"}
    start = time.perf_counter()
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    try:
        while ask(url, "/ready") != 200:
            assert time.perf_counter() - start < 120
            time.sleep(0.005)
        yield "ready_s", time.perf_counter() - start
        row = json.dumps({"X": [[5.1, 3.5, 1.4, 0.2]] * 8}).encode()
        for _ in range(200 * workers):
            assert ask(url, "/predict?proba=1", row) == 200
        supervised = workers > 1
        master = children(server.pid)[0] if supervised else server.pid
        family = [master, *children(master)] if supervised else [server.pid]
        yield "supervisor_mb", pss_mb(server.pid) if supervised else 0.0
        yield "generation_mb", sum(map(pss_mb, family))
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)


def main() -> None:
    iris = load_iris(as_frame=True)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(iris.data, iris.target)
    rows: dict[tuple[str, int], dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        bundles = {
            kind: lading.pack(model, iris.data, path=Path(folder) / f"{kind}.lading", compile=how).path
            for kind, how in (("compiled", "require"), ("native", "never"))
        }
        for _ in range(RUNS):
            for kind, bundle in bundles.items():
                for workers in WORKERS:
                    for name, figure in run(bundle, workers):
                        rows.setdefault((kind, workers), {}).setdefault(name, []).append(figure)
    PAGE.write_text(page(rows))
    print(PAGE.read_text())


def page(rows: dict[tuple[str, int], dict[str, list[float]]]) -> str:
    lines = [
        "# Memory of a server with several workers",
        "",
        "Made by `python benchmarks/memory.py`: iris, StandardScaler and LogisticRegression,",
        f"{RUNS} runs in turn, medians.",
        "PSS in MB: shared pages are divided by who shares them. A generation is its master and its workers.",
        f"Python {platform.python_version()}, {os.cpu_count()} cores.",
        "",
        "| engine | workers | ready after, s | supervisor | generation | a further worker |",
        "|---|---|---|---|---|---|",
    ]
    for (kind, workers), figures in rows.items():
        median = {name: statistics.median(values) for name, values in figures.items()}
        before = rows.get((kind, workers - 1))
        further = f"{median['generation_mb'] - statistics.median(before['generation_mb']):.1f}" if before else ""
        lines.append(
            f"| {kind} | {workers} | {median['ready_s']:.2f} | {median['supervisor_mb']:.1f} "
            f"| {median['generation_mb']:.1f} | {further} |"
        )
    lines += ["", "Raw rows:", "", "```"]
    for (kind, workers), figures in rows.items():
        for name, values in figures.items():
            lines.append(f"{kind} {workers} {name} " + " ".join(f"{value:.3f}" for value in values))
    return "\n".join([*lines, "```", ""])


if __name__ == "__main__":
    main()
