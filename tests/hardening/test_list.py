"""The page of security lists exactly the cases that are tested here."""

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "security.md"


def test_each_case_that_is_tested_is_on_the_page_and_each_on_the_page_is_tested():
    named = {
        int(number) for path in HERE.glob("test_*.py") for number in re.findall(r"def test_t(\d{3})_", path.read_text())
    }
    section = PAGE.read_text().partition("## How it is tested")[2].partition("## What is not promised")[0]
    rows = [line for line in section.splitlines() if line.startswith("| T")]
    listed = {int(number) for row in rows if "`tests/" not in row for number in re.findall(r"\bT(\d{3})\b", row)}
    assert named == listed
