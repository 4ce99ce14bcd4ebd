#!/usr/bin/env python3
"""How long `lading --help` takes, beside an empty Python and beside `import numpy`, in turn in one run.

Writes `benchmarks/startup.md`: the machine, the medians, their ratios, and each raw figure.
"""

import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 15
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "lading --help": [sys.executable, "-m", "lading", "--help"],
    "import numpy": [sys.executable, "-c", "import numpy"],
}


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=60)
    return time.perf_counter() - start


def main() -> None:
    for command in COMMANDS.values():
        seconds(command)  # once to warm the disk
    rounds = [{name: seconds(command) for name, command in COMMANDS.items()} for _ in range(ROUNDS)]
    empty = statistics.median(row["python -c pass"] for row in rounds)
    lines = [
        "# Start-up of the command line",
        "",
        f"`python benchmarks/startup.py`: Python {platform.python_version()}, {ROUNDS} rounds in turn.",
        "",
        "| command | median, ms | least | most | of an empty Python |",
        "|---|---|---|---|---|",
    ]
    for name in COMMANDS:
        times = [row[name] for row in rounds]
        middle = statistics.median(times)
        cells = (f"{1000 * value:.0f}" for value in (middle, min(times), max(times)))
        lines.append(f"| `{name}` | {' | '.join(cells)} | {middle / empty:.1f} |")
    lines += ["", "Raw figures, ms, a round a line:", "", "```"]
    lines += ["  ".join(f"{name} {1000 * row[name]:.1f}" for name in COMMANDS) for row in rounds]
    text = "\n".join([*lines, "```", ""])
    Path(__file__).with_suffix(".md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
