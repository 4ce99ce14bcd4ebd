"""What is printed where: data on stdout, words on stderr."""

from __future__ import annotations

import contextlib
import sys

import click

from lading.errors import UsageError


def rows_in_words(count: int) -> str:
    """`1 row`, `1,234 rows`."""
    return f"{count:,} row{'s' * (count != 1)}"


def data_apart() -> contextlib.AbstractContextManager[object]:
    """A context in which a model may be run: what it prints goes to stderr, as stdout is for data alone."""
    return contextlib.redirect_stdout(sys.stderr)


def ask_passphrase(what: str = "the key", *, is_new: bool = False) -> str:
    """The passphrase that a person types, twice for a new one; it is not shown.

    Raises:
        UsageError: there is no terminal at which to ask.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"the passphrase of {what} is asked at a terminal, and this is none")
    answer: str = click.prompt(f"passphrase of {what}", hide_input=True, confirmation_prompt=is_new, err=True)
    return answer
