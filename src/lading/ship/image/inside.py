"""What is done within an image while it is built: `python -m lading.ship.image.inside BUNDLE SBOM`."""

from __future__ import annotations

import shutil
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import msgspec

from lading.bundle.bundle import Bundle
from lading.ship.image.sbom import sbom

_SUFFIXES = frozenset({".c", ".cpp", ".h", ".hpp", ".pxd", ".pyi", ".pyx", ".a"})
# The code of the module for Python once more, for programs in C; and what makes other graphs of graphs.
_PATTERNS = ("onnxruntime/capi/libonnxruntime.so.*", "onnxruntime/quantization", "onnxruntime/transformers")


def main(bundle: Path, target: Path) -> None:
    """Take away what no server loads, and write what is there."""
    site = Path(sysconfig.get_path("purelib"))
    for path in list(unneeded(site)):
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    with Bundle.open(bundle) as opened:
        document = sbom(opened.manifest, opened.digest())
    target.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")


def unneeded(site: Path) -> Iterator[Path]:
    """Tests, sources in other languages, hints for editors: what is not loaded when a model answers."""
    for path in sorted(site.rglob("*")):
        is_tests = path.is_dir() and path.name == "tests"
        if is_tests or path.suffix in _SUFFIXES or any(path.match(pattern) for pattern in _PATTERNS):
            yield path


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
