"""`lading inspect`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from lading.bundle.declared import Declared, declared_from
from lading.bundle.manifest import Manifest
from lading.cli.options import declared_options, ignore_versions_option, json_option, model_argument
from lading.cli.printing import data_apart
from lading.engine.model import Model
from lading.schema.fields import Output, Schema
from lading.schema.listing import list_inputs
from lading.schema.synthetic import example_row
from lading.schema.words import answer_in_words, names_of, printable, shortened


@click.command("inspect")
@model_argument
@json_option
@click.option("--example", is_flag=True, help="Print one row that the model takes, as JSON.")
@click.option("--schema", "only_schema", is_flag=True, help="Print the inputs and outputs as JSON Schema.")
@declared_options
@ignore_versions_option
def command(
    model: Path, as_json: bool, example: bool, only_schema: bool, ignore_versions: bool, **declared: Any
) -> None:
    """Show what a bundle or a model file takes and gives.

    A bundle is read without loading the model in it.
    """
    if sum((as_json, example, only_schema)) > 1:
        raise click.UsageError("--json, --example and --schema exclude one another")
    manifest = _manifest(model, ignore_versions, declared_from(**declared))
    if example:
        click.echo(msgspec.json.encode(example_row(manifest.model_schema.inputs)))
    elif only_schema:
        click.echo(_json(_json_schema(manifest)))
    elif as_json:
        click.echo(_json(manifest))
    else:
        click.echo(_words(manifest))


def _manifest(path: Path, ignore_versions: bool, declared: Declared) -> Manifest:
    from lading.engine.loading import is_bundle, load, open_bundle

    if not is_bundle(path) or declared != Declared():
        with data_apart():
            loaded: Model = load(path, ignore_versions=ignore_versions, declared=declared)
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
    packed = bool(manifest.created)
    facts = {
        "model": f"{manifest.name} {manifest.version if packed else ''}".rstrip(),
        "class": f"{manifest.class_name}   ({manifest.flavor}, {schema.task})",
        "engine": manifest.engine_in_words,
        "code": "; ".join(code.origin for code in manifest.code),
        "packed": f"{manifest.created}   Python {manifest.python}" if packed else "no",
        "needs": _needs(manifest),
        "data": f"{manifest.data.rows} rows" if manifest.data else "none was seen",
        "keys": "; ".join(manifest.lookups_in_words),
        "unused": ", ".join(schema.unused),
    }
    sections = {
        "": facts,
        "inputs": {name: f"{wanted}   {words}".rstrip() for name, wanted, words in list_inputs(schema)},
        "outputs": {output.name: _output(schema, output) for output in schema.outputs},
        "metadata": {name: str(value) for name, value in manifest.metadata.items()},
    }
    parts = [_section(title, lines) for title, lines in sections.items() if lines]
    return "\n\n".join([*parts, *(f"note: {printable(note)}" for note in manifest.notes)])


def _needs(manifest: Manifest) -> str:
    native, needed = (
        ", ".join(f"{item.name} {item.version}" for item in items) or "nothing"
        for items in (manifest.requirements, manifest.needed)
    )
    return f"{needed}; the native model {native}" if manifest.is_compiled else needed


def _output(schema: Schema, output: Output) -> str:
    return answer_in_words(schema) if output is schema.outputs[0] else f"number a class: {shortened(names_of(output))}"


def _section(title: str, facts: dict[str, str]) -> str:
    width = max(len(word) for word in facts)
    indent = "  " if title else ""
    lines = [printable(f"{indent}{word:<{width}}   {text}") for word, text in facts.items() if text]
    return "\n".join([title, *lines] if title else lines)
