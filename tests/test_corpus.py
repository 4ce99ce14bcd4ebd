"""Bundles of every format that was ever written open, verify and answer as they did, for ever.

The files in `corpus/` are made by `scripts/make-corpus` once and then never again; `digests.json` says so.
"""

import hashlib
from pathlib import Path

import msgspec
import pytest

import lading
from lading.bundle.bundle import Bundle
from lading.bundle.manifest import GOLDEN, REFERENCE
from lading.bundle.signing.keys import PublicKey
from lading.bundle.signing.trust import TrustStore
from lading.engine.checking import check_golden
from lading.engine.golden import decode_golden
from lading.engine.loading import load_bundle
from lading.schema.fields import Interval
from lading.schema.reference import Reference
from lading.schema.rows import RowChecker
from lading.schema.values import plain_row

CORPUS = Path(__file__).parent / "corpus"
DIGESTS: dict[str, str] = msgspec.json.decode((CORPUS / "digests.json").read_bytes())
SERVED = ["format1-linear.lading", "format1-onnx.lading"]
"""What needs no pickle, and so can be served by every later version."""
MAX_BYTES = 100_000


def test_the_corpus_is_what_it_was() -> None:
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in CORPUS.glob("*.lading")}
    assert found == DIGESTS


def test_the_corpus_is_small() -> None:
    assert sum(path.stat().st_size for path in CORPUS.iterdir()) < MAX_BYTES


@pytest.mark.parametrize("name", DIGESTS)
def test_it_opens_and_verifies(name: str) -> None:
    with Bundle.open(CORPUS / name) as bundle:
        bundle.verify()
        assert bundle.digest() == DIGESTS[name]
        assert {member.path for member in bundle.manifest.files} >= {bundle.manifest.model, GOLDEN, REFERENCE}


@pytest.mark.parametrize("name", DIGESTS)
def test_its_golden_rows_still_fit_its_schema(name: str) -> None:
    with Bundle.open(CORPUS / name) as bundle:
        schema = bundle.manifest.model_schema
        golden = decode_golden(bundle.read(GOLDEN))
        reference = msgspec.json.decode(bundle.read(REFERENCE), type=Reference)
    rows = RowChecker(schema).arrays([list(row) for row in golden.rows])
    assert [tuple(plain_row(row)) for row in rows] == list(golden.rows)
    assert [column.name for column in reference.columns] == list(schema.names)


@pytest.mark.parametrize("name", SERVED)
def test_its_golden_rows_come_back(name: str) -> None:
    assert check_golden(load_bundle(CORPUS / name, ignore_versions=True)) == 50


SIGNED = {"format1-linear.lading": "ours", "format1-onnx.lading": "that of model_signing 1.1.1"}
"""Whose signature stands beside them. The keys were thrown away."""


@pytest.mark.parametrize("name", SIGNED)
def test_its_signature_is_good_for_ever(name: str, tmp_path: Path) -> None:
    public = PublicKey.read((CORPUS / name).with_suffix(".pub"))
    trust = TrustStore.read(tmp_path)
    trust.add(public, lambda entry: entry)
    model = load_bundle(CORPUS / name, ignore_versions=True, trust=TrustStore.read(tmp_path))
    assert model.verified is not None
    assert (model.verified.key_id, model.verified.digest) == (public.key_id, DIGESTS[name])


def test_what_its_author_said_is_still_understood() -> None:
    with Bundle.open(CORPUS / "format1-mixed.lading") as bundle:
        manifest = bundle.manifest
    age, plan = manifest.model_schema.inputs[0], manifest.model_schema.inputs[4]
    assert (age.domain, age.description, age.nullable) == (Interval(18, 120), "in years", True)
    assert (plan.categories, plan.example) == (("basic", "free", "pro"), "pro")
    assert manifest.model_schema.unused == ("spends", "churned")
    assert (manifest.name, manifest.version, manifest.metadata) == ("churn", "1.0.0", {"author": "Jo"})
    assert manifest.created == "2026-01-01T00:00:00Z"


def test_its_answers_are_those_of_then() -> None:
    served = lading.load(CORPUS / "format1-onnx.lading", ignore_versions=True)
    assert served.predict([[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]).tolist() == ["Setosa", "Virginica"]
    probabilities = served.predict_proba([[5.1, 3.5, 1.4, 0.2]])
    assert probabilities[0].tolist() == pytest.approx([0.9847, 0.0153, 0.0], abs=1e-4)
