"""`lading reload`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from lading.cli.options import settings_options
from lading.settings import find_settings


@click.command("reload")
@settings_options("host", "port", "insecure", "start_timeout_s")
def command(config: Path | None, **options: Any) -> None:
    """Let a running server load its model, its code and its settings anew, without a failed request.

    \b
      lading reload
      lading reload --port 9000

    Answers when the new generation serves, or with the reason why it cannot: then the one before goes on.
    """
    from lading.serve.control import ask_to_reload

    settings = find_settings(options, config, Path())
    limit_s = settings.start_timeout_s + settings.shutdown_s + settings.drain_s
    model = asyncio.run(ask_to_reload(settings.host, settings.port, limit_s))
    click.echo(f"{model} serves now", err=True)
