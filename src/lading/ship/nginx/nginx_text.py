"""Directives of nginx, and their text: what an argument holds stays in that argument.

https://nginx.org/en/docs/beginners_guide.html#conf_structure
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from lading.errors import UsageError
from lading.ship.controls import refuse_controls

_BARE = re.compile(r"[A-Za-z0-9_./:=$@~^*%+,-]+")
_INDENT = "    "
_COMMENT_CHARS = 100
_LINE_CHARS = 120


class Directive(NamedTuple):
    """One directive.

    Attributes:
        name: what it sets; in a block such as `map`, what is compared.
        arguments: each one word for nginx, whatever is in it. `$name` stands for the value of a variable.
        block: the directives within it; None where it has no block.
        comment: what stands above it, for who reads the file.
    """

    name: str
    arguments: tuple[str, ...] = ()
    block: tuple[Directive, ...] | None = None
    comment: str = ""


def plain(name: str, *arguments: str, comment: str = "") -> Directive:
    """A directive without a block."""
    return Directive(name, arguments, None, comment)


def block(name: str, *arguments: str, within: Iterable[Directive], comment: str = "") -> Directive:
    """A directive with others within it."""
    return Directive(name, arguments, tuple(within), comment)


def literal(text: str) -> str:
    """The same text, in which nothing is a variable.

    Raises:
        UsageError: it holds `$`, which nginx has no other way to write.
    """
    if "$" in text:
        raise UsageError("nginx has no way to write `$` in a name or a path")
    return text


def duration(seconds: float) -> str:
    """A time as nginx has it, of a millisecond at least."""
    return f"{seconds:.0f}s" if seconds == int(seconds) else f"{max(round(seconds * 1000), 1)}ms"


def render(directives: Sequence[Directive]) -> str:
    """The text that nginx reads.

    Raises:
        UsageError: an argument or a comment has control characters.
    """
    return "\n".join(_lines(directives, "")) + "\n"


def _lines(directives: Sequence[Directive], indent: str) -> Iterator[str]:
    for number, directive in enumerate(directives):
        is_apart = directive.block is not None or bool(directive.comment)
        if number and (is_apart or directives[number - 1].block is not None):
            yield ""
        yield from _comment(directive.comment, indent)
        words = [quoted(word) for word in (directive.name, *directive.arguments)]
        if directive.block is None:
            yield from _filled([*words[:-1], f"{words[-1]};"], indent)
        else:
            yield from _filled([*words, "{"], indent)
            yield from _lines(directive.block, indent + _INDENT)
            yield f"{indent}}}"


def _filled(words: Sequence[str], indent: str) -> Iterator[str]:
    """The words in lines of no more than 120 characters, unless one is longer by itself."""
    line = indent + words[0]
    for word in words[1:]:
        if len(line) + 1 + len(word) > _LINE_CHARS and word != "{":
            yield line
            line = indent + _INDENT + word
        else:
            line += f" {word}"
    yield line


def _comment(text: str, indent: str) -> Iterator[str]:
    refuse_controls(text)
    yield from (f"{indent}# {line}" for line in textwrap.wrap(text, _COMMENT_CHARS))


def quoted(word: str) -> str:
    """One word of nginx: bare where that is plain, else in quotes, within which only a backslash and quotes count."""
    refuse_controls(word)
    if _BARE.fullmatch(word):
        return word
    quote = "'" if '"' in word and "'" not in word else '"'
    return quote + word.replace("\\", "\\\\").replace(quote, f"\\{quote}") + quote
