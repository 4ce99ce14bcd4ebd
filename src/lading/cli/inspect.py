"""`lading inspect`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from lading.bundle.manifest import Manifest
from lading.cli.options import ignore_versions_option, json_option, model_argument
from lading.engine.model import Model
from lading.schema.cells import expectation
from lading.schema.synthetic import example_row


@click.command("inspect")
@model_argument
@json_option
@click.option("--example", is_flag=True, help="Print one row that the model takes, as JSON.")
@click.option("--schema", "only_schema", is_flag=True, help="Print the inputs and outputs as JSON Schema.")
@ignore_versions_option
def command(model: Path, as_json: bool, example: bool, only_schema: bool, ignore_versions: bool) -> None:
    """Show what a bundle or a model file takes and gives.

    A bundle is read without loading the model in it.
    """
    if sum((as_json, example, only_schema)) > 1:
        raise click.UsageError("--json, --example and --schema exclude one another")
    manifest = _manifest(model, ignore_versions)
    if example:
        click.echo(msgspec.json.encode(example_row(manifest.model_schema.inputs)))
    elif only_schema:
        click.echo(_json(_json_schema(manifest)))
    elif as_json:
        click.echo(_json(manifest))
    else:
        click.echo(_words(manifest))


def _manifest(path: Path, ignore_versions: bool) -> Manifest:
    from lading.engine.loading import is_bundle, load_file, open_bundle

    if not is_bundle(path):
        loaded: Model = load_file(path, ignore_versions=ignore_versions)
        return loaded.manifest
    with open_bundle(path) as bundle:
        bundle.verify()
        return bundle.manifest


def _json_schema(manifest: Manifest) -> dict[str, Any]:
    from lading.schema.json_schema import prediction_schema, probabilities_schema, row_schema

    schema = manifest.model_schema
    return {
        "input": row_schema(schema),
        "prediction": prediction_schema(schema),
        "probabilities": probabilities_schema(schema),
    }


def _json(value: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2)


def _words(manifest: Manifest) -> str:
    schema = manifest.model_schema
    facts = {
        "model": f"{manifest.name} {manifest.version}",
        "class": f"{manifest.class_name}   ({manifest.flavor}, {schema.task})",
        "packed": f"{manifest.created}   Python {manifest.python}" if manifest.created else "not packed",
        "needs": ", ".join(f"{r.name} {r.version}" for r in manifest.requirements) or "nothing",
        "data": f"{manifest.data.rows} rows" if manifest.data else "none was seen",
        "unused": ", ".join(schema.unused),
    }
    lines = [f"{word:<9} {text}" for word, text in facts.items() if text]
    lines += ["", "inputs"]
    width = max(len(name) for name in schema.names)
    lines += [f"  {f.name:<{width}}   {expectation(f)}   {f.description}".rstrip() for f in schema.inputs]
    lines += ["", "outputs"]
    for output in schema.outputs:
        names = ", ".join(str(name) for name in (output.labels or output.classes or output.columns))
        lines.append(f"  {output.name}   {output.datatype} {list(output.shape)}   {names}".rstrip())
    if manifest.metadata:
        lines += ["", "metadata", *(f"  {name}   {value}" for name, value in manifest.metadata.items())]
    lines += [f"note      {note}" for note in manifest.notes]
    return "\n".join(lines)
