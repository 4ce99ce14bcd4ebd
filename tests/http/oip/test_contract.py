"""The contract: the OpenAPI document of the Open Inference Protocol, as its authors publish it.

Where it is wrong, the text of the protocol and the servers in use are followed, and that is said at the test:

* its paths have a `$` before the braces, and always a version, which the text makes optional;
* of the answers to health it says nothing; the text's has the key `live` in both, KServe's `ready` in the second;
* its own examples do not fit it: a shape of three with one element, and an answer without `model_name`;
* `metadata_model_error_response` has no path that refers to it, and no error but 400 is told of;
* it is silent about JSON `null` among the elements, which stands here for what is missing.
"""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from .conftest import matrix, tensor

Client = Any

ROOT = Path(__file__).parents[3]
FILE = Path(os.environ.get("LADING_TEST_OIP", ROOT.parent / "shared" / "specs" / "oip" / "open_inference_rest.yaml"))
if not FILE.exists():
    pytest.skip("the document is not part of this project; LADING_TEST_OIP says where it is", allow_module_level=True)
DOCUMENT = yaml.safe_load(FILE.read_text("utf-8"))
CHURN = [
    tensor("age", [40.5]),
    tensor("plan", ["pro"], datatype="BYTES"),
    tensor("is_member", [True], datatype="BOOL"),
]


def errors(schema: str, value: Any) -> list[str]:
    """What is wrong with a value, by a schema of the document."""
    place = {"$ref": f"#/components/schemas/{schema}", "components": DOCUMENT["components"]}
    return [error.message for error in Draft202012Validator(place).iter_errors(value)]


def path_of(template: str, name: str) -> str:
    return template.replace("${MODEL_NAME}", name).replace("${MODEL_VERSION}", "1.0.0")


def schema_of(path: str, method: str, status: int) -> str | None:
    """The name of the schema of an answer; None where the document has none."""
    told = DOCUMENT["paths"][path][method]["responses"].get(str(status), {}).get("content")
    return told["application/json"]["schema"]["$ref"].rpartition("/")[2] if told else None


def test_the_document_is_one():
    validate(DOCUMENT)


@pytest.mark.parametrize("name", ["iris", "model"])
@pytest.mark.parametrize("template", [path for path, told in DOCUMENT["paths"].items() if "get" in told])
def test_what_is_told_fits(request: pytest.FixtureRequest, name: str, template: str):
    client = request.getfixturevalue("iris_client" if name == "iris" else "churn_client")
    path = path_of(template, name)
    for spelled in {path, path.replace("/versions/1.0.0", "")}:
        answer = client.get(spelled)
        assert answer.status_code == 200
        schema = schema_of(template, "get", 200)
        assert schema is None or errors(schema, answer.json()) == []


INFER = "/v2/models/${MODEL_NAME}/versions/${MODEL_VERSION}/infer"
GOOD = [
    ("iris_client", "iris", {"inputs": [matrix()]}),
    ("iris_client", "iris", {"inputs": [matrix([[1, 2, 3, 99]])], "id": "a", "outputs": [{"name": "probabilities"}]}),
    ("churn_client", "model", {"inputs": CHURN, "parameters": {"content_type": "pd"}}),
]


@pytest.mark.parametrize(("client", "name", "body"), GOOD)
def test_requests_and_their_answers_fit(request: pytest.FixtureRequest, client: str, name: str, body: Any):
    assert errors("inference_request", body) == []
    answer = request.getfixturevalue(client).post(path_of(INFER, name), json=body)
    assert answer.status_code == 200
    assert errors(str(schema_of(INFER, "post", 200)), answer.json()) == []


@pytest.mark.parametrize("body", [{}, {"inputs": [{}]}, {"inputs": CHURN[1:]}, {"inputs": CHURN, "id": 3}, []])
def test_refusals_fit(churn_client: Client, body: Any):
    answer = churn_client.post(path_of(INFER, "model"), json=body)
    assert answer.status_code == 400
    assert errors(str(schema_of(INFER, "post", 400)), answer.json()) == []
    # The document does not say that the key has to be there.
    assert list(answer.json()) == ["error"]


@pytest.mark.parametrize("schema", ["inference_request", "inference_response"])
def test_its_own_examples_are_not_ones(schema: str):
    examples = DOCUMENT["components"]["schemas"]["inference_request"]["x-examples"]
    request, response = examples["Example 1"], examples["Example 2"]
    if schema == "inference_response":
        assert errors(schema, response) == ["'model_name' is a required property"]
    else:
        assert errors(schema, request) == []
        assert (request["inputs"][1]["shape"], request["inputs"][1]["data"]) == ([3], [True])
