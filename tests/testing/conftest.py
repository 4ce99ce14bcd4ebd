"""Services that keep their contract."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from tests.mixed import COLUMNS, mixed_frame, mixed_pipeline

import lading
from lading.bundle.bundle import Bundle, write_bundle
from lading.bundle.declared import declared_from
from lading.testing import serve


@pytest.fixture(scope="session")
def iris_url(iris_path: Path) -> Iterator[str]:
    with serve(iris_path) as url:
        yield url


@pytest.fixture(scope="session")
def mixed_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of numbers with gaps, whole numbers, categories and booleans, of which some have a domain."""
    frame = mixed_frame()
    model = mixed_pipeline(LogisticRegression(max_iter=1000)).fit(frame[COLUMNS], frame["churned"])
    path = tmp_path_factory.mktemp("mixed") / "mixed-1.0.0.lading"
    said = declared_from(domain=["age=0..120", "visits=0..", "plan=free,pro"])
    return lading.pack(model, frame[COLUMNS], path=path, declared=said).path


@pytest.fixture(scope="session")
def mixed_url(mixed_path: Path) -> Iterator[str]:
    with serve(mixed_path) as url:
        yield url


@pytest.fixture(scope="session")
def spending_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A regressor whose numbers have a range."""
    frame = mixed_frame()
    model = mixed_pipeline(RandomForestRegressor(10, random_state=0)).fit(frame[COLUMNS], frame["spends"])
    path = tmp_path_factory.mktemp("spending") / "spending-1.0.0.lading"
    said = declared_from(domain=["age=0..120"], output_range="0..1000")
    return lading.pack(model, frame[COLUMNS], path=path, declared=said).path


@pytest.fixture(scope="session")
def named_path(iris_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier whose author said where it is asked, and what its answer is called."""
    with Bundle.open(iris_path) as bundle:
        manifest = bundle.manifest
        members = {member.path: bundle.read(member.path) for member in manifest.files}
    first, *others = manifest.model_schema.outputs
    outputs = (msgspec.structs.replace(first, name="species"), *others)
    schema = msgspec.structs.replace(manifest.model_schema, outputs=outputs)
    path = tmp_path_factory.mktemp("named") / "named-1.0.0.lading"
    write_bundle(path, msgspec.structs.replace(manifest, model_schema=schema, route="/v1/species"), members)
    return path
