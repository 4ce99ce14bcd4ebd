"""The aims: what Lading wants to reach, what it reaches here, and by how much it misses."""

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.serving.figures import Results, closed

IRIS = closed("iris", "lading")


@dataclass(frozen=True)
class Aim:
    """One aim and its figure; `at_least` or, when it is false, at most `limit`."""

    words: str
    limit: float
    figure: float | None
    unit: str = ""
    at_least: bool = True
    why: str = "not measured"

    @property
    def is_met(self) -> bool:
        """Whether it is reached; never without a figure."""
        return self.figure is not None and (self.figure >= self.limit if self.at_least else self.figure <= self.limit)

    @property
    def verdict(self) -> str:
        """`met`, or by how much it is missed, or why that is not known."""
        if self.figure is None:
            return self.why
        if self.is_met:
            return "met"
        if self.figure > 2 * self.limit:
            return f"**missed**: {self.figure / self.limit:.1f} times the limit"
        return f"**missed** by {abs(self.figure / self.limit - 1):.0%}"


def aims(results: Results) -> list[Aim]:
    """Every aim, in the order of the page."""
    return [aim for group in _GROUPS for aim in group(results)]


def _single_row(results: Results) -> Iterator[Aim]:
    nginx = closed("iris", "nginx")
    ratio = results.ratio("requests_s", IRIS, nginx)
    yield Aim("single row, compiled, 64 connections, 1 worker: of nginx's constant", 0.75, ratio, why=_why(results))
    for name, server in results.told["servers"].items():
        if server["aim"]:
            ratio = results.ratio("requests_s", IRIS, closed("iris", name))
            reason = results.why(**closed("iris", name))
            yield Aim(f"the same, of {name}'s", server["aim"], ratio, why=reason)
    ratio = results.ratio("p50_ms", IRIS | {"connections": 1}, nginx | {"connections": 1})
    yield Aim("one connection: p50, of nginx's constant", 1.5, ratio, at_least=False, why=_why(results))


def _why(results: Results) -> str:
    reasons = (results.why(**closed("iris", name)) for name in ("lading", "nginx"))
    return next((reason for reason in reasons if reason != "not measured"), "not measured")


def _native(results: Results) -> Iterator[Aim]:
    forest = closed("forest", "lading")
    seen = {"kind": "process", "case": "forest", "load": "seen"}
    for way, words in (("predict", "scikit-learn's own `predict`"), ("run", "Lading's model without a server")):
        requests = {row["round"]: row["requests_s"] for row in results.select(**forest) if not row["invalid"]}
        rates = {row["round"]: row["rows_s"] for row in results.select(**seen, way=way)}
        ratios = [requests[number] / rates[number] for number in requests if number in rates]
        ratio = statistics.median(ratios) if ratios else None
        yield Aim(f"forest, native, 64 connections: rows/s, of {words} at the batches seen", 0.9, ratio)


def _large(results: Results) -> Iterator[Aim]:
    rows = 10_000
    for body, way, limit, words in (
        ("arrow", "predict", 0.9, "the model's in process"),
        ("rows", "decode", 0.6, "what decoding alone allows"),
    ):
        where = closed("large", "lading", 1, body)
        answered = results.median("requests_s", **where)
        alone = results.median("rows_s", kind="process", case="large", way=way, size=rows)
        ratio = rows * answered / alone if answered and alone else None
        name = {"arrow": "Arrow", "rows": "JSON"}[body]
        yield Aim(f"10,000 rows of 30 columns, {name}: rows/s, of {words}", limit, ratio, why=results.why(**where))


def _overload(results: Results) -> Iterator[Aim]:
    where = {"kind": "overload"}
    goodput, capacity = (results.median(name, **where) for name in ("goodput_s", "capacity_s"))
    ratio = goodput / capacity if goodput is not None and capacity else None
    yield Aim("overload, 5 times the capacity: goodput, of the capacity", 0.9, ratio)
    refused = results.median("refusal_p99_ms", **where)
    yield Aim("overload: p99 of the refusals", 50, refused, "ms", at_least=False)


def _startup(results: Results) -> Iterator[Aim]:
    start = {"kind": "start", "target": "lading"}
    compiled = results.median("ready_s", **start, case="iris")
    yield Aim("cold start to the first answer, compiled", 0.6, compiled, "s", at_least=False)
    native = results.median("ready_s", **start, case="forest")
    importing = results.median("ready_s", kind="import")
    more = native - importing if native is not None and importing is not None else None
    yield Aim("the same, native: beyond the framework's own import", 0.3, more, "s", at_least=False)


def _memory(results: Results) -> Iterator[Aim]:
    first = results.median("pss_mb", kind="memory", case="iris", target="lading")
    yield Aim("memory of the first worker, compiled", 80, first, "MB", at_least=False)
    two, three = (results.median("pss_mb", kind="workers", target="lading", workers=count) for count in (2, 3))
    more = three - two if two is not None and three is not None else None
    yield Aim("memory of each further worker", 20, more, "MB", at_least=False)


def _columns(results: Results) -> Iterator[Aim]:
    few, many = (a_byte_ns(results, f"columns{count}") for count in (4, 400))
    ratio = many / few if few and many else None
    yield Aim("4 to 400 columns: time a byte of a request, of that with 4", 1, ratio, at_least=False)


def a_byte_ns(results: Results, case: str) -> float | None:
    """Nanoseconds that a byte of a request takes."""
    where = closed(case, "lading")
    requests, size = (results.median(name, **where) for name in ("requests_s", "bytes"))
    return 1e9 / requests / size if requests and size else None


_Group = Callable[[Results], Iterator[Aim]]
_GROUPS: tuple[_Group, ...] = (_single_row, _native, _large, _overload, _startup, _memory, _columns)
