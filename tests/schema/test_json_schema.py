"""The published schema takes what the service takes, and describes what it answers."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError

from lading.schema.fields import Field, Interval, Output, Schema
from lading.schema.json_schema import field_schema, prediction_schema, probabilities_schema, row_schema
from lading.schema.synthetic import draw_rows
from lading.schema.values import plain_row


def validator(schema):
    """The real validator of a document that went through JSON."""
    document = json.loads(json.dumps(schema, allow_nan=False))
    Draft202012Validator.check_schema(document)
    return Draft202012Validator(document)


def schema_of(*fields, output=None, unused=()):
    return Schema("regression", fields or (Field("a"),), (output or Output("prediction"),), unused)


@given(data=st.data(), schema=...)
def test_every_row_that_is_accepted_is_valid(data, schema: Schema, rows_of):
    valid = validator(row_schema(schema))
    valid.validate(data.draw(rows_of(schema)))
    for row in draw_rows(schema.inputs, None, 3):
        valid.validate(dict(zip(schema.names, plain_row(row), strict=True)))


@given(schema=...)
def test_examples_are_valid_by_their_own_schemas(schema: Schema):
    document = row_schema(schema)
    for part in (document, *(field_schema(field) for field in schema.inputs)):
        for example in part["examples"]:
            validator(part).validate(example)


@given(data=st.data(), schema=...)
def test_a_row_with_a_column_too_few_or_too_many_is_not_valid(data, schema: Schema, rows_of):
    valid = validator(row_schema(schema))
    row = data.draw(rows_of(schema))
    name = data.draw(st.sampled_from(schema.names))
    stranger = "stranger" + "".join(schema.names) + "".join(schema.unused)
    assert not valid.is_valid({key: value for key, value in row.items() if key != name})
    assert not valid.is_valid(row | {stranger: 1})
    assert valid.is_valid(row | {name: [1] for name in schema.unused})


@pytest.mark.parametrize(
    ("field", "document"),
    [
        (Field("x"), {"type": "number", "examples": [1.0]}),
        (Field("x", nullable=True), {"type": ["number", "null"], "examples": [1.0]}),
        (Field("x", "int", "int64", example=5), {"type": "integer", "examples": [5]}),
        (Field("x", "bool", "bool"), {"type": "boolean", "examples": [True]}),
        (
            Field("x", "text", "str", description="a note"),
            {"type": "string", "description": "a note", "examples": ["text"]},
        ),
        (
            Field("x", "date", "str"),
            {"type": "string", "description": "ISO 8601 date, with or without time", "examples": ["2024-02-29"]},
        ),
        (
            Field("x", "date", "str", domain=("2024-02-29", "2024-03-01")),
            {
                "type": "string",
                "description": "ISO 8601 date, with or without time; one of 2024-02-29, 2024-03-01",
                "examples": ["2024-02-29"],
            },
        ),
        (
            Field("x", "category", "str", nullable=True, categories=("a", "b")),
            {"type": ["string", "null"], "enum": ["a", "b", None], "examples": ["a"]},
        ),
        (
            Field("x", "category", "str", categories=("a", "b"), closed=False),
            {"type": "string", "description": "seen in training: a, b", "examples": ["a"]},
        ),
        (
            Field("x", domain=Interval(0, 1), seen=Interval(0.2, 0.4), description="a share"),
            {
                "type": "number",
                "minimum": 0,
                "maximum": 1,
                "description": "a share; seen in training: 0.2 to 0.4",
                "examples": [0.5],
            },
        ),
        (Field("x", domain=Interval(minimum=0)), {"type": "number", "minimum": 0, "examples": [0.5]}),
        (Field("x", domain=(1.0, 2.0)), {"type": "number", "enum": [1.0, 2.0], "examples": [1.0]}),
    ],
)
def test_a_column_is_described(field, document):
    assert field_schema(field) == document


@pytest.mark.parametrize(
    ("output", "good", "bad"),
    [
        (Output("prediction"), [1.5, -1], ["1", None, [1.5]]),
        (Output("prediction", "INT64"), [3], [1.5]),
        (Output("prediction", "BOOL"), [True], [1]),
        (Output("prediction", "BYTES"), ["a"], [1]),
        (Output("prediction", "BYTES", classes=("a", "b")), ["a", "b"], ["c"]),
        (Output("prediction", "INT64", classes=(0, 1)), [0, 1], [2, "0"]),
        (Output("prediction", "BYTES", classes=(0, 1), labels=("no", "yes")), ["no", "yes"], [0, "maybe"]),
        (Output("prediction", range=Interval(0, 1)), [0, 1, 0.5], [-0.1, 1.1]),
        (Output("prediction", range=Interval(minimum=0)), [0, 1e300], [-1]),
        (Output("prediction", shape=(-1, 2)), [[1.5, 2]], [1.5, [1.5], [1, 2, 3], [1, "2"]]),
        (Output("prediction", shape=(-1, -1)), [[], [1.5, 2, 3]], [1.5]),
    ],
)
def test_a_prediction_is_described(output, good, bad):
    valid = validator(prediction_schema(schema_of(output=output)))
    assert all(valid.is_valid(value) for value in good)
    assert not any(valid.is_valid(value) for value in bad)


def probabilities(output):
    document = probabilities_schema(Schema("classification", (Field("a"),), (Output("prediction"), output)))
    return validator(document)


def test_probabilities_are_named_by_class():
    valid = probabilities(Output("probabilities", shape=(-1, 2), columns=("no", "yes")))
    valid.validate({"no": 0.25, "yes": 0.75})
    valid.validate({"no": 0.0, "yes": 1.0000000000000002})
    for wrong in ({"no": 1}, {"no": "1", "yes": 0}, [0.25, 0.75]):
        with pytest.raises(ValidationError):
            valid.validate(wrong)


def test_probabilities_of_several_targets_are_lists_of_numbers():
    valid = probabilities(Output("probabilities", shape=(-1, 2)))
    valid.validate([[0.25, 0.75], [0.1, 0.2, 0.7]])
    for wrong in ([[0.25, 0.75]], [{"no": 1}, {"no": 1}], [0.25, 0.75]):
        with pytest.raises(ValidationError):
            valid.validate(wrong)


def test_a_model_without_probabilities_describes_none():
    assert probabilities_schema(schema_of()) is None


def test_an_unused_column_is_described_as_ignored():
    document = row_schema(schema_of(Field("a"), unused=("id",)))
    assert document["properties"]["id"] == {"description": "accepted and ignored"}
    assert document["required"] == ["a"]
