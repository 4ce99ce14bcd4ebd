"""`python -m fuzz TARGET`: atheris against one target, with the coverage of `lading` alone to guide it.

What breaks the target is kept in the folder, as `TARGET-crash-…`; `python -m fuzz TARGET FILE` tries such a file again.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
from pathlib import Path

TARGETS = ("bundle", "decode", "lane", "signature")
MAX_BYTES = 8192


def main() -> None:
    """Try one target for a while, or with one input."""
    options = _parser().parse_args()
    if options.file is not None:
        importlib.import_module(f"fuzz.{options.target}").fuzz_one(options.file.read_bytes())
        return
    import atheris  # type: ignore[import-untyped,unused-ignore]

    with atheris.instrument_imports(include=["lading"]):
        target = importlib.import_module(f"fuzz.{options.target}")
        seeds = target.seeds()  # what is imported when it is first needed is imported now
    logging.disable(logging.CRITICAL)
    corpus = options.folder / options.target
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    limits = [f"-max_total_time={options.seconds}", f"-runs={options.runs}", f"-max_len={MAX_BYTES}", "-timeout=30"]
    atheris.Setup(
        [sys.argv[0], *limits, f"-artifact_prefix={options.folder}/{options.target}-", str(corpus)], target.fuzz_one
    )
    atheris.Fuzz()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("file", type=Path, nargs="?", help="an input to try once")
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--runs", type=int, default=-1, help="how many inputs; -1 for as many as there is time for")
    parser.add_argument("--folder", type=Path, default=Path(".fuzz"), help="where inputs are kept")
    return parser


if __name__ == "__main__":
    main()
