"""Hold a service to two promises: 99 of 100 answers within 100 ms each, and more than 100 predictions a second.

    python speed.py test.csv http://127.0.0.1:8000

Each request is one row of the table, as JSON: first 100 of them one after the other, then for a second as many as come
back over 16 connections. What else the machine does counts too, so there are three attempts; ends with 1 where a
promise is kept in none. Needs nothing but the standard library.
"""

import argparse
import csv
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from itertools import cycle, islice
from urllib.parse import urlsplit

MOST_MS = 100
LEAST_PER_S = 100
CONNECTIONS = 16
SECONDS = 1.0
ATTEMPTS = 3


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("table", help="CSV with the columns of the model")
    parser.add_argument("url", nargs="?", default="http://127.0.0.1:8000")
    parser.add_argument("--figures", action="store_true", help="print what was measured")
    asked = parser.parse_args()
    address, bodies = urlsplit(asked.url).netloc, read_bodies(asked.table)

    for _ in range(ATTEMPTS):
        late_ms, per_s = measure(address, bodies)
        figures = f"99 of 100 answers within {late_ms:.1f} ms, {per_s:.0f} predictions a second"
        if asked.figures:
            print(figures)
        if late_ms <= MOST_MS and per_s > LEAST_PER_S:
            break
    else:
        sys.exit(f"error: {figures}")
    print(f"99 of 100 answers within {MOST_MS} ms: yes")
    print(f"more than {LEAST_PER_S} predictions a second: yes")


def measure(address, bodies):
    """How long 99 of 100 answers take at most, and how many predictions come in a second."""
    *_, late_ms, _ = sorted(islice(answer_times_ms(address, bodies), 100))
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        counts = threads.map(lambda first: count_answers(address, bodies[first:]), range(CONNECTIONS))
    return late_ms, sum(counts) / SECONDS


def read_bodies(path):
    """The rows of a table, each as JSON."""
    with open(path, newline="", encoding="utf-8") as file:
        return [json.dumps({name: read_cell(cell) for name, cell in row.items()}) for row in csv.DictReader(file)]


def read_cell(cell):
    """What a cell holds: a number, a boolean, nothing where it is empty, or else text."""
    try:
        return json.loads(cell.lower() or "null")
    except ValueError:
        return cell


def answer_times_ms(address, bodies):
    """How long each answer takes, one after the other over one connection, without end."""
    connection = HTTPConnection(address, timeout=5)
    for body in cycle(bodies):
        start = time.perf_counter()
        connection.request("POST", "/predict", body, {"content-type": "application/json"})
        answer = connection.getresponse()
        text = answer.read().decode()
        if answer.status != 200:
            sys.exit(f"error: {answer.status} {text}")
        yield (time.perf_counter() - start) * 1000


def count_answers(address, bodies):
    """How many answers come over one connection in `SECONDS`."""
    end = time.perf_counter() + SECONDS
    for count, _ in enumerate(answer_times_ms(address, bodies)):
        if time.perf_counter() > end:
            return count


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.exit(f"error: {error}")
