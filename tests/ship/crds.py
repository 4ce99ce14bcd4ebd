"""The resource definitions of serving platforms, which are no part of this project: read from where they are."""

import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator
from tests.live import ROOT

FOLDER = Path(os.environ.get("LADING_TEST_CRDS", ROOT.parent / "shared" / "specs" / "crds"))
needs_crds = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="the definitions are no part of this project; LADING_TEST_CRDS says where they are"
)
_FILES = {
    "InferenceService": "serving.kserve.io_inferenceservices.yaml",
    "ServingRuntime": "serving.kserve.io_servingruntimes.yaml",
    "SeldonDeployment": "machinelearning.seldon.io_seldondeployments.yaml",
}
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def problems_of(resource: Any) -> list[str]:
    """What an API server would refuse of a resource, or leave out of it without a word."""
    validator = _validator(resource["kind"], resource["apiVersion"].rpartition("/")[2])
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(resource)]


@cache
def _validator(kind: str, version: str) -> Draft7Validator:
    definition = yaml.load((FOLDER / _FILES[kind]).read_text(), Loader=_LOADER)
    assert definition["spec"]["names"]["kind"] == kind
    versions = {each["name"]: each for each in definition["spec"]["versions"]}
    assert versions[version]["served"]
    schema = versions[version]["schema"]["openAPIV3Schema"]
    schema["properties"]["metadata"]["x-kubernetes-preserve-unknown-fields"] = True
    return Draft7Validator(_closed(schema))


def _closed(schema: Any) -> Any:
    """The same where what is not known is refused: a server would drop it in silence."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: _closed(value) for name, value in schema.items() if name not in ("description", "default")}
    if isinstance(made.get("properties"), dict) and not made.get("x-kubernetes-preserve-unknown-fields"):
        made.setdefault("additionalProperties", False)
    if made.pop("nullable", False):
        made["type"] = [made["type"], "null"]
    return made
