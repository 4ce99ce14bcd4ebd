"""The inputs one by one, for people."""

from __future__ import annotations

from lading.schema.cells import expectation
from lading.schema.fields import Schema
from lading.schema.image_file import MEDIA_TYPES
from lading.schema.images import KEY


def list_inputs(schema: Schema) -> list[tuple[str, str, str]]:
    """Each input's name, what it asks for, and its author's words; of an image that alone, and not its pixels."""
    if schema.image is not None:
        return [(KEY, f"{', '.join(MEDIA_TYPES)}; brought to {schema.image}", "")]
    return [(field.name, expectation(field), field.description) for field in schema.inputs]
