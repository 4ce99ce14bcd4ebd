#!/usr/bin/env python3
"""10,000 rows of 30 columns in one request: JSON in four shapes, CSV and an Arrow stream, from bytes to bytes.

In one run, in turn: the body only read by the library that reads it; read and validated; everything in process, from
the body to the encoded answer; and one connection to a real server. Writes `benchmarks/large.md`.
"""

import csv
import gc
import http.client
import io
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
ROWS = 10_000
ROUNDS = 9
MAX_BODY_BYTES = 16 << 20
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
STAGES = ("read", "validate", "whole", "server")
TYPES = {"CSV": "text/csv", "Arrow": "application/vnd.apache.arrow.stream"}


@dataclass(frozen=True)
class Body:
    """One form of the rows.

    Attributes:
        read: what reading it takes at least, with the library that does.
        method: of the decoder.
    """

    name: str
    data: bytes
    read: Callable[[bytes], Any]
    method: str = "json"


def cases() -> Iterator[tuple[str, Any, Any, Any]]:
    """Name, estimator, training data, and what is asked: numbers of few digits, of all digits, and a mixed frame."""
    import numpy as np
    import pandas as pd
    from sklearn import datasets
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from tests.mixed import COLUMNS, mixed_frame, mixed_pipeline

    cancer = datasets.load_breast_cancer(as_frame=True)
    model = make_pipeline(StandardScaler(), LogisticRegression())
    model.fit(cancer.data.to_numpy(), cancer.target_names[cancer.target])
    asked = cancer.data.sample(ROWS, replace=True, random_state=0).reset_index(drop=True)
    yield "numbers as measured, 4 to 6 digits", model, cancer.data, asked
    noise = 1 + 0.01 * np.random.default_rng(0).standard_normal(asked.shape)
    yield "numbers of 17 digits", model, cancer.data, asked * noise
    frame = mixed_frame(ROWS)
    X = frame[COLUMNS].dropna().reset_index(drop=True)
    target = frame["churned"][frame[COLUMNS].notna().all(axis=1)]
    mixed = mixed_pipeline(LogisticRegression(max_iter=1000)).fit(X, target)
    asked = X.sample(ROWS, replace=True, random_state=0).reset_index(drop=True)
    yield f"{len(COLUMNS)} columns: numbers, categories, booleans", mixed, X, pd.DataFrame(asked)


def bodies(schema: Any, frame: Any) -> list[Body]:
    """The rows in each form, with the least that reading it can take."""
    import msgspec
    import pyarrow as pa

    names = list(schema.names)
    frame = frame[names]
    lines = frame.to_numpy(object).tolist()
    objects = [dict(zip(names, line, strict=True)) for line in lines]
    kinds = {"int": int, "float": float, "bool": bool, "text": str, "date": str}
    types: list[Any] = [kinds[field.value_kind] for field in schema.inputs]
    row: Any = msgspec.defstruct(
        "Row",
        [(f"x{place}", kind) for place, kind in enumerate(types)],
        rename={f"x{place}": name for place, name in enumerate(names)},
        gc=False,
    )
    line: Any = tuple.__class_getitem__(tuple(types))
    split = [("columns", list[str]), ("data", list[line])]
    table = pa.Table.from_pandas(frame, preserve_index=False)
    stream = io.BytesIO()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    return [
        Body("JSON: objects", msgspec.json.encode(objects), msgspec.json.Decoder(list[row]).decode),
        Body("JSON: instances", msgspec.json.encode({"instances": objects}), _typed([("instances", list[row])])),
        Body("JSON: X", msgspec.json.encode({"X": lines}), _typed([("X", list[line])])),
        Body("JSON: columns, data", msgspec.json.encode({"columns": names, "data": lines}), _typed(split)),
        Body("CSV", frame.to_csv(index=False).encode(), _read_csv, "csv"),
        Body("Arrow", stream.getvalue(), lambda data: pa.ipc.open_stream(data).read_all(), "arrow"),
    ]


def _typed(fields: list[Any]) -> Callable[[bytes], Any]:
    import msgspec

    kind: Any = msgspec.defstruct("Wrapper", fields)
    decode: Callable[[bytes], Any] = msgspec.json.Decoder(kind).decode
    return decode


def _read_csv(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(), newline=""), strict=True))


def measure() -> None:
    """Prints a JSON line for each case and body: seconds of each stage; and one for the model alone."""
    import lading
    from lading.engine.answers import json_of
    from lading.schema.decode import Decoder

    for name, estimator, frame, asked in cases():
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            path = lading.pack(estimator, frame, path=Path(folder) / "model.lading").path
            model = lading.load(path)
            decoder = Decoder(model.schema)
            made = bodies(model.schema, asked)
            gc.collect()
            gc.freeze()
            table = decoder.arrow(made[-1].data).rows
            alone = {"predict": lambda model=model, table=table: model.predictor.predict(table)}
            with served(path) as ask:
                for body in made:
                    decode = getattr(decoder, body.method)

                    def whole(decode: Any = decode, body: Body = body, model: Any = model) -> bytes:
                        answer = model.answer_rows(decode(body.data).rows)
                        return json_of(answer, is_single=False, request_id="x")

                    stages = {
                        "read": lambda body=body: body.read(body.data),
                        "validate": lambda decode=decode, body=body: decode(body.data),
                        "whole": whole,
                        "server": lambda ask=ask, body=body: ask(body),
                    }
                    seconds = medians(stages)
                    print(
                        json.dumps({"case": name, "body": body.name, "bytes": len(body.data), "s": seconds}), flush=True
                    )
            print(json.dumps({"case": name, "body": "", "s": medians(alone)}), flush=True)


