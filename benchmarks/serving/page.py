"""The page: `results.md` out of `results.json`."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from benchmarks.serving.aims import Aim, a_byte_ns, aims
from benchmarks.serving.figures import Results, Row, closed
from benchmarks.serving.plan import COLUMNS

HEAD = """\
# Serving: Lading beside its peers and its limits

Made by `scripts/bench`, on one machine that runs the servers and what asks them. So the figures are for their ratios,
which are of one run, in which every target had its turn in every round: medians, with loads of {seconds} s, over
{rounds} round{s}.
"""

METHOD = """\
## How it is measured

* Every target runs in its own environment, with the same model. Peers load the pickled file, and are set up as their
  own documentation recommends; Lading serves the bundle that `lading pack` made of that file, compiled to ONNX where
  its engine is said to be `onnx`. Without a server, `predict` is that of the file, `Model.run` that of the bundle.
* Numeric libraries have one thread in each process. What servers print goes to `/dev/null`, their logs as they are by
  default: Lading's are on, a JSON line a request; nginx has none.
* Before it is put under load, each target is asked once, and must give the model's own prediction. A load in which
  anything but 200 came back, or a connection broke, does not count, and its table says so.
* The closed loop is `wrk -t1`. 10,000 rows in one request are asked over one connection: 64 times as many would be more
  than Lading lets wait.
* The open loop sends at a constant rate, whatever comes back. A latency begins when its request *was to be* sent.
  *Late* says how far behind the generator itself was; it can do {top_rate:,} a second beside a server on two cores.
* Overload is {overload}.
  Goodput is what was answered 200 from the first quarter of the load to its end.
