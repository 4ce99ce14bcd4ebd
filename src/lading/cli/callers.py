"""What the verbs `keys` and `users` share: where their files are, options, times and tables in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from lading.access.scopes import USUAL
from lading.settings import Settings, find_settings

scopes_option = click.option(
    "--scope",
    "scopes",
    metavar="SCOPE",
    multiple=True,
    help=f"What it is for; repeatable [default: {', '.join(USUAL)}]",
)


def settings_with(**said: Path | None) -> Settings:
    """The settings, as a server started in this folder would find them, but for what is said here."""
    options = {name: None if path is None else str(path) for name, path in said.items()}
    return find_settings(options | {"insecure": True}, None, Path())  # nothing listens here


def now() -> datetime:
    """This second."""
    return datetime.now(UTC).replace(microsecond=0)


def in_words(moment: datetime) -> str:
    """`2026-01-02T03:04:05Z`."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def table(heads: Sequence[str], rows: Sequence[Sequence[str | None]]) -> str:
    """Rows below their heads, in columns; `-` where there is nothing."""
    lines = [heads, *([cell or "-" for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