def medians(ways: dict[str, Callable[[], Any]]) -> dict[str, list[float]]:
    """The seconds of each way, asked in turn: the median, the least and the most."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            result = way()
            del result  # a request frees what it made, too
            times[name].append(time.perf_counter() - start)
    return {name: [statistics.median(some[1:]), min(some[1:]), max(some[1:])] for name, some in times.items()}


@contextmanager
def served(path: Path) -> Iterator[Callable[[Body], bytes]]:
    """A server of the bundle, and how to ask it over one connection."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"LADING_MAX_BODY_BYTES": str(MAX_BODY_BYTES)}
    command = [sys.executable, "-m", "lading", "serve", str(path), "--port", str(port)]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        connection = _connected(port)

        def ask(body: Body) -> bytes:
            connection.request(
                "POST", "/predict", body.data, {"content-type": TYPES.get(body.name, "application/json")}
            )
            answer = connection.getresponse()
            read = answer.read()
            if answer.status != 200:
                raise SystemExit(f"{body.name}: {answer.status} {read[:300]!r}")
            return read

        yield ask
        connection.close()
    finally:
        server.terminate()
        server.wait(30)


def _connected(port: int) -> http.client.HTTPConnection:
    for _ in range(200):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request("GET", "/ready")
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                return connection
        except OSError:
            pass
        connection.close()
        time.sleep(0.1)
    raise SystemExit("the server is not ready")


def report(figures: list[dict[str, Any]]) -> str:
    versions = f"Python {platform.python_version()}, {os.cpu_count()} processors"
    lines = ["# Large requests", ""]
    lines += [f"`python benchmarks/large.py`: {versions}; models compute with one thread; medians of {ROUNDS} rounds"]
    lines += [
        "in turn. The machine is shared, and the client runs on it too: the ratios tell more than the figures.",
        "",
    ]
    lines += [WORDS]
    for case in dict.fromkeys(figure["case"] for figure in figures):
        lines += [f"## {ROWS:,} rows: {case}", "", *table([figure for figure in figures if figure["case"] == case]), ""]
    lines += ["## Raw figures", "", "Milliseconds: median (least to most).", ""]
    lines += ["| case | body | bytes | " + " | ".join(STAGES) + " |", "|" + "---|" * (3 + len(STAGES))]
    for figure in figures:
        if figure["body"]:
            cells = [figure["case"], figure["body"], f"{figure['bytes']:,}"]
            cells += ["{:.2f} ({:.2f} to {:.2f})".format(*(1e3 * s for s in figure["s"][stage])) for stage in STAGES]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", NOTES])


def table(figures: list[dict[str, Any]]) -> list[str]:
    """Rows a second of each stage, and what is left of reading when all but the model is added."""
    model_s = next(figure["s"]["predict"][0] for figure in figures if not figure["body"])
    head = ["body", "MB", "read", "validated", "in process", "server", "of reading", "of the model"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for figure in figures:
        if not figure["body"]:
            continue
        seconds = {stage: figure["s"][stage][0] for stage in STAGES}
        cells = [figure["body"], f"{figure['bytes'] / 1e6:.1f}", *(f"{ROWS / seconds[stage]:,.0f}" for stage in STAGES)]
        cells += [
            f"{seconds['read'] / max(seconds['whole'] - model_s, 1e-9):.2f}",
            f"{model_s / seconds['server']:.2f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return [*lines, "", f"The model alone: {ROWS / model_s:,.0f} rows/s ({1e3 * model_s:.1f} ms)."]


WORDS = """\
Rows a second. *Read* is what reading takes at least: msgspec with the types of the columns, `csv.reader`, pyarrow.
*Validated* is `Decoder`: read, and every rule checked. *In process* goes from the bytes of the body to the bytes of the
answer, model included; *server* is one connection to `lading serve`, with the body sent and the answer received.

*Of reading* is the time of *read* over that of *in process* less the model: 1 where nothing is added to reading. *Of
the model* is the time of the model over that of the whole request to the server.
"""

NOTES = """\
## What was tried

* A search for numbers that are too long, with a regular expression, took longer than to decode the body: 150 to 215 ms
  of 6 to 11 MB. Three words of eight digits in a row are looked for now, in NumPy: 1 to 2 ms.
* CSV of numbers becomes JSON by replacing its line ends, and is decoded as JSON: under half the time of `csv.reader`
  alone, which makes a text of each cell. Other CSV is read by `csv.reader` and converted column by column.
* Objects of floats become an array without a list of tuples in between: 5 ms of 36. Lists of lists become tuples; to
  pack these as an array takes an eighth of the time of decoding them.
* An Arrow stream is validated in full and copied once, into the matrix that the model takes: 1 to 2 ms of 2.4 MB. To
  receive them takes 3 to 4 ms, most of what is left of the request.
"""


def main() -> None:
    if "--measure" in sys.argv:
        return measure()
    environment = os.environ | ONE_THREAD | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    command = [sys.executable, str(Path(__file__).resolve()), "--measure"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    text = report([json.loads(line) for line in done.stdout.splitlines()])
    Path(__file__).with_suffix(".md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
