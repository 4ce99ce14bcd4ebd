"""The OpenAPI document is valid OpenAPI 3.1, whatever the columns are called, and its examples work."""

import json
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from lading.schema.decode import Decoder
from lading.schema.fields import Field, Output, Schema
from lading.schema.openapi import openapi
from lading.schema.synthetic import example_row

IRIS = Schema(
    "classification",
    (Field("petal length (cm)", example=1.4), Field("petal width (cm)", example=0.2)),
    (
        Output("prediction", "BYTES", classes=("setosa", "virginica")),
        Output("probabilities", shape=(-1, 2), columns=("setosa", "virginica")),
    ),
)


def document(schema):
    return json.loads(json.dumps(openapi("iris", "1.0.0", "SVC", schema, route="/predict"), allow_nan=False))


def resolved(whole, part):
    """A part as a JSON Schema of its own, with what it refers to."""
    return Draft202012Validator({"components": whole["components"], **part})


def body_of(whole, media_type):
    return whole["paths"]["/predict"]["post"]["requestBody"]["content"][media_type]


@settings(max_examples=settings().max_examples // 3)
@given(schema=...)
def test_the_document_is_valid(schema: Schema):
    OpenAPIV31SpecValidator(document(schema)).validate()


@given(schema=...)
def test_the_example_is_valid_and_is_decoded(schema: Schema):
    whole = document(schema)
    content = body_of(whole, "application/json")
    resolved(whole, content["schema"]).validate(content["example"])
    assert Decoder(schema).json(json.dumps(content["example"]).encode()).is_single


@given(data=st.data(), schema=...)
def test_every_shape_of_a_body_is_valid(data, schema: Schema, rows_of):
    whole = document(schema)
    row = data.draw(rows_of(schema))
    cells = list(row.values())
    split = {"columns": list(row), "data": [cells]}
    valid = resolved(whole, body_of(whole, "application/json")["schema"])
    for body in (row, [row], {"instances": [row]}, {"instances": [cells]}, {"X": [cells]}, {"X": cells}, split):
        valid.validate(body)


@pytest.mark.parametrize("body", [[], {}, {"instances": []}, {"X": []}, {"columns": ["a"]}, 5, None, "text"])
def test_what_is_no_body_is_not_valid(body):
    whole = document(IRIS)
    assert not resolved(whole, body_of(whole, "application/json")["schema"]).is_valid(body)


def test_the_csv_example_is_decoded():
    names = ("a,b", 'height (")', "line\nbreak", "é", "x")
    schema = Schema("regression", tuple(Field(name) for name in names), (Output("prediction"),))
    text = body_of(document(schema), "text/csv")["example"]
    assert list(Decoder(schema).csv(text.encode()).rows) == [(1.0,) * 5]


def test_query_parameters_are_the_columns_and_make_a_row():
    parameters = document(IRIS)["paths"]["/predict"]["get"]["parameters"]
    assert [(p["name"], p["in"], p.get("required", False)) for p in parameters] == [
        ("petal length (cm)", "query", True),
        ("petal width (cm)", "query", True),
        ("proba", "query", False),
    ]
    query = urlencode({p["name"]: p["schema"]["examples"][0] for p in parameters[:2]})
    assert list(Decoder(IRIS).query(parse_qsl(query)).rows) == [(1.4, 0.2)]


def test_a_column_called_proba_is_one_parameter():
    schema = Schema("classification", (Field("proba"),), IRIS.outputs)
    parameters = document(schema)["paths"]["/predict"]["get"]["parameters"]
    assert [p["name"] for p in parameters] == ["proba"]
    OpenAPIV31SpecValidator(document(schema)).validate()


def test_probabilities_are_offered_only_where_there_are_some():
    plain = Schema("regression", (Field("a"),), (Output("prediction"),))
    assert document(plain)["paths"]["/predict"]["post"]["parameters"] == []
    assert "probabilities" not in document(plain)["components"]["schemas"]["Answer"]["properties"]
    assert "probabilities" in document(IRIS)["components"]["schemas"]["Answers"]["properties"]


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("Answer", {"prediction": "setosa", "id": "a1"}),
        ("Answer", {"prediction": "setosa", "probabilities": {"setosa": 0.9, "virginica": 0.1}, "id": "a1"}),
        ("Answers", {"predictions": ["setosa"], "probabilities": [{"setosa": 1, "virginica": 0}], "id": "a1"}),
        (
            "Answer",
            {
                "prediction": "setosa",
                "id": "a1",
                "warnings": [{"column": "a", "code": "range.outside_seen", "detail": "x", "rows": 1, "first_row": 0}],
            },
        ),
        (
            "Problem",
            {
                "type": "urn:lading:error:schema.invalid",
                "title": "The input does not fit the schema",
                "status": 422,
                "code": "schema.invalid",
                "detail": "1 problem with the input",
                "id": "a1",
                "errors": [{"pointer": "/a", "code": "schema.null", "detail": "x", "column": "a", "row": 0}],
                "total": 1,
            },
        ),
    ],
)
def test_answers_are_described(name, answer):
    whole = document(IRIS)
    valid = resolved(whole, {"$ref": f"#/components/schemas/{name}"})
    valid.validate(answer)
    for required in whole["components"]["schemas"][name]["required"]:
        assert not valid.is_valid({key: value for key, value in answer.items() if key != required})


def test_the_document_names_the_model_and_every_answer():
    whole = document(IRIS)
    assert whole["openapi"].startswith("3.1.")
    assert whole["info"] == {"title": "iris", "version": "1.0.0", "description": "SVC"}
    assert {"/predict", "/health", "/ready", "/metadata", "/schema"} <= {*whole["paths"]}
    for operation in whole["paths"]["/predict"].values():
        assert {"200", "400", "413", "415", "422", "500", "503", "504"} <= {*operation["responses"]}


def test_the_example_is_the_models_own():
    assert body_of(document(IRIS), "application/json")["example"] == example_row(IRIS.inputs)


@pytest.mark.parametrize("method", ["keys", "basic", "tokens", "jwt", "certificate"])
def test_a_document_says_how_callers_show_who_they_are(method: str):
    told = openapi("iris", "1.0.0", "SVC", IRIS, route="/predict", methods=[method])
    OpenAPIV31SpecValidator(told).validate()
    assert [[*each] for each in told["security"]] == [[name] for name in told["components"]["securitySchemes"]]
    assert {"401", "403", "429"} <= set(told["paths"]["/predict"]["post"]["responses"])
    assert told["paths"]["/health"]["get"]["security"] == []


def test_a_document_of_what_is_open_says_nothing_of_access():
    told = openapi("iris", "1.0.0", "SVC", IRIS, route="/predict", prefix="/a")
    assert "security" not in told
    assert "401" not in told["paths"]["/predict"]["post"]["responses"]
    assert told["servers"] == [{"url": "/a"}]
