"""The cells of a notebook or script, read as text; nothing in it is run."""

from __future__ import annotations

import io
import json
import tokenize
from dataclasses import dataclass
from typing import Any

from lading.bundle.names import shown
from lading.errors import FormatError

__all__ = ["MAX_BYTES", "MAX_CODE_CHARS", "Cell", "Source", "numbered_cell", "read_source"]

MAX_BYTES = 64 << 20
"""Bytes of a file; what makes notebooks large are the pictures among their outputs."""
MAX_CODE_CHARS = 1 << 20
"""Characters of code in all cells; the syntax tree of so many takes some hundreds of megabytes at worst."""


@dataclass(frozen=True)
class Cell:
    """One code cell as its author wrote it, IPython's own syntax included.

    Attributes:
        text: the cell's source.
        label: what people call it: `In [7]` as it was run, else `cell 9` by its position; empty for a whole script,
            where each statement is called by its line.
    """

    text: str
    label: str


@dataclass(frozen=True)
class Source:
    """A notebook or script: the base name of its file, and its code cells in the order in which they ran."""

    name: str
    cells: tuple[Cell, ...]


def numbered_cell(text: str, count: int) -> Cell:
    """A cell that was run, by the number that IPython gave it."""
    return Cell(text, f"In [{count}]")


def read_source(name: str, data: bytes) -> Source:
    """The code cells of a notebook (`.ipynb`, format 3 or 4), or a script (`.py`) as one cell.

    The cells come in the order in which they were run where all of them were, else as they stand.

    Raises:
        FormatError: it is neither, is broken or too large, has no code cell, or is not in Python.
    """
    base = name.replace("\\", "/").rpartition("/")[2]
    if len(data) > MAX_BYTES:
        raise FormatError(f"{shown(base)} is larger than {MAX_BYTES >> 20} MiB", hint="clear its outputs and save it")
    if base.lower().endswith(".py"):
        cells: tuple[Cell, ...] = (Cell(_decode(base, data), ""),)
    elif base.lower().endswith(".ipynb"):
        cells = _in_order(_code_cells(base, _parse(base, data)))
    else:
        raise FormatError(f"{shown(base)} is neither a notebook nor a script", hint="give a .ipynb or a .py file")
    if sum(len(cell.text) for cell in cells) > MAX_CODE_CHARS:
        hint = "move what the model needs into a file of its own"
        raise FormatError(f"{shown(base)} has more than {MAX_CODE_CHARS >> 20} MiB of code", hint=hint)
    return Source(shown(base).strip("`"), cells)


def _decode(name: str, data: bytes) -> str:
    """The text of a script, in the encoding that it declares (PEP 263)."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return data.decode(encoding)
    # LookupError: an encoding that is not one of texts, such as `hex`.
    except (SyntaxError, UnicodeError, LookupError):
        raise FormatError(
            f"{shown(name)} is not text in the encoding that it declares", hint="save it as UTF-8"
        ) from None


def _parse(name: str, data: bytes) -> dict[str, Any]:
    try:
        notebook = json.loads(data)
    except (ValueError, RecursionError, MemoryError):
        raise FormatError(f"{shown(name)} is not a notebook: it is no JSON", hint="save the notebook again") from None
    if not isinstance(notebook, dict):
        raise FormatError(f"{shown(name)} is not a notebook: it is no JSON object", hint="save the notebook again")
    if not _is_python(_table(notebook, "metadata")):
        raise FormatError(f"{shown(name)} is a notebook of another language than Python", hint="give one in Python")
    return notebook


def _is_python(metadata: dict[str, Any]) -> bool:
    """Whether the metadata says Python, or says nothing."""
    said = [_table(metadata, "kernelspec").get("language"), _table(metadata, "language_info").get("name")]
    return all("python" in language.lower() for language in said if isinstance(language, str) and language)


def _table(of: dict[str, Any], key: str) -> dict[str, Any]:
    value = of.get(key)
    return value if isinstance(value, dict) else {}


@dataclass(frozen=True)
class _Numbered:
    cell: Cell
    count: int | None


def _code_cells(name: str, notebook: dict[str, Any]) -> list[_Numbered]:
    """The code cells as they stand; those of format 3 lie in worksheets."""
    sheets = [notebook, *_objects(notebook.get("worksheets"))]
    cells = [cell for sheet in sheets for cell in _objects(sheet.get("cells"))]
    found = [_numbered(cell, position) for position, cell in enumerate(cells, 1) if cell.get("cell_type") == "code"]
    if not found:
        raise FormatError(f"{shown(name)} has no code cells", hint="give the notebook in which the model was made")
    return found


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _numbered(cell: dict[str, Any], position: int) -> _Numbered:
    """The cell; format 3 has `input` and `prompt_number` for what format 4 calls `source` and `execution_count`."""
    text = _joined(cell.get("source", cell.get("input")))
    count = cell.get("execution_count", cell.get("prompt_number"))
    if type(count) is not int:
        return _Numbered(Cell(text, f"cell {position}"), None)
    return _Numbered(numbered_cell(text, count), count)


def _joined(text: Any) -> str:
    lines = text if isinstance(text, list) else [text]
    return "".join(line for line in lines if isinstance(line, str))


def _in_order(cells: list[_Numbered]) -> tuple[Cell, ...]:
    """The cells as they were run, where each that holds something was; else as they stand."""
    filled = [numbered for numbered in cells if numbered.cell.text.strip()]
    counts = [numbered.count for numbered in filled if numbered.count is not None]
    if len(set(counts)) == len(filled):
        filled.sort(key=lambda numbered: numbered.count or 0)
    return tuple(numbered.cell for numbered in filled)
