#!/usr/bin/env python3
"""What it costs to count in shared memory: as a multiple of `x[0] += 1` on a list, in turn in one run.

Prints the medians and their ratios, and writes nothing.
"""

import statistics
import timeit

from lading.monitor.counters import SharedCounters
from lading.monitor.slots import Slots

ROUNDS = 15
TIMES = 50_000
STATEMENTS = {
    "x[0] += 1": "x[0] += 1",
    "add": "counters.add('rows')",
    "add, with a label": "counters.add('requests', '/predict 200')",
    "set": "counters.set('in_flight', 5)",
    "observe": "counters.observe('request_seconds', 0.004, '/predict')",
}


def main() -> None:
    slots = Slots.create(64)
    names = {"x": [0], "counters": SharedCounters(slots, 0)}
    rounds = [
        {name: timeit.timeit(statement, globals=names, number=TIMES) / TIMES for name, statement in STATEMENTS.items()}
        for _ in range(ROUNDS)
    ]
    medians = {name: statistics.median(row[name] for row in rounds) for name in STATEMENTS}
    for name, median_s in medians.items():
        print(f"{name:20} {1e9 * median_s:6.0f} ns {median_s / medians['x[0] += 1']:6.1f} x")


if __name__ == "__main__":
    main()
