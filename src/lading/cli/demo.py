"""`lading demo`."""

from __future__ import annotations

import tempfile
from importlib import resources
from pathlib import Path
from typing import Any

import click

from lading.cli.options import Sectioned, settings_options
from lading.settings import find_settings


@click.command("demo", cls=Sectioned)
@settings_options
def command(config: Path | None, **options: Any) -> None:
    """Serve a tiny model that needs no file and no ML framework.

    A softmax regression of the iris flowers, evaluated in NumPy, packed and served as any model is.
    """
    from lading.cli.serve import serve
    from lading.engine.packing import pack
    from lading.serve.target import Target

    source = resources.files("lading") / "flavors" / "iris.linear.json"
    with tempfile.TemporaryDirectory() as folder, resources.as_file(source) as path:
        bundle = pack(path, path=Path(folder) / "iris-1.0.0.lading").path
        serve(Target(str(bundle), shown=bundle.name), lambda: find_settings(options, config, Path()))
