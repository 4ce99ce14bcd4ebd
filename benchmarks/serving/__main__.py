"""Measures Lading beside its peers and its limits, and writes the page of results with its plots."""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from types import FrameType
from typing import Any

from benchmarks.serving import machine
from benchmarks.serving.environments import (
    BenchError,
    ensure_programs,
    make_environment,
    shared_pins,
    versions,
)
from benchmarks.serving.measuring import PROCESS, Bench
from benchmarks.serving.own import OWN, REQUIREMENTS
from benchmarks.serving.page import page
from benchmarks.serving.plan import PARTS, Plan
from benchmarks.serving.target import ROOT, Case, Server, find_peers

QUICK = Plan(parts=("iris", "forest", "large", "overload", "startup"), seconds=1, rounds=1, starts=1)


def main() -> None:
    options = parse(sys.argv[1:])
    signal.signal(signal.SIGTERM, _stop)
    try:
        if not options.page:
            measure(options)
        draw(options)
    except BenchError as error:
        raise SystemExit(f"error: {error}") from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _stop(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)  # so that every server is ended on the way out


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options; `plan` is made of them."""
    servers = all_servers()
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--only", metavar="PART,…", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--targets", metavar="NAME,…", help=f"of {', '.join(servers)}, {PROCESS}")
    parser.add_argument("--seconds", type=int, help=f"of each load [default: {Plan.seconds}]")
    parser.add_argument("--rounds", type=int, help=f"in which each target has its turn [default: {Plan.rounds}]")
    parser.add_argument("--rate", type=int, help=f"requests a second of the open loop [default: {Plan.rate}]")
    parser.add_argument("--quick", action="store_true", help="less of everything, in about three minutes; for a look")
    parser.add_argument("--out", type=Path, help="folder for the page [default: benchmarks; with --quick .bench/quick]")
    parser.add_argument("--cache", type=Path, default=ROOT / ".bench", help="folder for environments [default: .bench]")
    parser.add_argument("--page", action="store_true", help="measure nothing, draw the page of results.json again")
    options = parser.parse_args(arguments)
    options.cache = options.cache.resolve()
    default = options.cache / "quick" if options.quick else ROOT / "benchmarks"
    options.out = (options.out or default).resolve()
    options.plan = _plan(parser, options, [*servers, PROCESS])
    return options


def _plan(parser: argparse.ArgumentParser, options: argparse.Namespace, targets: list[str]) -> Plan:
    plan = QUICK if options.quick else Plan()
    parts = _chosen(parser, options.only, PARTS) if options.only else plan.parts
    chosen = _chosen(parser, options.targets, targets) if options.targets else tuple(targets)
    said = {name: getattr(options, name) for name in ("seconds", "rounds", "rate")}
    said = {name: value for name, value in said.items() if value is not None}
    if any(value < 1 for value in said.values()):
        parser.error("expected at least 1 for --seconds, --rounds and --rate")
    return replace(plan, parts=parts, targets=chosen, **said)


def _chosen(parser: argparse.ArgumentParser, text: str, known: Iterable[str]) -> tuple[str, ...]:
    names = text.split(",")
    if unknown := [name for name in names if name not in known]:
        parser.error(f"unknown: {', '.join(unknown)}; expected some of {', '.join(known)}")
    return tuple(name for name in known if name in names)


def all_servers() -> dict[str, Server]:
    """Every server, in the order of their turns."""
    return OWN | find_peers()


def measure(options: argparse.Namespace) -> None:
    """Prepares what is needed, measures, and writes `results.json` after each part."""
    plan: Plan = options.plan
    servers = {name: server for name, server in all_servers().items() if name in plan.targets}
    ensure_programs(("wrk", "nginx") if "nginx" in servers else ("wrk",))
    pythons, failures = environments(servers, options.cache)
    cases = prepare(pythons["lading"], options.cache / "cases", plan.case_names)
    told: dict[str, Any] = {
        "facts": machine.facts(),
        "plan": asdict(plan),
        "cases": {name: {key: case.facts[key] for key in ("words", "engine")} for name, case in cases.items()},
        "servers": {name: _about(server, pythons.get(name)) for name, server in servers.items()},
    }
    bench = Bench(plan, cases, {name: server for name, server in servers.items() if name in pythons}, pythons)
    for name, error in failures.items():
        for case in cases:
            bench.fail(case, name, error)
    told["rows"] = bench.rows
    options.out.mkdir(parents=True, exist_ok=True)
    bench.save = lambda: write(options.out / "results.json", told)
    bench.run()


def _about(server: Server, python: Path | None) -> dict[str, Any]:
    named = [requirement.partition("[")[0] for requirement in server.requirements]
    names = ["lading", "uvicorn", "onnxruntime"] if server.requirements == REQUIREMENTS else named
    names += ["scikit-learn", "numpy"] if server.needs_model else []
    installed = versions(python) if python and names else {}
    return {
        "words": server.words,
        "aim": server.aim,
        "versions": {name: installed[name] for name in names if name in installed},
    }


def environments(servers: dict[str, Server], cache: Path) -> tuple[dict[str, Path], dict[str, BenchError]]:
    """The Python of each target; and of those that cannot be installed, why."""
    lading = make_environment(cache / "lading", REQUIREMENTS)
    pins = shared_pins(versions(lading))
    pythons = {"lading": lading}
    failures: dict[str, BenchError] = {}
    for name, server in servers.items():
        try:
            pythons[name] = _environment(name, server, pins, cache, lading)
        except BenchError as error:
            failures[name] = error
    return pythons, failures


def _environment(name: str, server: Server, pins: list[str], cache: Path, lading: Path) -> Path:
    if not server.requirements or server.requirements == REQUIREMENTS:
        return lading
    return make_environment(cache / name, [*server.requirements, *(pins if server.needs_model else ())])


def prepare(python: Path, folder: Path, names: tuple[str, ...]) -> dict[str, Case]:
    """The cases, made anew: their bundles are those of this version."""
    shutil.rmtree(folder, ignore_errors=True)
    print(f"bench: models for {', '.join(names)}", flush=True)
    command = [str(python), "-m", "benchmarks.serving.prepare", str(folder), *names]
    done = subprocess.run(command, cwd=ROOT, env=_environ(), capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        raise BenchError(f"the models were not made: {done.stderr.strip().splitlines()[-1]}")
    return {name: Case(folder / name) for name in names}


def _environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("LADING_")}


def write(path: Path, told: dict[str, Any]) -> None:
    """One row a line."""
    rows = ",\n".join("    " + json.dumps(row) for row in told["rows"])
    head = json.dumps({name: value for name, value in told.items() if name != "rows"}, indent=2)
    path.write_text(f'{head[:-2]},\n  "rows": [\n{rows}\n  ]\n}}\n')


def draw(options: argparse.Namespace) -> None:
    """The page and the plots, from `results.json`."""
    path = options.out / "results.json"
    if not path.is_file():
        raise BenchError(f"there is no {path}: measure first")
    text = page(json.loads(path.read_text()))
    python = make_environment(options.cache / "plots", ["matplotlib"])
    command = [str(python), "-m", "benchmarks.serving.plots", str(path), str(options.out / "results")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise BenchError(f"the plots were not drawn: {done.stderr.strip().splitlines()[-1]}")
    path.with_suffix(".md").write_text(text)
    print(f"bench: wrote {path.with_suffix('.md')}", flush=True)


if __name__ == "__main__":
    main()
