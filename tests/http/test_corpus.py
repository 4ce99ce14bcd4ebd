"""Requests that have confused servers: for each, what becomes of it on either road, and why.

The requests are a corpus of their own that is not part of this project; the table is. `LADING_TEST_HTTP_CORPUS` says
where the corpus is, if it is not beside the checkout. `python tests/http/test_corpus.py` makes the table anew.
"""

import asyncio
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CORPUS = Path(os.environ.get("LADING_TEST_HTTP_CORPUS", ROOT.parent / "shared" / "corpora" / "http"))
TABLE = Path(__file__).with_name("corpus.json")
VERDICTS: dict[str, list[str]] = json.loads(TABLE.read_text("utf-8")) if TABLE.exists() else {}

_ESCAPES = {b"\\r": b"\r", b"\\n": b"\n", b"\\0": b"\0", b"\\t": b"\t"}


def read(path: Path) -> bytes:
    """The request in a file, in which line ends and strange bytes are written as escapes."""
    data = path.read_bytes().replace(b"\n", b"")
    data = re.sub(rb"\\[rn0t]", lambda match: _ESCAPES[match[0]], data)
    return re.sub(rb"\\x([0-9A-Fa-f]{2})", lambda match: bytes([int(match[1], 16)]), data)


def verdict(told: Any) -> list[str]:
    """What became of a request: `taken`, `refused` or `waits`, and the reason."""
    statuses = re.findall(rb"HTTP/1\.1 (\d+)", told.raw)
    details = re.findall(rb'"code":"([^"]*)","detail":"([^"]*)"', told.raw)
    malformed = [detail.decode() for code, detail in details if code.startswith(b"request.")]
    if malformed:
        return ["refused", malformed[-1]]
    if not statuses:
        return ["waits", "it is not whole"]
    return ["taken", f"{len(statuses)} answered"]


def roads_of(model: Any) -> Any:
    from tests.http.conftest import make
    from tests.http.roads import Road

    for lane in (True, False):
        app = make(model)
        yield Road(app, lane=lane)


def test_the_table_has_every_kind():
    assert {kind for kind, _ in VERDICTS.values()} == {"taken", "refused", "waits"}
    assert len(VERDICTS) == 137
    # A valid corpus holds what HTTP/1.1 allows; we ask for more, and say why.
    assert all(reason for _, reason in VERDICTS.values())


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of requests is not here")
@pytest.mark.parametrize("name", sorted(VERDICTS))
def test_a_request_gets_its_verdict_on_both_roads(double: Any, name: str):
    data = read(CORPUS / name)
    with asyncio.Runner() as runner:
        for road in roads_of(double):
            assert verdict(runner.run(road.tell([data]))) == VERDICTS[name]


def main() -> None:
    """Write the table."""
    import tempfile

    from tests.http.conftest import DOUBLE

    import lading

    with tempfile.TemporaryDirectory() as folder:
        model = lading.load(lading.pack(DOUBLE, path=Path(folder) / "double.lading").path)
    with asyncio.Runner() as runner:
        road = next(iter(roads_of(model)))
        names = sorted(str(path.relative_to(CORPUS)) for path in CORPUS.glob("*/*.http"))
        table = {name: verdict(runner.run(road.tell([read(CORPUS / name)]))) for name in names}
    TABLE.write_text(json.dumps(table, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
