"""The model without a server: rows a second through scikit-learn's own `predict`, and through Lading's `Model.run`.

Runs in Lading's environment: `python -m benchmarks.serving.inprocess CASE_FOLDER SECONDS SIZE...`, and prints JSON.
"""

import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import msgspec
import pandas as pd
from benchmarks.serving.target import ROWS, Case, plain_body

import lading
from lading.schema.decode import Decoder, Limits


class Body(msgspec.Struct):
    """The body of many rows of numbers, typed: the least that reading it can take."""

    X: list[list[float]]


def ways(case: Case, size: int) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Each way to predict so many rows."""
    facts = case.facts
    rows = [facts["rows"][place % len(facts["rows"])] for place in range(size)]
    frame = pd.DataFrame(rows, columns=list(facts["dtypes"])).astype(facts["dtypes"])
    given = frame if facts["is_frame"] else frame.to_numpy()
    estimator = joblib.load(case.folder / "model.joblib")
    yield "predict", lambda: estimator.predict(given)
    model = lading.load(case.folder / "model.lading")
    decoded = Decoder(model.schema, Limits(max_rows=size, max_cells=10**9)).value({"X": rows}).rows
    yield "run", lambda: model.run(decoded, proba=False)
    if size == len(facts["rows"]) > 1:
        body, decoder = plain_body(ROWS, case), msgspec.json.Decoder(Body)
        yield "decode", lambda: decoder.decode(body)


def calls_s(call: Callable[[], Any], seconds: float) -> float:
    """Calls a second, after a first one that is not counted."""
    call()
    calls, start = 0, time.perf_counter()
    while (took := time.perf_counter() - start) < seconds:
        call()
        calls += 1
    return calls / took


def main() -> None:
    case, seconds = Case(Path(sys.argv[1])), float(sys.argv[2])
    warnings.simplefilter("ignore")
    figures = [
        {"way": way, "size": size, "rows_s": size * calls_s(call, seconds)}
        for size in map(int, sys.argv[3:])
        for way, call in ways(case, size)
    ]
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
