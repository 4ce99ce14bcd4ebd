"""A request to paste into a shell, made from the schema."""

from __future__ import annotations

import shlex

import msgspec

from lading.schema.fields import Schema
from lading.schema.synthetic import example_row


def curl(url: str, schema: Schema, options: str = "") -> str:
    """The curl command that asks for one prediction; every name and value is quoted for POSIX shells.

    Args:
        url: where predictions are asked for.
        schema: what they are asked for.
        options: what else curl is told.
    """
    command = f"curl {options} {shlex.quote(url)}" if options else f"curl {shlex.quote(url)}"
    if schema.image is not None:
        return f"{command} -F file=@image.png"
    body = msgspec.json.encode(example_row(schema.inputs)).decode()
    return f"{command} -H 'content-type: application/json' -d \\\n  {shlex.quote(_spaced(body))}"


def _spaced(body: str) -> str:
    return msgspec.json.format(body, indent=0)
