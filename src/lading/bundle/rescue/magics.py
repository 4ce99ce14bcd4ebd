"""Cells of IPython as Python: magics, shell lines and calls for help become `pass`; nothing is run."""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass

__all__ = ["MAX_MENDED_CHARS", "Python", "parse_quietly", "read_python"]

MAX_MENDED_CHARS = 2 << 20
"""Characters that are parsed anew in all cells: a cell is parsed once more for each line that is mended."""

# Their body is Python that runs in the notebook's own names.
_PYTHON_MAGICS = frozenset({"capture", "memit", "prun", "python3", "snakeviz", "time", "timeit"})
_CELL_MAGIC = re.compile(r"\s*%%(\w*)[^\n]*")
_MAGIC = re.compile(
    r"""(?:
        [%!?]                            # %matplotlib inline   !ls   ?name
        | [\w.,\s\[\]*"']+=\s*[%!]       # files = !ls   out = %time f()
        | (?:pip|conda|mamba|cd|ls|pwd|cat|cp|mv|rm|mkdir)\s+[\w./~-]   # magics that may come without their sign
    )""",
    re.VERBOSE,
)
_TIMED = re.compile(r"(\s*)%time\s+(?=\S)")


@dataclass(frozen=True)
class Python:
    """A cell as Python.

    Attributes:
        text: the cell's source with harmless lines in place of IPython's own; as many lines as the cell has.
        tree: its syntax; None where it is not Python.
        reason: what is the matter then: `could not be read (syntax error in line 2)`.
        mended: characters that were parsed anew for the sake of IPython's lines.
    """

    text: str
    tree: ast.Module | None
    reason: str = ""
    mended: int = 0


def read_python(text: str, max_mended: int = MAX_MENDED_CHARS) -> Python:
    """The cell as Python, so far as it is.

    Args:
        text: of the cell.
        max_mended: characters that may be parsed anew.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    magic = _CELL_MAGIC.match(text)
    if magic:
        if magic[1] not in _PYTHON_MAGICS:
            return Python(text, None, f"is not Python (`%%{magic[1][:40]}`)")
        text = "\n" * magic[0].count("\n") + text[magic.end() :]
    return _mended(text, max_mended)


def _mended(text: str, max_mended: int) -> Python:
    """The text with each line of IPython's mended at which the parser stops.

    Only there: a line inside of brackets that begins with `%` is Python.
    """
    parsed = 0
    while True:
        try:
            return Python(text, parse_quietly(text), mended=parsed)
        except SyntaxError as error:
            line = error.lineno or 1
            mended = _neutralize(text, line)
        except (RecursionError, MemoryError):
            return Python(text, None, "could not be read (it is nested too deeply)", parsed)
        except ValueError:
            return Python(text, None, "could not be read (it holds characters that no source may)", parsed)
        parsed += len(text)
        if mended is None or parsed > max_mended:
            return Python(text, None, f"could not be read (syntax error in line {line})", parsed)
        text = mended


def parse_quietly(text: str) -> ast.Module:
    """The syntax of a text, without the warnings of the parser."""
    with warnings.catch_warnings():
        # An unusual escape such as "\d" is the author's affair.
        warnings.simplefilter("ignore")
        return ast.parse(text)


def _neutralize(text: str, number: int) -> str | None:
    """The text with the magic at a line, counted from 1, made harmless; None where none is there."""
    lines = text.split("\n")
    start = min(number, len(lines)) - 1
    while start and lines[start - 1].endswith("\\"):
        start -= 1
    end = start
    while lines[end].endswith("\\") and end + 1 < len(lines):
        end += 1
    if not _MAGIC.match(lines[start].lstrip()) and not _is_question(lines[start]):
        return None
    if _TIMED.match(lines[start]):
        lines[start] = _TIMED.sub(r"\1", lines[start])
        return "\n".join(lines)
    indent = lines[start][: len(lines[start]) - len(lines[start].lstrip())]
    lines[start : end + 1] = [f"{indent}pass", *[""] * (end - start)]
    return "\n".join(lines)


def _is_question(line: str) -> bool:
    """Whether a line asks for help: `name?`, `name??`."""
    return line.rstrip().removesuffix(";").rstrip().endswith("?")
