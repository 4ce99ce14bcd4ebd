"""What is done within an image: what goes, and what is said of the rest."""

from pathlib import Path

import msgspec
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from lading.bundle.bundle import Bundle
from lading.ship.image.inside import unneeded
from lading.ship.image.sbom import sbom


def test_what_no_server_loads_goes_and_the_rest_stays(tmp_path: Path):
    goes = ["a/tests/data/x.csv", "a/b/tests/test_b.py", "a/_c.pyx", "a/d.h", "a/e.pyi"]
    goes += ["onnxruntime/capi/libonnxruntime.so.1.30.0", "onnxruntime/transformers/a.py"]
    stays = [
        "a/b.py",
        "a/_testing.py",
        "a/testing/__init__.py",
        "a/c.so",
        "onnxruntime/capi/libonnxruntime_providers.so",
    ]
    for name in goes + stays:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = set(unneeded(tmp_path))
    gone = {name for name in goes + stays if found & {tmp_path / name, *(tmp_path / name).parents}}
    assert gone == set(goes)


def test_the_sbom_is_one_by_its_schema(bundle: Path):
    with Bundle.open(bundle) as opened:
        digest = opened.digest()
        document = sbom(opened.manifest, digest)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(msgspec.json.encode(document).decode()) is None
    assert document["metadata"]["component"]["hashes"] == [{"alg": "SHA-256", "content": digest}]
    versions = {each["name"]: each["version"] for each in document["components"]}
    assert {"python", "lading", "numpy", "msgspec"} <= versions.keys()
