"""Scripts for any POSIX shell, written from commands: every word of a command stays that word, whatever is in it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from lading.ship.controls import refuse_controls

_INDENT = "    "
_NAME = re.compile(r"[a-z_]+")


class Variable(NamedTuple):
    """The value of a variable, as one word of a command."""

    name: str


Word = str | Variable


class Command(NamedTuple):
    """A command.

    Attributes:
        words: its name and its arguments.
        given: the text that it reads, with a line feed behind it.
        is_quiet: whether what it prints is for nobody.
        is_error: whether what it prints is an error of the script.
    """

    words: Sequence[Word]
    given: Word = ""
    is_quiet: bool = False
    is_error: bool = False


class Assign(NamedTuple):
    """A variable that gets what a command prints; nothing, where that `may_fail`."""

    variable: str
    command: Command
    may_fail: bool = False


class If(NamedTuple):
    """Steps that are taken where a command succeeds; where it fails, if `is_not`."""

    test: Command
    steps: Sequence[Step]
    is_not: bool = False


class For(NamedTuple):
    """Steps that are taken for each of some words."""

    variable: str
    words: Sequence[str]
    steps: Sequence[Step]


class Remark(NamedTuple):
    """An empty line, and one of words for who reads the script."""

    text: str


Step = Command | Assign | If | For | Remark


def run(*words: Word) -> Command:
    """A command that has to succeed."""
    return Command(words)


def say(text: str, *, is_error: bool = False) -> Command:
    """A command that prints a text."""
    return Command(("printf", "%s\\n", text), is_error=is_error)


def render(steps: Iterable[Step], head: str) -> str:
    """The text of a script that ends at the first command that fails, and runs in the folder in which it is."""
    begin = ["#!/bin/sh", *_comment(head), "set -eu", "umask 022", 'cd "$(dirname "$0")"']
    return "\n".join([*begin, *_lines(steps)]) + "\n"


def _lines(steps: Iterable[Step], depth: int = 0) -> Iterator[str]:
    for step in steps:
        for text in _step(step):
            yield f"{_INDENT * depth}{text}" if text else ""


def _step(step: Step) -> Iterator[str]:
    match step:
        case Remark(text):
            yield from ("", *_comment(text))
        case Assign(variable, command, may_fail):
            yield f"{_name(variable)}=$({_command(command)}{' || true' * may_fail})"
        case If(test, steps, is_not):
            yield f"if {'! ' * is_not}{_command(test)}; then"
            yield from _lines(steps, 1)
            yield "fi"
        case For(variable, names, steps):
            yield f"for {_name(variable)} in {' '.join(map(_word, names))}; do"
            yield from _lines(steps, 1)
            yield "done"
        case Command():
            yield _command(step)


def _command(command: Command) -> str:
    text = " ".join(map(_word, command.words))
    if command.given:
        text = f"printf '%s\\n' {_word(command.given)} | {text}"
    return text + " >/dev/null 2>&1" * command.is_quiet + " >&2" * command.is_error


def _word(word: Word) -> str:
    if isinstance(word, Variable):
        return f'"${_name(word.name)}"'
    refuse_controls(word)
    return shlex.quote(word)


def _name(name: str) -> str:
    assert _NAME.fullmatch(name), name
    return name


def _comment(text: str) -> list[str]:
    lines = text.splitlines()
    for each in lines:
        refuse_controls(each)
    return [f"# {each}" for each in lines]
