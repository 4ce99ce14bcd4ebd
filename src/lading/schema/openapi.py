"""OpenAPI 3.1 for *this* model: its columns, its classes, its example, every answer that the service gives."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from lading.schema.arrow.stream import is_installed
from lading.schema.fields import PREDICTION, Schema
from lading.schema.image_file import MEDIA_TYPES
from lading.schema.images import KEY
from lading.schema.json_schema import field_schema, prediction_schema, probabilities_schema, row_schema
from lading.schema.openapi_access import add_access
from lading.schema.synthetic import example_row

_PROBLEMS = {
    "400": "The body cannot be read.",
    "406": "What is accepted needs a library that is not installed.",
    "408": "The body came too slowly.",
    "413": "The body has more bytes, rows or cells than one request may have.",
    "415": "The content type is not taken.",
    "422": "The input does not fit the schema; every problem is listed.",
    "500": "The model failed, or gave an answer that may not leave.",
    "503": "Not ready, or too much is waiting; `Retry-After` says when to try again.",
    "504": "The deadline passed.",
}

_PROBLEM_CONTENT = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_BINARY = {"type": "string", "format": "binary"}
_BASE64 = {"type": "string", "contentEncoding": "base64"}
_ARROW_STREAM = "application/vnd.apache.arrow.stream"
_ARROW_FILE = "application/vnd.apache.arrow.file"
_PARQUET = "application/vnd.apache.parquet"


def openapi(
    name: str,
    version: str,
    description: str,
    schema: Schema,
    *,
    route: str,
    methods: Sequence[str] = (),
    prefix: str = "",
) -> dict[str, Any]:
    """The OpenAPI document of the service for one model.

    Args:
        name: of the model.
        version: of the model.
        description: in a few words.
        schema: of requests and answers.
        route: where the model is asked.
        methods: by which callers show who they are, as the setting `auth` names them.
        prefix: path under which a proxy offers the service.
    """
    document = _document(name, version, description, schema, route)
    if prefix:
        document["servers"] = [{"url": prefix}]
    add_access(document, methods, _PROBLEM_CONTENT)
    return document


def _document(name: str, version: str, description: str, schema: Schema, route: str) -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "info": {"title": name, "version": version, "description": description},
        "paths": {
            route: {"post": _predict(schema), "get": _predict_by_query(schema)},
            "/health": {"get": _plain("health", "Whether the process is alive", _object("status"))},
            "/ready": {"get": _ready()},
            "/metadata": {"get": _plain("metadata", "What this model is", {"type": "object"})},
            "/schema": {"get": _plain("schema", "The columns and the outputs", {"type": "object"})},
        },
        "components": {
            "schemas": {
                "Row": row_schema(schema),
                **({"Image": _object(KEY, **{KEY: _BASE64})} if schema.image is not None else {}),
                "Answer": _answer(schema),
                "Answers": _answers(schema),
                "Warning": _warning(),
                "Problem": _problem(),
            },
            "headers": {
                "X-Request-ID": {"schema": {"type": "string"}, "description": "yours, or one that was made"},
                "X-Correlation-ID": {
                    "schema": {"type": "string"},
                    "description": "yours, or the request's id",
                },
            },
        },
    }


def _predict(schema: Schema) -> dict[str, Any]:
    row = _ref("Row")
    lines = {"type": "array", "minItems": 1, "items": {"type": "array"}}
    shapes = [
        row,
        {"type": "array", "minItems": 1, "items": row},
        _object("instances", instances={"type": "array", "minItems": 1}),
        _object("X", X={"type": "array", "minItems": 1}),
        _object("columns", "data", columns={"type": "array", "items": {"type": "string"}}, data=lines),
    ]
    content = {
        "application/json": {"schema": {"anyOf": shapes}, "example": example_row(schema.inputs)},
        "text/csv": {"schema": {"type": "string"}, "example": _csv(schema)},
        **_of_pyarrow(_ARROW_STREAM, _ARROW_FILE, _PARQUET),
    }
    if schema.image is not None:
        shapes[:0] = [_ref("Image"), {"type": "array", "minItems": 1, "items": _ref("Image")}]
        content |= _images()
    return {
        "operationId": "predict",
        "summary": "Predict one row or many",
        "parameters": _proba(schema),
        "requestBody": {"required": True, "content": content},
        "responses": _responses({"anyOf": [_ref("Answer"), _ref("Answers")]}),
    }


def _images() -> dict[str, Any]:
    """Bodies that are images, and forms with files of them."""
    files = {"type": "object", "additionalProperties": _BINARY, "minProperties": 1}
    return {"multipart/form-data": {"schema": files}} | {kind: {"schema": _BINARY} for kind in MEDIA_TYPES.values()}


def _of_pyarrow(*kinds: str) -> dict[str, Any]:
    """Bodies that are there where pyarrow is installed."""
    return {kind: {"schema": _BINARY} for kind in kinds} if is_installed() else {}


def _predict_by_query(schema: Schema) -> dict[str, Any]:
    columns = [
        {"name": field.name, "in": "query", "required": True, "schema": field_schema(field)} for field in schema.inputs
    ]
    taken = {field.name for field in schema.inputs}
    return {
        "operationId": "predictByQuery",
        "summary": "Predict one row whose columns are query parameters",
        "parameters": [*columns, *(p for p in _proba(schema) if p["name"] not in taken)],
        "responses": _responses(_ref("Answer")),
    }


def _proba(schema: Schema) -> list[dict[str, Any]]:
    if not schema.has_probabilities:
        return []
    flag = {"type": "string", "enum": ["0", "1", "false", "true"]}
    return [{"name": "proba", "in": "query", "schema": flag, "description": "add the class probabilities"}]


def _responses(answer: dict[str, Any]) -> dict[str, Any]:
    problems = {status: _problem_response(words) for status, words in _PROBLEMS.items()}
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-ID", "X-Correlation-ID")}
    good = {
        "description": "The answer",
        "headers": headers,
        "content": {
            "application/json": {"schema": answer},
            "text/csv": {"schema": {"type": "string"}},
            **_of_pyarrow(_ARROW_STREAM, _PARQUET),
        },
    }
    return {"200": good, **problems}


def _problem_response(words: str) -> dict[str, Any]:
    return {"description": words, "content": _PROBLEM_CONTENT}


def _plain(operation: str, summary: str, schema: dict[str, Any]) -> dict[str, Any]:
    content = {"application/json": {"schema": schema}}
    responses: dict[str, Any] = {"200": {"description": summary, "content": content}}
    if operation in ("metadata", "schema"):
        responses["503"] = _problem_response(_PROBLEMS["503"])
    return {"operationId": operation, "summary": summary, "responses": responses}


def _ready() -> dict[str, Any]:
    operation = _plain("ready", "Whether predictions are answered", _object("status"))
    operation["responses"]["503"] = _problem_response(_PROBLEMS["503"])
    return operation


def _answer(schema: Schema) -> dict[str, Any]:
    return _with_probabilities(schema, _answer_object(schema, PREDICTION, prediction_schema(schema)), many=False)


def _answers(schema: Schema) -> dict[str, Any]:
    predictions = {"type": "array", "items": prediction_schema(schema)}
    return _with_probabilities(schema, _answer_object(schema, "predictions", predictions), many=True)


def _answer_object(schema: Schema, name: str, value: dict[str, Any]) -> dict[str, Any]:
    """The object that an answer is; where its author named the output, that name is all that stands in it."""
    own = schema.outputs[0].name
    return _object(name, "id", **{name: value}) if own == PREDICTION else _object(own, **{own: value})


def _with_probabilities(schema: Schema, answer: dict[str, Any], *, many: bool) -> dict[str, Any]:
    properties = answer["properties"]
    properties["warnings"] = {"type": "array", "items": _ref("Warning")}
    if (one := probabilities_schema(schema)) is not None:
        properties["probabilities"] = {"type": "array", "items": one} if many else one
    return answer


def _warning() -> dict[str, Any]:
    count = {"type": "integer", "minimum": 0}
    return _object("column", "code", "detail", "rows", "first_row", rows=count, first_row=count)


def _problem() -> dict[str, Any]:
    """RFC 9457, with the code, the request's id and every problem found."""
    one = _object("pointer", "code", "detail")
    for name in ("column", "expected", "got", "suggestion"):
        one["properties"][name] = {"type": "string"}
    one["properties"]["row"] = {"type": "integer", "minimum": 0}
    errors = {"type": "array", "items": one}
    return _object(
        "type",
        "title",
        "status",
        "code",
        "id",
        status={"type": "integer"},
        errors=errors,
        detail={"type": "string"},
    )


def _object(*required: str, **properties: Any) -> dict[str, Any]:
    """An object whose required members are strings unless said otherwise."""
    members = {name: {"type": "string"} for name in required} | properties
    return {"type": "object", "properties": members, "required": list(required)}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _csv(schema: Schema) -> str:
    text = io.StringIO()
    row = example_row(schema.inputs)
    csv.writer(text, lineterminator="\n").writerows([row.keys(), row.values()])
    return text.getvalue()
