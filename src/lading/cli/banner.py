"""What `serve` says when it is ready: what the model is, what it takes and gives, where, and a request that works."""

from __future__ import annotations

from collections import Counter

from lading.bundle.manifest import Manifest
from lading.engine.model import Model
from lading.schema.curl import curl
from lading.schema.fields import Schema

_SHOWN = 6


def banner(model: Model, file: str, url: str) -> str:
    """The lines to print."""
    manifest = model.manifest
    lines = [
        _line("model", f"{file}   {manifest.class_name} {manifest.version if manifest.created else ''}".rstrip()),
        _line("inputs", _inputs(manifest.model_schema)),
        _line("outputs", _outputs(manifest.model_schema)),
        *(_line("note", note) for note in manifest.notes),
        _line("golden", _golden(model)),
        _line("open", url),
        "",
        _line("try", curl(f"{url}/predict", manifest.model_schema)),
        "",
    ]
    return "\n".join(lines)


def _line(word: str, text: str) -> str:
    return f"  {word:<9} {text}"


def _inputs(schema: Schema) -> str:
    kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(field.kind for field in schema.inputs).items())
    names = list(schema.names[:_SHOWN])
    more = len(schema.names) - len(names)
    return f"{kinds}: {', '.join(names)}" + (f" and {more} more" if more > 0 else "")


def _outputs(schema: Schema) -> str:
    output = schema.outputs[0]
    what = {
        "classification": "class",
        "regression": "number",
        "outlier": "outlier or not",
        "clustering": "cluster",
        "transform": "numbers",
        "unknown": "prediction",
    }[schema.task]
    many = f"{output.shape[1]} x " if len(output.shape) > 1 else ""
    known = [str(name) for name in (output.labels or output.classes)]
    names = f": {', '.join(known[:_SHOWN])}" + (f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else "")
    proba = "   (?proba=1 adds probabilities)" if schema.has_probabilities else ""
    return f"{many}{what}{names if known else ''}{proba}"


def _golden(model: Model) -> str:
    if model.golden is None:
        return "none: ranges and golden rows need a bundle: lading pack FILE --data train.csv"
    return f"{len(model.golden.rows)} rows came back as they were packed"


def summary(manifest: Manifest) -> str:
    """The model in one line."""
    return f"{manifest.name} {manifest.version}   {manifest.class_name}"