* Memory is the proportional set size (PSS) of all processes of a server, after its loads.
* Not here yet: an API key, a journal, Parquet files. Nor 1 against 100 models in one process, where Lading serves one.
"""

OVERLOAD = "five times the capacity of a slow model in a closed loop, with `LADING_MAX_QUEUE_ROWS={queue}`"


def page(told: Mapping[str, Any]) -> str:
    """The whole page, in Markdown."""
    results = Results(told)
    plan = told["plan"]
    values = {**plan, "s": "s" if plan["rounds"] > 1 else "", "overload": OVERLOAD.format(queue=plan["max_queue_rows"])}
    parts = [HEAD.format(**values), _machine(told), _aims(results), *_tables(results), METHOD.format(**values)]
    return "\n".join([*parts, _versions(told), RAW])


RAW = "Every row is in [results.json](results.json).\n"


def _machine(told: Mapping[str, Any]) -> str:
    return "\n".join(f"* {name}: {words}" for name, words in told["facts"].items()) + "\n"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    names = list(head)
    lines = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows), ""])


def number(value: float | None, unit: str = "") -> str:
    """Three digits, more before the point where there are more; `-` for None."""
    if value is None:
        return "-"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}{' ' if unit else ''}{unit}"


def _aims(results: Results) -> str:
    rows = [(aim.words, _limit(aim), number(aim.figure, aim.unit), aim.verdict) for aim in aims(results)]
    return "## Aims\n\n" + table(("Aim", "Limit", "Here", ""), rows)


def _limit(aim: Aim) -> str:
    return f"{'≥' if aim.at_least else '≤'} {aim.limit:g}{' ' if aim.unit else ''}{aim.unit}"


def _tables(results: Results) -> Iterator[str]:
    for case, facts in results.told["cases"].items():
        if any(results.select(kind="closed", case=case)) and case in ("iris", "forest", "mixed"):
            yield f"## One row: {case}\n\n{facts['words']}; Lading's engine: {facts['engine']}.\n"
            for connections in sorted({row["connections"] for row in results.select(kind="closed", case=case)}):
                yield _closed(results, case, connections)
            if batch := results.median("mean_batch", **closed(case, "lading")):
                yield f"Lading's mean batch: {number(batch)} rows.\n"
    yield from _present(results, "open", "## One row: latency at a constant rate", _open)
    yield from _present(results, "process", "## The model without a server", _process)
    if any(results.select(kind="closed", case="large")):
        yield "## 10,000 rows in one request\n"
        yield _large(results)
    yield from _present(results, "workers", "## Several workers", _workers)
    if any(results.select(kind="closed", case="columns4")):
        yield "## Columns\n"
        yield _columns(results)
    yield from _present(results, "overload", "## Overload", _overload)
    if any(results.select(kind="memory", case="iris")) or any(results.select(kind="start")):
        yield "## Start and memory\n"
        yield _startup(results)


def _present(results: Results, kind: str, title: str, make: Callable[[Results], str]) -> Iterator[str]:
    if any(results.select(kind=kind)):
        yield f"{title}\n"
        yield make(results)


def _closed(results: Results, case: str, connections: int) -> str:
    rows = [_closed_row(results, case, target, connections) for target in results.targets(kind="closed", case=case)]
    title = f"{connections} connection{'s' if connections > 1 else ''}"
    return table((title, "requests/s", "p50, ms", "p99, ms", "Lading's requests/s, of these"), rows)


def _closed_row(results: Results, case: str, target: str, connections: int) -> list[str]:
    where = closed(case, target, connections)
    rate = results.median("requests_s", **where)
    if rate is None:
        return [target, results.why(**where), "", "", ""]
    ratio = results.ratio("requests_s", closed(case, "lading", connections), where)
    return [target, number(rate), *_medians(results, where, "p50_ms", "p99_ms"), number(ratio)]


def _medians(results: Results, where: Row, *names: str) -> list[str]:
    return [number(results.median(name, **where)) for name in names]


def _open(results: Results) -> str:
    rows = []
    for load in ("same", "half"):
        for target in results.targets(kind="open"):
            where = {"kind": "open", "target": target, "load": load}
            rate = results.median("rate", **where)
            names = ("p50_ms", "p99_ms", "p999_ms", "late_p99_ms")
            cells = _medians(results, where, *names) if rate else ["", "", "", ""]
            rows.append([target, number(rate) if rate else results.why(**where), *cells])
    head = ("Rate: the same for all, then half of each one's capacity", "requests/s", "p50, ms", "p99, ms")
    return table((*head, "p99.9, ms", "late p99, ms"), rows)


def _process(results: Results) -> str:
    rows = []
    selected = list(results.select(kind="process", load="sizes"))
    for case, size in dict.fromkeys((row["case"], row["size"]) for row in selected):
        where = {"kind": "process", "load": "sizes", "case": case, "size": size}
        ways = [results.median("rows_s", **where, way=way) for way in ("predict", "run", "decode")]
        rows.append([case, f"{size:,}", *map(number, ways)])
    return table(("", "rows", "scikit-learn's `predict`, rows/s", "`Model.run`, rows/s", "JSON alone, rows/s"), rows)


def _large(results: Results) -> str:
    rows = []
    for target in results.targets(kind="closed", case="large"):
        kinds = dict.fromkeys(row["body"] for row in results.select(kind="closed", case="large", target=target))
        for body in kinds or ("rows",):
            where = closed("large", target, 1, body)
            rate = results.median("requests_s", **where)
            cells = [number(10_000 * rate), *_medians(results, where, "p50_ms", "p99_ms")] if rate else []
            rows.append([target, _BODIES[body], *(cells or (results.why(**where), "", ""))])
    return table(("", "body", "rows/s", "p50, ms", "p99, ms"), rows)


_BODIES = {"rows": "JSON", "csv": "CSV", "arrow": "Arrow"}


def _workers(results: Results) -> str:
    rows = []
    for target in results.targets(kind="workers"):
        for workers in sorted({row["workers"] for row in results.select(kind="workers", target=target)}):
            where = {"kind": "workers", "target": target, "workers": workers}
            rate, memory = (results.median(name, **where) for name in ("requests_s", "pss_mb"))
            more = results.ratio("requests_s", where, where | {"workers": 1})
            rows.append([target, str(workers), number(rate), number(more), number(memory)])
    return table(("", "workers", "requests/s, 64 connections", "of one worker's", "memory, MB"), rows)


def _columns(results: Results) -> str:
    rows = []
    for case in COLUMNS:
        where = closed(case, "lading")
        names = ("bytes", "requests_s", "p50_ms")
        rows.append([case.removeprefix("columns"), *_medians(results, where, *names), number(a_byte_ns(results, case))])
    return table(("columns", "bytes a request", "requests/s", "p50, ms", "ns a byte"), rows)


def _overload(results: Results) -> str:
    rows = []
    for row in results.select(kind="overload"):
        statuses = ", ".join(f"{count:,} x {status}" for status, count in row["statuses"].items())
        names = ("capacity_s", "rate", "goodput_s", "p99_ms", "refusal_p50_ms", "refusal_p99_ms", "late_p99_ms")
        rows.append([str(row["round"] + 1), *(number(row[name]) for name in names), statuses])
    head = ("round", "capacity/s", "asked/s", "goodput/s", "p99 of 200s, ms", "p50 of refusals, ms")
    return table((*head, "p99 of refusals, ms", "late p99, ms", "answers"), rows)


def _startup(results: Results) -> str:
    rows = []
    for target in results.targets(case="iris"):
        ready = results.median("ready_s", kind="start", case="iris", target=target)
        where = {"kind": "memory", "case": "iris", "target": target}
        workers = results.median("workers", **where)
        memory = results.median("pss_mb", **where)
        rows.append([target, str(round(workers)) if workers else "", number(ready), number(memory)])
    return table(("iris", "workers", "first answer after, s", "memory, MB"), rows)


def _versions(told: Mapping[str, Any]) -> str:
    rows = []
    for name, server in told["servers"].items():
        listed = ", ".join(f"{package} {version}" for package, version in server["versions"].items())
        rows.append([name, server["words"], listed])
    return "## Targets\n\n" + table(("", "", "versions"), rows)
