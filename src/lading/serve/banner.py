"""What `serve` says when it is ready: what the model is, what it takes and gives, where, and a request that works."""

from __future__ import annotations

import shlex

from lading.bundle.signing.verified import Verified
from lading.engine.checking import engine_in_words
from lading.engine.model import Model
from lading.schema.curl import curl
from lading.schema.fields import PREDICTION, Schema
from lading.schema.words import answer_in_words, inputs_in_words, printable, shortened
from lading.serve.place import Place

_WIDTH = 9


def banner(model: Model, file: str, place: Place) -> str:
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
        *([_line("signed", _signed(model.verified))] if model.verified else []),
        *([_line("access", place.access)] if place.access else []),
        _line("open", place.url),
        "",
        _line("try", curl(f"{place.url}{manifest.route}", schema, place.curl)),
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


def _signed(verified: Verified) -> str:
    return f"by key {verified.key_id[:12]}…, which is trusted for {'data and code' if verified.code else 'data'}"


def _golden(model: Model, file: str) -> str:
    if model.golden is None:
        return f"none; ranges and golden rows come with a bundle: lading pack {shlex.quote(file)} --data train.csv"
    return f"{len(model.golden.rows)} rows came back as they were packed"
