#!/usr/bin/env python3
"""Replicas behind one balancer: requests a second and latency of 1, 2 and 4, and what one of them is good for.

Each replica is one process; nginx, one worker, gives requests to the replica with the fewest. Two models are asked:
one that computes all the time, where replicas, nginx and `wrk` share the processors of this machine, and one that only
waits, five milliseconds a row, as for a processor of its own. In each round every number of replicas has its turn,
in every second round the other way round; figures are medians. `wrk -t1 -c64`, one row a request. Linux only. Writes
`benchmarks/scaling.md`, and the raw figures to `benchmarks/scaling.json`; `--rounds` and `--seconds` make it shorter.
"""

import argparse
import contextlib
import http.client
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.serving.environments import BenchError, ensure_programs, program
from benchmarks.serving.processes import Request, free_port
from benchmarks.serving.target import CONTENT_TYPES, ROW, Case, plain_body
from benchmarks.serving.wrk import closed_loop

ROOT = Path(__file__).parents[1]
CONNECTIONS = 64
REPLICAS = (1, 2, 4)
READY_S = 60.0
SHARE = 0.7
"""Of what one replica can do, that it should be asked before there is another one."""
COMPUTES, WAITS = "computes", "waits"
WORDS = {COMPUTES: "computes: iris, compiled", WAITS: "waits: 5 ms a row, and does not compute"}
SOURCE = "import time\n\n\ndef waits(x: float) -> float:\n    time.sleep(0.005)\n    return x\n"
_TOLD = """\
With {cores} processors for everything, replicas of a model that computes take each other's time: one of them, nginx and
`wrk` need all there is, and more of them share it. A replica that is asked without nginx, and without others beside it,
answers more ([results](results.md)): what stands here for one is the least. The model that waits shows what replicas on
processors of their own do: neither nginx nor the way in which requests are given out holds them back.

Ask each replica for {share} of what one can do, and there is time until another one is ready. Here that is
`--requests-per-second {computes}` for the model that computes, and {waits} for the one that waits. Measure yours on
your nodes.
"""
NGINX = """
daemon off;
{user}
pid {folder}/pid;
error_log /dev/null;
worker_processes 1;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream replicas {{ least_conn; {servers} keepalive 64; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ proxy_pass http://replicas; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
}}
"""


def make(folder: Path) -> dict[str, tuple[Path, Request]]:
    """The bundle of each model, and how it is asked."""
    from benchmarks.serving.prepare import iris, write

    import lading

    write(folder / "iris", iris())
    (folder / "waits.py").write_text(SOURCE)
    lading.pack(folder / "waits.py", path=folder / "waits.lading")
    kind = CONTENT_TYPES[ROW]
    return {
        COMPUTES: (folder / "iris" / "model.lading", Request("/predict", kind, plain_body(ROW, Case(folder / "iris")))),
        WAITS: (folder / "waits.lading", Request("/predict", kind, b'{"x": 1.0}')),
    }


def is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with contextlib.closing(connection), contextlib.suppress(OSError):
        connection.request("GET", "/ready")
        return connection.getresponse().status == 200
    return False


@contextlib.contextmanager
def running(commands: list[list[str]], ports: list[int]) -> Iterator[None]:
    """Processes, from when every port is ready until the end of the block."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LADING_")}
    own = {"LADING_DRAIN_S": "0", "PYTHONPATH": str(ROOT / "src")}
    quiet = subprocess.DEVNULL
    processes = [subprocess.Popen(command, env=kept | own, stdout=quiet, stderr=quiet) for command in commands]
    try:
        end = time.monotonic() + READY_S
        while not all(map(is_ready, ports)):
            if time.monotonic() > end:
                raise BenchError("a server is not ready")
            time.sleep(0.02)
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(READY_S)


def measure(bundle: Path, request: Request, replicas: int, seconds: int) -> dict[str, Any]:
    """The figures of so many replicas."""
    ports = [free_port() for _ in range(replicas)]
    # All come from one address here.
    serve = [sys.executable, "-m", "lading", "serve", str(bundle), "--max-connections-per-address", "1000"]
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as name,
        running([[*serve, "--port", str(port)] for port in ports], ports),
    ):
        front = free_port()
        servers = " ".join(f"server 127.0.0.1:{port};" for port in ports)
        user = "user root;" if os.geteuid() == 0 else ""
        configuration = Path(name) / "nginx.conf"
        configuration.write_text(NGINX.format(folder=name, port=front, servers=servers, user=user))
        balancer = [program("nginx") or "nginx", "-p", name, "-e", "/dev/null", "-c", str(configuration)]
        with running([balancer], [front]):
            closed_loop(front, request, CONNECTIONS, 1)
            found = closed_loop(front, request, CONNECTIONS, seconds)
    if found["invalid"]:
        raise BenchError(f"{bundle.name}, {replicas} replicas: {found['invalid']}")
    return found


def in_turn(number: int) -> list[int]:
    """The numbers of replicas in the order of a round."""
    return list(REPLICAS) if number % 2 == 0 else list(reversed(REPLICAS))


def median(rounds: list[dict[str, Any]], model: str, replicas: int, figure: str) -> float:
    return statistics.median(each[model][str(replicas)][figure] for each in rounds)


def report(rounds: list[dict[str, Any]], seconds: int, cores: int) -> str:
    one = {model: median(rounds, model, 1, "requests_s") for model in WORDS}
    lines = ["# Replicas behind one balancer", ""]
    lines += [f"`scripts/bench scaling`: Python {platform.python_version()}, {cores} processors, which the replicas,"]
    lines += [
        f"nginx in front of them and `wrk` share. One row a request, {CONNECTIONS} connections, {seconds} s each;"
    ]
    lines += [f"medians of {len(rounds)} rounds.", ""]
    lines += [
        "| A model that | replicas | requests/s | p50, ms | p99, ms | of one replica's |",
        "|---|---|---|---|---|---|",
    ]
    for model, words in WORDS.items():
        for replicas in REPLICAS:
            rate, p50_ms, p99_ms = (median(rounds, model, replicas, of) for of in ("requests_s", "p50_ms", "p99_ms"))
            share = f"{rate / one[model]:.2f}"
            lines += [f"| {words} | {replicas} | {rate:,.0f} | {p50_ms:.1f} | {p99_ms:.1f} | {share} |"]
    lines += [
        "",
        _TOLD.format(cores=cores, share=f"{SHARE:.0%}", computes=target(one[COMPUTES]), waits=target(one[WAITS])),
    ]
    return "\n".join(lines)


def target(rate: float) -> int:
    """What one replica should be asked at most, in two digits."""
    wanted = SHARE * rate
    step = 10 ** max(len(str(int(wanted))) - 2, 0)
    return int(wanted // step * step)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    sys.path.insert(0, str(ROOT / "src"))
    try:
        ensure_programs(["wrk", "nginx"])
        with tempfile.TemporaryDirectory() as name:
            models = make(Path(name))
            rounds = [
                {
                    model: {str(count): measure(*models[model], count, asked.seconds) for count in in_turn(number)}
                    for model in WORDS
                }
                for number in range(asked.rounds)
            ]
    except BenchError as error:
        raise SystemExit(f"error: {error}") from None
    text = report(rounds, asked.seconds, len(os.sched_getaffinity(0)))
    Path(__file__).with_suffix(".md").write_text(text)
    figures = {"seconds": asked.seconds, "rounds": rounds}
    Path(__file__).with_suffix(".json").write_text(json.dumps(figures, indent=1) + "\n")
    print(text)


if __name__ == "__main__":
    main()
