"""CSV text (RFC 4180) as lines of cells: for request bodies, files to predict and training data alike."""

from __future__ import annotations

import csv

from lading.errors import BrokenInput

MAX_CELL_CHARS = 1 << 20


def read_csv(body: bytes) -> list[list[str]]:
    """The lines of cells, the header first; blank lines are passed over.

    Raises:
        BrokenInput: the text is empty, not UTF-8, broken, or a line has more or fewer cells than the header.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BrokenInput("the CSV is not UTF-8 text", code="input.not_utf8") from None
    if "\0" in text:
        raise BrokenInput("the CSV holds a NUL character", code="input.not_csv")
    lines = _lines(text)
    if not lines:
        raise BrokenInput("the CSV is empty: expected a header line", code="input.empty")
    width = len(lines[0])
    for number, line in enumerate(lines):
        if len(line) != width:
            raise BrokenInput(
                f"CSV row {number - 1} has {len(line)} cells, the header has {width}", code="input.not_csv"
            )
    return lines


def _lines(text: str) -> list[list[str]]:
    csv.field_size_limit(MAX_CELL_CHARS)
    try:
        return [line for line in csv.reader(text.splitlines(keepends=True), strict=True) if line]
    except csv.Error as error:
        raise BrokenInput(f"not CSV: {str(error).split(':')[0]}", code="input.not_csv") from None
