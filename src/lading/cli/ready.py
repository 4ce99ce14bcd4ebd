"""`lading ready`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lading.settings import find_settings


@click.command("ready")
@click.option("--host", help="Address that the server listens on. [default: 127.0.0.1]")
@click.option("--port", type=int, help="Port that the server listens on. [default: 8000]")
@click.option("--unix-socket", help="Path of the socket that the server listens on.")
@click.option("--config", type=click.Path(path_type=Path), help="lading.toml of the server [default: the one here]")
@click.option("--timeout-s", type=click.FloatRange(min=0.001), default=4.0, help="Seconds to wait. [default: 4]")
def command(config: Path | None, timeout_s: float, **options: Any) -> None:
    """Say whether the server on this machine is ready, by the exit code: 0 if it is, else 1.

    \b
      lading ready
      lading ready --port 9000

    The settings are those of the server, from the environment too: so it needs no options in a container.
    """
    from lading.remote.readiness import check_ready

    settings = find_settings(options, config, Path())
    check_ready(settings, timeout_s)
    click.echo("ready", err=True)
