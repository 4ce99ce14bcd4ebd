"""`lading reload`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from lading.settings import find_settings


@click.command("reload")
@click.option("--host", help="Address that the server listens on. [default: 127.0.0.1]")
@click.option("--port", type=int, help="Port that the server listens on. [default: 8000]")
@click.option("--unix-socket", help="Path of the socket that the server listens on.")
@click.option("--config", type=click.Path(path_type=Path), help="lading.toml of the server [default: the one here]")
def command(config: Path | None, **options: Any) -> None:
    """Let a running server load its model, its code and its settings anew, without a failed request.

    \b
      lading reload
      lading reload --port 9000

    Answers when the new generation serves, or with the reason why it cannot: then the one before goes on.
    """
    from lading.serve.control import ask_to_reload, name_of

    settings = find_settings(options | {"insecure": True}, config, Path())  # nothing listens here
    limit_s = settings.start_timeout_s + settings.shutdown_s + settings.drain_s
    model = asyncio.run(ask_to_reload(name_of(settings, settings.port), limit_s))
    click.echo(f"{model} serves now", err=True)
