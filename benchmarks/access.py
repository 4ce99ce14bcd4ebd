#!/usr/bin/env python3
"""What it costs to ask who asks: the lane with a key, with rate limits beside it, and with TLS, beside the open one.

In each round every server is started, asked and stopped, one after the other, in every second round the other way
round, so that a machine that becomes slower counts for all of them; a ratio is the median of those within a round.
Requests have the same bytes: where no key is asked for, they bring a line of the same length that nobody looks at.
`wrk -t1 -c64`, one process, one row a request. Before it is measured, a server is asked once without a key, which has
to be refused wherever keys are asked for. Linux only. Writes `benchmarks/access.md`, and the raw figures to
`benchmarks/access.json`; `--rounds` and `--seconds` make it shorter.
"""

import argparse
import contextlib
import json
import os
import platform
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.serving.environments import BenchError, ensure_programs
from benchmarks.serving.processes import Request, free_port
from benchmarks.serving.target import CONTENT_TYPES, ROW, Case, plain_body
from benchmarks.serving.wrk import closed_loop

ROOT = Path(__file__).parents[1]
CONNECTIONS = 64
READY_S = 60.0
AIM = 0.9
KEYS = ("--auth", "keys")
RATES = ("--rate-limit", "1000000/s", "--address-rate-limit", "1000000/s")
TLS = ("--tls-certificate-file", "server.pem", "--tls-key-file", "server.key")
CERTIFY = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
KEY_LINE, SAME_LENGTH = "Authorization: Bearer {}", "X-Same-Length: Bearer {}"


class Way(NamedTuple):
    """How a server is started, and whether there is an aim for its ratio."""

    words: str
    options: tuple[str, ...]
    has_aim: bool = False

    @property
    def scheme(self) -> str:
        return "https" if TLS[0] in self.options else "http"


OPEN = "open"
WAYS = {
    OPEN: Way("everybody may ask", ()),
    "keys": Way("`--auth keys`", KEYS, has_aim=True),
    "rates": Way(f"`{' '.join(KEYS + RATES)}`", KEYS + RATES, has_aim=True),
    "tls": Way("`--auth keys`, and TLS", KEYS + TLS),
}


class Place(NamedTuple):
    """Where all is: the folder of the bundle and of what Lading is told, and the key that is good."""

    folder: Path
    key: str

    @property
    def request(self) -> Request:
        return Request("/predict", CONTENT_TYPES[ROW], plain_body(ROW, Case(self.folder / "iris")))


def environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LADING_")}
    own = {"XDG_CONFIG_HOME": str(folder / "config"), "LADING_DRAIN_S": "0", "PYTHONPATH": str(ROOT / "src")}
    return kept | own


def make(folder: Path) -> Place:
    """The bundle, a certificate, and a key."""
    from benchmarks.serving.prepare import iris, write

    write(folder / "iris", iris())
    certify = ["openssl", *CERTIFY.split(), "-out", "server.pem", "-keyout", "server.key"]
    subprocess.run(certify, cwd=folder, check=True, capture_output=True)
    create = [sys.executable, "-m", "lading", "keys", "create", "bench"]
    made = subprocess.run(create, env=environment(folder), check=True, capture_output=True, text=True)
    return Place(folder, made.stdout.strip())


def status_of(url: str, body: bytes | None = None) -> int:
    """The status of an answer to somebody without a key; 0 for none."""
    asked = urllib.request.Request(url, body, {"content-type": CONTENT_TYPES[ROW]})
    try:
        with urllib.request.urlopen(asked, context=ssl._create_unverified_context()) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


@contextlib.contextmanager
def serving(way: Way, place: Place) -> Iterator[tuple[int, int]]:
    """The port and the process of a server that is ready."""
    port = free_port()
    command = [sys.executable, "-m", "lading", "serve", "iris/model.lading", "--port", str(port), *way.options]
    process = subprocess.Popen(
        command, cwd=place.folder, env=environment(place.folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        end = time.monotonic() + READY_S
        while status_of(f"{way.scheme}://127.0.0.1:{port}/ready") != 200:
            if process.poll() is not None or time.monotonic() > end:
                raise BenchError(f"not ready: `{' '.join(command)}`")
            time.sleep(0.02)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(READY_S)


def cpu_s(pid: int) -> float:
    """Seconds that a process has computed."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(way: Way, place: Place, seconds: int) -> dict[str, Any]:
    """The figures of one way in one round."""
    request, scheme = place.request, way.scheme
    line = (KEY_LINE if way.options else SAME_LENGTH).format(place.key)
    with serving(way, place) as (port, pid):
        status = status_of(f"{scheme}://127.0.0.1:{port}{request.path}", request.body)
        if status != (401 if way.options else 200):
            raise BenchError(f"{way.words}: somebody without a key was answered {status}")
        closed_loop(port, request, CONNECTIONS, 1, scheme=scheme, fields=[line])
        before_s = cpu_s(pid)
        found = closed_loop(port, request, CONNECTIONS, seconds, scheme=scheme, fields=[line])
        found["cpu_us"] = (cpu_s(pid) - before_s) * 1e6 / (found["requests_s"] * seconds)
    if found["invalid"]:
        raise BenchError(f"{way.words}: {found['invalid']}")
    return found


def in_turn(number: int) -> list[str]:
    """The ways in the order of a round."""
    return list(WAYS) if number % 2 == 0 else list(reversed(WAYS))


def ratio(rounds: list[dict[str, Any]], name: str) -> float:
    """Of the speed without access, the median of all rounds."""
    return statistics.median(each[name]["requests_s"] / each[OPEN]["requests_s"] for each in rounds)


def report(rounds: list[dict[str, Any]], seconds: int) -> str:
    cores = len(os.sched_getaffinity(0))
    lines = ["# Access: what it costs to ask who asks", ""]
    lines += [f"`scripts/bench access`: Python {platform.python_version()}, {cores} processors, which `wrk` shares."]
    lines += [f"One process, the compiled iris model, one row a request, {CONNECTIONS} connections, {seconds} s each;"]
    lines += [f"medians of {len(rounds)} rounds, ratios of those within a round. Requests have the same bytes.", ""]
    lines += ["| `lading serve` | requests/s | p99, ms | computing, µs a request | of the open one's speed |"]
    lines += ["|---|---|---|---|---|"]
    for name, way in WAYS.items():
        rate, p99_ms, cpu_us = (
            statistics.median(each[name][of] for each in rounds) for of in ("requests_s", "p99_ms", "cpu_us")
        )
        share = f"**{ratio(rounds, name):.2f}**" + (f" (aim: {AIM:.2f})" if way.has_aim else "")
        lines += [f"| {way.words} | {rate:,.0f} | {p99_ms:.2f} | {cpu_us:.1f} | {share if name != OPEN else '1'} |"]
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    sys.path.insert(0, str(ROOT / "src"))
    try:
        ensure_programs(["wrk"])
        with tempfile.TemporaryDirectory() as name:
            place = make(Path(name))
            rounds = [
                {name: measure(WAYS[name], place, asked.seconds) for name in in_turn(number)}
                for number in range(asked.rounds)
            ]
    except BenchError as error:
        raise SystemExit(f"error: {error}") from None
    text = report(rounds, asked.seconds)
    Path(__file__).with_suffix(".md").write_text(text)
    Path(__file__).with_suffix(".json").write_text(
        json.dumps({"seconds": asked.seconds, "rounds": rounds}, indent=1) + "\n"
    )
    print(text)


if __name__ == "__main__":
    main()
