"""`lading serve`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lading.cli.options import (
    DECLARED_NAMES,
    Sectioned,
    declared_options,
    ignore_versions_option,
    model_argument,
    settings_options,
)
from lading.settings import Settings, bound_threads, find_settings

if TYPE_CHECKING:
    from lading.serve.target import Target


@click.command("serve", cls=Sectioned)
@model_argument
@settings_options
@declared_options
@ignore_versions_option
def command(model: Path, config: Path | None, ignore_versions: bool, **options: Any) -> None:
    """Serve a bundle or a model file over HTTP; of a folder, the one bundle in it.

    \b
      lading serve model.joblib
      lading serve iris-1.0.0.lading --port 9000 --workers 4
    """
    from lading.serve.target import Target

    said = {name: options.pop(name) for name in DECLARED_NAMES}
    serve(Target(str(model), said, ignore_versions), lambda: find_settings(options, config, model.parent))


def serve(target: Target, settings_now: Callable[[], Settings]) -> None:
    """Listen, load, say what is served, and serve until told to stop."""
    from lading.serve.listener import listen, unlink
    from lading.serve.logs import configure_logs
    from lading.serve.production import check_settings
    from lading.serve.streams import announce, open_missing_streams

    open_missing_streams()
    settings = settings_now()
    check_settings(settings)
    configure_logs(settings.log_format)
    bound_threads(settings.threads)
    with listen(settings) as listener:
        if settings.is_supervised:
            from lading.serve.supervisor import supervise

            supervise(target, settings_now, listener, announce)
        else:
            from lading.serve.single import serve_alone

            try:
                serve_alone(target, settings, listener, announce)
            finally:
                unlink(settings.unix_socket)
