"""Instructions of a Dockerfile, and their text: what a value holds stays in its value.

https://docs.docker.com/reference/dockerfile
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from lading.errors import UsageError
from lading.ship.controls import refuse_controls

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_QUOTED = str.maketrans({"\\": "\\\\", '"': '\\"', "$": "\\$"})
_INDENT = "    "


class Instruction(NamedTuple):
    """One instruction.

    Attributes:
        name: in upper case.
        text: what stands behind it.
        comment: what stands above it, for who reads the file.
    """

    name: str
    text: str
    comment: str = ""


def plain(name: str, word: str, comment: str = "") -> Instruction:
    """An instruction with a word of our own, in which variables stand for their values."""
    refuse_controls(word)
    return Instruction(name, word, comment)


def stage(image: str, name: str = "", comment: str = "") -> Instruction:
    """FROM: what is built upon, and the name of the stage."""
    return plain("FROM", f"{image} AS {name}" if name else image, comment)


def run(*arguments: str, comment: str = "") -> Instruction:
    """RUN in exec form: no shell reads it."""
    return Instruction("RUN", _array(arguments), comment)


def entry(arguments: Sequence[str], comment: str = "") -> Instruction:
    """ENTRYPOINT in exec form."""
    return Instruction("ENTRYPOINT", _array(arguments), comment)


def copy(sources: Sequence[str], target: str, *, stage: str = "", owner: str = "", comment: str = "") -> Instruction:
    """COPY of files of the context, or of another stage."""
    # In these, unlike in what is run, `$` begins a variable and `[` a pattern.
    if not all(re.fullmatch(r"[A-Za-z0-9._+@/-]+", path) for path in (*sources, target)):
        raise UsageError("a path in an image has letters, digits, `.`, `_`, `-`, `+` and `/`")
    options = [f"--from={stage}"] * bool(stage) + [f"--chown={owner}"] * bool(owner)
    return Instruction("COPY", " ".join([*options, _array([*sources, target])]), comment)


def healthcheck(arguments: Sequence[str], options: Mapping[str, str], comment: str = "") -> Instruction:
    """HEALTHCHECK in exec form; `NONE` where there is nothing to run."""
    if not arguments:
        return Instruction("HEALTHCHECK", "NONE", comment)
    said = " ".join(f"--{name}={value}" for name, value in options.items())
    return Instruction("HEALTHCHECK", f"{said} CMD {_array(arguments)}", comment)


def pairs(name: str, values: Mapping[str, str], comment: str = "") -> Instruction:
    """LABEL or ENV, one pair a line."""
    lines = [f"{_key(key)}={quoted(value)}" for key, value in values.items()]
    return Instruction(name, f" \\\n{_INDENT}".join(lines), comment)


def quoted(value: str) -> str:
    """A value between quotes, in which nothing stands for anything else."""
    refuse_controls(value)
    return f'"{value.translate(_QUOTED)}"'


def render(instructions: Iterable[Instruction]) -> str:
    """The text of a Dockerfile; a stage begins after an empty line."""
    parts: list[str] = []
    for instruction in instructions:
        if parts and (instruction.name == "FROM" or instruction.comment):
            parts.append("")
        parts += [f"# {line}" for line in instruction.comment.splitlines()]
        parts.append(f"{instruction.name} {instruction.text}")
    return "\n".join(parts) + "\n"


def _array(arguments: Sequence[str]) -> str:
    for argument in arguments:
        refuse_controls(argument)
    return json.dumps(list(arguments), ensure_ascii=False)


def _key(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise UsageError("the name of a label or a variable has letters, digits, `_`, `.` and `-`")
    return key
