"""`lading serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lading.cli.options import (
    declared_from,
    declared_options,
    ignore_versions_option,
    model_argument,
    settings_from,
    settings_options,
)
from lading.settings import Settings


@click.command("serve")
@model_argument
@settings_options
@declared_options
@ignore_versions_option
def command(model: Path, config: Path | None, ignore_versions: bool, **options: Any) -> None:
    """Serve a bundle or a model file over HTTP.

    \b
      lading serve model.joblib
      lading serve iris-1.0.0.lading --port 9000
    """
    said = {name: options.pop(name) for name in ("name", "version", "labels", "domain", "output_range")}
    declared = declared_from(**said)
    settings = settings_from(options, config, model.parent)

    from lading.engine.loading import load

    serve(settings, lambda: load(model, ignore_versions=ignore_versions, declared=declared), str(model))


def serve(settings: Settings, load: Any, file: str) -> None:
    """Listen, load, say what is served, and serve until told to stop."""
    from lading.cli.banner import banner
    from lading.serve.composition import compose
    from lading.serve.logs import configure_logs
    from lading.serve.server import listen, run

    configure_logs(settings.log_format)
    with listen(settings) as listener:
        host, port = listener.getsockname()[:2]
        url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        run(compose(settings), load, listener, lambda model: click.echo(banner(model, file, url)))
