#!/usr/bin/env python3
"""What Lading adds to a scikit-learn model in process: the model asked directly, and through `Model.run`, in turn.

Directly it is given one array or frame; through Lading, decoded rows, as requests bring them. With `--before SRC` the
sources of another version are measured in the same run, in turn with these. Writes `benchmarks/native.md`.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SIZES = (1, 8, 64, 1024)
SECONDS = 0.25
"""For each model, size and way in a round."""
ROUNDS = 3
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def cases() -> Iterator[tuple[str, Any, Any, Any]]:
    from sklearn import datasets
    from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC
    from tests.mixed import COLUMNS, mixed_frame, mixed_pipeline

    iris = datasets.load_iris(return_X_y=True)
    cancer = datasets.load_breast_cancer(return_X_y=True)
    diabetes = datasets.load_diabetes(return_X_y=True)
    frame = mixed_frame()
    yield "scaler, LogisticRegression; iris", make_pipeline(StandardScaler(), LogisticRegression()), *iris
    yield "RandomForest of 100; breast cancer", RandomForestClassifier(100, random_state=0), *cancer
    yield "HistGradientBoosting; diabetes", HistGradientBoostingRegressor(random_state=0), *diabetes
    yield "Ridge; diabetes", Ridge(), *diabetes
    yield "SVC; digits", SVC(), *datasets.load_digits(return_X_y=True)
    yield "KNeighbors; iris", KNeighborsClassifier(), *iris
    columns = mixed_pipeline(LogisticRegression(max_iter=1000))
    yield "ColumnTransformer, LogisticRegression; a frame", columns, frame[COLUMNS], frame["churned"]


def measure() -> None:
    """Prints a JSON line for each model and size: seconds of each way."""
    import inspect

    import lading
    from lading.schema.decode import Decoder, Limits
    from lading.schema.values import plain_rows

    # Earlier versions never compiled.
    options = {"compile": "never"} if "compile" in inspect.signature(lading.pack).parameters else {}
    for name, estimator, X, y in cases():
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            estimator.fit(X, y)
            model = lading.load(lading.pack(estimator, X, y, Path(folder) / "model.lading", **options).path)
        for size in SIZES:
            places = [place % len(X) for place in range(size)]
            some = X.iloc[places] if hasattr(X, "iloc") else X[places]
            rows = Decoder(model.schema, Limits(max_rows=size, max_cells=10**9)).value(plain_rows(some)).rows
            ways = direct(estimator, some) | through(model, rows)
            print(json.dumps({"model": name, "rows": size} | {"s": medians(ways)}), flush=True)


def direct(estimator: Any, X: Any) -> dict[str, Callable[[], Any]]:
    ways: dict[str, Callable[[], Any]] = {"direct": lambda: estimator.predict(X)}
    if hasattr(estimator, "predict_proba"):
        ways["direct, both"] = lambda: (estimator.predict(X), estimator.predict_proba(X))
    return ways


def through(model: Any, rows: Any) -> dict[str, Callable[[], Any]]:
    ways: dict[str, Callable[[], Any]] = {"lading": lambda: model.run(rows, proba=False)}
    if model.schema.has_probabilities:
        ways["lading, both"] = lambda: model.run(rows, proba=True)
    return ways


def medians(ways: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """The median seconds of each way, asked in turn."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()
    stop = time.perf_counter() + SECONDS * len(ways)
    while time.perf_counter() < stop or len(times["direct"]) < 5:
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def measured(source: Path) -> list[dict[str, Any]]:
    """A run of `measure` with these sources, in a process of its own."""
    environment = os.environ | ONE_THREAD | {"PYTHONPATH": f"{source}{os.pathsep}{ROOT}"}
    command = [sys.executable, str(Path(__file__).resolve()), "--measure"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


Rounds = list[list[dict[str, Any]]]


def middle(rounds: Rounds, place: int, value: Callable[[dict[str, float]], float]) -> float:
    """The median over the rounds of what one model and size gives."""
    return statistics.median(value(one[place]["s"]) for one in rounds)


def table(after: Rounds, before: Rounds, suffix: str) -> list[str]:
    """A Markdown table of one kind of question."""
    head = ["model", "rows", "direct, µs", "Lading, µs", "Lading, rows/s", "Lading / direct"]
    head += ["before / direct"] if before else []
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    own, ours = f"direct{suffix}", f"lading{suffix}"
    for place, case in enumerate(after[0]):
        if ours not in case["s"]:
            continue
        seconds = middle(after, place, lambda s: s[ours])
        cells = [case["model"], str(case["rows"]), f"{middle(after, place, lambda s: s[own]) * 1e6:.0f}"]
        cells += [f"{seconds * 1e6:.0f}", f"{case['rows'] / seconds:,.0f}"]
        cells += [f"{middle(rounds, place, lambda s: s[own] / s[ours]):.2f}" for rounds in (after, before) if rounds]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def report(after: Rounds, before: Rounds) -> str:
    import sklearn

    versions = f"Python {platform.python_version()}, scikit-learn {sklearn.__version__}, {os.cpu_count()} processors"
    lines = ["# Native models in process", ""]
    lines += [f"`python benchmarks/native.py`: {versions}, one thread, medians of {ROUNDS} rounds in turn.", ""]
    lines += ["*Direct* is the model's own call with one array or frame; *Lading* is `Model.run` with decoded rows:"]
    lines += ["rows to an array or a frame, the model, the checks of its answers, and what is unusual in the rows."]
    lines += ["The ratios are rows/s, of Lading's to the model's own: 1 means that nothing is added."]
    lines += ["*Before* is the version given by `--before`, in the same run."] if before else []
    lines += ["", "## Predictions", "", *table(after, before, "")]
    lines += ["", "## Predictions and probabilities", "", *table(after, before, ", both")]
    return "\n".join([*lines, "", NOTES])


NOTES = """\
## What was tried

* A forest is asked tree by tree. scikit-learn hands each tree to joblib with its settings and its filters of warnings:
  about 75 µs a tree, of which the tree itself takes 4. The sum is the same to the last bit.
* Who asks for probabilities gets the labels from them, where scikit-learn's label is the class of the greatest score
  and no two probabilities of a row are too close to tell; else the model is asked for both.
* Rows of numbers are packed as bytes, row by row, and read as an array: a third of the time of `numpy.array(rows)`.
* Not done: `sklearn.config_context(assume_finite=True, skip_parameter_validation=True)`. With it Ridge, SVC and trees
  gain nothing, a scaler with LogisticRegression 7 %, KNeighbors 9 %, the ColumnTransformer 2 %: to enter it takes
  4 µs, and every reading of the settings longer from then on. In return a step that overflows would go unnoticed,
  and give a label made from NaN in place of an error.
* Not done: another way to make a frame. `pandas.DataFrame` of a dictionary of arrays takes 4 % of what the
  ColumnTransformer takes for it.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, help="the src folder of another version")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        return measure()
    after, before = [], []
    for _ in range(ROUNDS):
        before += [measured(options.before.resolve())] if options.before else []
        after += [measured(ROOT / "src")]
    text = report(after, before)
    Path(__file__).with_suffix(".md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
