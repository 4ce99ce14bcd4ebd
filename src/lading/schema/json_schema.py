"""A model's inputs and answers as JSON Schema (draft 2020-12), for OpenAPI and for `/schema`."""

from __future__ import annotations

from typing import Any

from lading.schema.cells import list_values
from lading.schema.fields import Field, Output, Schema
from lading.schema.synthetic import example_row, example_value

_TYPES = {"bool": "boolean", "int": "integer", "float": "number", "text": "string", "date": "string"}
# Without bounds: the last digit of a model's arithmetic may be beyond them.
_PROBABILITY = {"type": "number"}


def row_schema(schema: Schema) -> dict[str, Any]:
    """One input row as an object."""
    properties = {field.name: field_schema(field) for field in schema.inputs}
    properties |= {name: {"description": "accepted and ignored"} for name in schema.unused if name not in properties}
    return {
        "type": "object",
        "properties": properties,
        "required": list(schema.names),
        "additionalProperties": False,
        "examples": [example_row(schema.inputs)],
    }


def field_schema(field: Field) -> dict[str, Any]:
    """One column."""
    kind = _TYPES[field.value_kind]
    result: dict[str, Any] = {"type": [kind, "null"] if field.nullable else kind}
    if field.values and field.kind != "date":  # of which each can be written in several ways
        result["enum"] = [*field.values, None] if field.nullable else list(field.values)
    if field.interval is not None:
        result |= _present(minimum=field.interval.minimum, maximum=field.interval.maximum)
    if description := _description(field):
        result["description"] = description
    return result | {"examples": [example_value(field)]}


def _description(field: Field) -> str:
    parts = [field.description]
    if field.kind == "date":
        parts.append("ISO 8601 date, with or without time")
        if field.values:
            parts.append("one of " + list_values(field.values))
    if field.seen is not None:
        parts.append(f"seen in training: {field.seen}")
    if field.categories and not field.values:
        parts.append("seen in training: " + ", ".join(str(value) for value in field.categories[:20]))
    return "; ".join(part for part in parts if part)


def prediction_schema(schema: Schema) -> dict[str, Any]:
    """The prediction for one row."""
    output = schema.outputs[0]
    value = _value_schema(output)
    if len(output.shape) == 1:
        return value
    width = output.shape[1]
    bounds = {"minItems": width, "maxItems": width} if width >= 0 else {}
    return {"type": "array", "items": value, **bounds}


def _value_schema(output: Output) -> dict[str, Any]:
    if output.labels:
        return {"enum": list(output.labels)}
    if output.classes and len(output.shape) == 1:
        return {"enum": list(output.classes)}
    kind = {"BOOL": "boolean", "INT64": "integer", "FP64": "number", "BYTES": "string"}[output.datatype]
    interval = output.range
    bounds = _present(minimum=interval.minimum, maximum=interval.maximum) if interval else {}
    return {"type": kind, **bounds}


def probabilities_schema(schema: Schema) -> dict[str, Any] | None:
    """The probabilities for one row, or None where the model gives none."""
    for output in schema.outputs:
        if output.name == "probabilities":
            return _by_class(output.columns) if output.columns else _by_target(output.shape[-1])
    return None


def _by_class(names: tuple[str, ...]) -> dict[str, Any]:
    return {"type": "object", "properties": dict.fromkeys(names, _PROBABILITY), "required": list(names)}


def _by_target(targets: int) -> dict[str, Any]:
    one = {"type": "array", "items": _PROBABILITY}
    return {"type": "array", "items": one, "minItems": targets, "maxItems": targets}


def _present(**bounds: float | None) -> dict[str, float]:
    return {name: bound for name, bound in bounds.items() if bound is not None}
