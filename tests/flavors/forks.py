"""Loads every model in a folder, forks two processes, and prints as JSON what each of them answers.

python forks.py FOLDER: {"threads": ["python"], "answers": [{"name": [...]}, {"name": [...]}]}
"""

import json
import os
import signal
import sys
from pathlib import Path

import joblib

import lading

LIMIT_S = 60
"""A process that has not answered by then never will."""


def main(folder: Path) -> None:
    models = {path.stem: lading.load(path) for path in sorted(folder.glob("*.lading"))}
    rows = {name: joblib.load(folder / f"{name}.rows") for name in models}
    threads = [file.read_text().strip() for file in Path("/proc/self/task").glob("*/comm")]
    answers = [fork(lambda: {name: models[name].predict(rows[name]).tolist() for name in models}) for _ in range(2)]
    print(json.dumps({"threads": threads, "answers": [json.loads(answer.read() or "null") for answer in answers]}))


def fork(answer):
    """Where the answer of another process comes from; nothing does when it hangs."""
    reading, writing = os.pipe()
    if os.fork():
        os.close(writing)
        return os.fdopen(reading)
    signal.alarm(LIMIT_S)
    os.write(writing, json.dumps(answer()).encode())
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
