"""The plots, for those who look first. Runs where matplotlib is: `python -m benchmarks.serving.plots JSON FOLDER`."""

import json
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("agg")

from benchmarks.serving.figures import Results, closed
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

OURS, LIMIT, OTHERS = "#1f6f8b", "#b8b8b8", "#d98e4a"
STYLE = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "savefig.bbox": "tight",
    "savefig.dpi": 110,
}

Figures = Mapping[str, float]


def color(target: str) -> str:
    return OURS if target.startswith("lading") else LIMIT if target == "nginx" else OTHERS


def bars(axes: Axes, figures: Figures, form: str, *, is_log: bool = False) -> None:
    """Horizontal bars in the order given, each with its figure at its end."""
    names = list(figures)[::-1]
    drawn = axes.barh(names, [figures[name] for name in names], color=[color(name) for name in names], height=0.65)
    axes.bar_label(drawn, [form.format(figures[name]) for name in names], padding=4)
    axes.margins(x=0.18)
    axes.grid(axis="x", color="#e6e6e6")
    if is_log:
        axes.set_xscale("log")
        axes.set_xlim(left=min(figures.values()) / 3, right=max(figures.values()) * 6)


def found(results: Results, figure: str, where: Callable[[str], dict[str, Any]]) -> dict[str, float]:
    """The median of each target that has one."""
    medians = {name: results.median(figure, **where(name)) for name in results.told["servers"]}
    return {name: value for name, value in medians.items() if value}


def single_row(results: Results, path: Path) -> None:
    """Requests a second of iris at 64 connections: the chart of the README."""
    figures = found(results, "requests_s", partial(closed, "iris"))
    ordered = dict(sorted(figures.items(), key=lambda item: -item[1]))
    _save_bars(ordered, "{:,.0f}", "Single-row requests a second, 64 connections (log scale)", path, is_log=True)


def cases(results: Results, path: Path) -> None:
    """The same for the other models."""
    for case in ("forest", "mixed"):
        figures = found(results, "requests_s", partial(closed, case))
        title = f"Single-row requests a second, {case}, 64 connections (log scale)"
        _save_bars(figures, "{:,.0f}", title, path.with_stem(f"single-row-{case}"), is_log=True)


def latency(results: Results, path: Path) -> None:
    """Percentiles at the rate that is the same for all."""
    percentiles = {"p50_ms": "p50", "p99_ms": "p99", "p999_ms": "p99.9"}
    columns = {
        name: [results.median(figure, kind="open", target=name, load="same") for figure in percentiles]
        for name in results.told["servers"]
    }
    lines = {name: values for name, values in columns.items() if None not in values}
    if not lines:
        return
    figure, axes = plt.subplots(figsize=(7, 3.6))
    markers = "osD^vP*X<>"
    for place, (name, values) in enumerate(lines.items()):
        marker = markers[place % len(markers)]
        axes.plot(list(percentiles.values()), values, marker=marker, label=name, color=color(name), alpha=0.9)
    axes.set_yscale("log")
    axes.grid(color="#e6e6e6")
    axes.legend(frameon=False, bbox_to_anchor=(1.01, 1), loc="upper left")
    axes.set_title(f"Latency in ms at {results.told['plan']['rate']:,} requests a second (log scale)", loc="left")
    _save(figure, path)


def memory(results: Results, path: Path) -> None:
    figures = found(results, "pss_mb", lambda name: {"kind": "memory", "case": "iris", "target": name})
    _save_bars(figures, "{:,.0f}", "Memory of all processes, MB", path)


def start(results: Results, path: Path) -> None:
    figures = found(results, "ready_s", lambda name: {"kind": "start", "case": "iris", "target": name})
    _save_bars(figures, "{:,.2f}", "Cold start to the first answer, s", path)


def _save_bars(figures: Figures, form: str, title: str, path: Path, *, is_log: bool = False) -> None:
    if not figures:
        return
    figure, axes = plt.subplots(figsize=(7, 0.6 + 0.38 * len(figures)))
    bars(axes, figures, form, is_log=is_log)
    axes.set_title(title, loc="left")
    _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)


PLOTS = {"single-row": single_row, "cases": cases, "latency": latency, "memory": memory, "start": start}


def main() -> None:
    results = Results(json.loads(Path(sys.argv[1]).read_text()))
    folder = Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    with plt.rc_context(STYLE):
        for name, draw in PLOTS.items():
            draw(results, folder / f"{name}.png")


if __name__ == "__main__":
    main()
