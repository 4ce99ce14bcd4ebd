"""`lading pack`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any, get_args

import click
import msgspec

from lading.bundle.declared import declared_from
from lading.cli.options import declared_options, ignore_versions_option, json_option, model_argument
from lading.cli.printing import data_apart
from lading.engine.compiling import Compile
from lading.engine.golden import Kind


@click.command("pack")
@model_argument
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Training data: CSV, JSON or Parquet; no row of it is kept, unless --golden says so.",
)
@click.option("--target", help="Column of the data that the model predicts; several with commas.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Where to write [default: NAME-VERSION.lading]")
@click.option(
    "--compile",
    "compiling",
    type=click.Choice(get_args(Compile)),
    default="auto",
    help="Compile a scikit-learn model to ONNX: where it then gives the same answers, never, or else fail. "
    "[default: auto]",
)
@click.option(
    "--golden",
    type=click.Choice(get_args(Kind)),
    default="synthetic",
    help="Rows that check the bundle: made up, or rows of the data, which may be personal. [default: synthetic]",
)
@declared_options
@ignore_versions_option
@json_option
def command(
    model: Path,
    data: Path | None,
    target: str | None,
    out: Path | None,
    compiling: Compile,
    golden: Kind,
    ignore_versions: bool,
    as_json: bool,
    **declared: Any,
) -> None:
    """Pack a model with its schema, its reference and its golden rows into a bundle.

    \b
      lading pack model.joblib --data train.csv --target species
    """
    from lading.engine.packing import pack

    def report(step: str, words: str) -> None:
        click.echo(f"  {step:<9} {words}", err=True)

    with data_apart():
        packed = pack(
            model,
            data,
            path=out,
            declared=declared_from(target=target, **declared),
            compile=compiling,
            golden=golden,
            ignore_versions=ignore_versions,
            report=report,
        )
    if as_json:
        told = {"path": str(packed.path), "sha256": packed.sha256, "size": packed.size, "manifest": packed.manifest}
        click.echo(msgspec.json.encode(told))
    else:
        more = " --features-url sqlite:///features.db" if packed.manifest.features else ""
        click.echo(f"next: lading serve {shlex.quote(str(packed.path))}{more}", err=True)
