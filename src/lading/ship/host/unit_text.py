"""What systemd reads, written from values: units, environment files, and the list of users and groups.

https://www.freedesktop.org/software/systemd/man/252/systemd.syntax.html, systemd.service.html (command lines),
systemd.exec.html (`EnvironmentFile=`), sysusers.d.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from lading.errors import UsageError
from lading.ship.controls import refuse_controls

_PLAIN = re.compile(r"[A-Za-z0-9_/.,:=@+~%$-]+")
"""Words that need no quotes once `%` and `$` are doubled."""
_PROGRAM = re.compile(r"(?:/[A-Za-z0-9._+-]+)+")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")


class Line(NamedTuple):
    """One line of a section.

    Attributes:
        name: what is set.
        text: to what, as systemd reads it.
        comment: what stands above it, for who reads the file.
    """

    name: str
    text: str
    comment: str = ""


class Section(NamedTuple):
    """A section of a unit and its lines, in their order; a name may come several times."""

    name: str
    lines: Sequence[Line]


def line(name: str, value: str | bool | int, comment: str = "") -> Line:
    """A line with one value, which is taken as it is: a text, a path, yes or no, a number, seconds."""
    text = {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
    refuse_controls(text)
    # A backslash at the end would join the next line to this one, and blanks around a value are dropped.
    if text.endswith("\\") or text != text.strip():
        raise UsageError(f"{name}= of a unit cannot begin or end with a blank, or end with a backslash")
    return Line(name, text.replace("%", "%%"), comment)


def words(name: str, *values: str, comment: str = "") -> Line:
    """A line with a list of words, each of which stays one whatever is in it."""
    return Line(name, " ".join(map(_quoted, values)), comment)


def command(name: str, *arguments: str, comment: str = "") -> Line:
    """A line with a command; no shell reads it, and no argument names a variable."""
    if not _PROGRAM.fullmatch(arguments[0]):
        raise UsageError("a program of a unit is an absolute path of letters, digits, `.`, `_`, `-`, `+` and `/`")
    return Line(name, " ".join(_quoted(argument.replace("$", "$$")) for argument in arguments), comment)


def render(sections: Iterable[Section], head: str) -> str:
    """The text of a unit; `head` is what its first comment says."""
    return "\n".join([*_comment(head), *(text for section in sections for text in ("", *_section(section)))]) + "\n"


def environment_text(values: Mapping[str, str], head: str) -> str:
    """The text of an environment file: systemd takes each value as it is, and so does a shell that reads the file."""
    return "\n".join([*_comment(head), *(_assignment(name, value) for name, value in values.items())]) + "\n"


def sysusers_text(lines: Iterable[Sequence[str]], head: str) -> str:
    """The text of a list of users and groups, from the fields of its lines."""
    return "\n".join([*_comment(head), *(" ".join(map(_quoted, fields)) for fields in lines)]) + "\n"


def _section(section: Section) -> Iterable[str]:
    yield f"[{section.name}]"
    for entry in section.lines:
        yield from ["", *_comment(entry.comment)] if entry.comment else []
        yield f"{entry.name}={entry.text}"


def _comment(text: str) -> list[str]:
    lines = text.splitlines()
    for each in lines:
        refuse_controls(each)
    return [f"# {each}".rstrip("\\") for each in lines]  # which would take in the line below


def _quoted(word: str) -> str:
    """A word as systemd reads it: `%` begins a specifier, and within quotes a backslash an escape."""
    refuse_controls(word)
    word = word.replace("%", "%%")
    if _PLAIN.fullmatch(word):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _assignment(name: str, value: str) -> str:
    if not _VARIABLE.fullmatch(name):
        raise UsageError("a variable has capital letters, digits and `_`")
    refuse_controls(value)
    return f'{name}="' + re.sub(r'(["\\`$])', r"\\\1", value) + '"'
