"""CSV text (RFC 4180) as lines of cells: for request bodies, files to predict and training data alike."""

from __future__ import annotations

import csv
import io

from lading.errors import BrokenInput

MAX_CELL_CHARS = 1 << 20
MISSING_TEXTS = frozenset(
    {"", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"}
    | {"<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"}
)
"""The texts that `pandas.read_csv` takes for missing (its `na_values`)."""


def read_csv(body: bytes) -> list[list[str]]:
    """The lines of cells, the header first; blank lines are passed over, and columns without a name get pandas' own.

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
    lines[0] = [name or f"Unnamed: {position}" for position, name in enumerate(lines[0])]
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
        # Unlike `splitlines`, this takes nothing but CR and LF for the end of a line.
        lines = csv.reader(io.StringIO(text, newline=""), strict=True)
        return [line for line in lines if not _is_blank(line)]
    except csv.Error as error:
        raise BrokenInput(f"not CSV: {str(error).split(':')[0]}", code="input.not_csv") from None


def _is_blank(line: list[str]) -> bool:
    return not line or (len(line) == 1 and line[0] != "" and not line[0].strip(" \t"))
