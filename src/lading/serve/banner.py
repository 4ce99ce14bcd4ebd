"""What `serve` says when it is ready: what the model is, what it takes and gives, where, and a request that works."""

from __future__ import annotations

import shlex

from lading.engine.checking import engine_in_words
from lading.engine.model import Model
from lading.schema.curl import curl
from lading.schema.fields import PREDICTION, Schema
from lading.schema.words import answer_in_words, inputs_in_words, printable, shortened

_WIDTH = 9


def banner(model: Model, file: str, url: str) -> str:
    """The lines to print."""
    manifest, schema = model.manifest, model.manifest.request_schema
    version = manifest.version if manifest.created else ""
    proba = "   (?proba=1 adds probabilities)" if schema.has_probabilities else ""
    lines = [
        _line("model", f"{file}   {manifest.class_name} {version}".rstrip()),
        _line("inputs", _inputs(schema)),
        *(_line("features", words) for words in manifest.lookups_in_words),
        _line("outputs", f"{_named(schema)}{answer_in_words(schema)}{proba}"),
        _line("engine", engine_in_words(model)),
        *(_line("code", code.origin + (" around the model" if code.is_around else "")) for code in manifest.code),
        *(_line("note", note) for note in manifest.notes),
        _line("golden", _golden(model, file)),
        _line("open", url),
        "",
        _line("try", curl(f"{url}{manifest.route}", schema)),
        "",
    ]
    return "\n".join(lines)


def _inputs(schema: Schema) -> str:
    words = inputs_in_words(schema)
    return words if schema.image is not None else f"{words}: {shortened(schema.names)}"


def _named(schema: Schema) -> str:
    name = schema.outputs[0].name
    return "" if name == PREDICTION else f"{name}, a "


def _line(word: str, text: str) -> str:
    text = "\n".join(map(printable, text.split("\n")))
    return f"  {word:<{_WIDTH}} " + text.replace("\\\n", "\\\n" + " " * (_WIDTH + 3))


def _golden(model: Model, file: str) -> str:
    if model.golden is None:
        return f"none; ranges and golden rows come with a bundle: lading pack {shlex.quote(file)} --data train.csv"
    return f"{len(model.golden.rows)} rows came back as they were packed"
