"""How far a run is: a line on a terminal, nothing elsewhere."""

import sys
import time

import pytest

from lading.batch.tally import Tally
from lading.cli.progress import Progress, in_words


def test_the_line_says_how_far_how_fast_and_how_long():
    now_s = time.monotonic()
    tally = Tally(size=1000, size_done=250, rows=3_000_000, fresh_rows=0, began_s=now_s - 60)
    assert in_words(tally, now_s) == " 25%   3,000,000 rows   0 rows/s   0:03:00 left"
    assert in_words(Tally(rows=7), now_s) == "7 rows   0 rows/s"
    assert in_words(Tally(size=5), now_s).startswith("  0%   0 rows")


@pytest.mark.parametrize("is_terminal", [True, False])
def test_it_is_for_terminals(is_terminal: bool, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    monkeypatch.setattr("lading.cli.progress._AFTER_S", -1.0)
    progress = Progress()
    progress.show(Tally(rows=7))
    progress.show(Tally(rows=8))  # too soon
    progress.clear()
    told = capfd.readouterr().err
    assert ("7 rows" in told) is is_terminal
    assert "8 rows" not in told
