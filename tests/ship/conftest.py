"""Plans: a bundle that is packed and signed for the tests, with what is said beside it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.signed import sign, trusting

import lading
from lading.bundle.declared import Declared
from lading.bundle.signing.keys import PrivateKey
from lading.bundle.signing.trust import TrustStore
from lading.flavors.linear import LinearFile
from lading.ship.plan import Choices, Plan, make_plan

DEMO = Path(lading.__file__).parent / "flavors" / "iris.linear.json"


@pytest.fixture(scope="session")
def key() -> PrivateKey:
    return PrivateKey.generate()


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory, key: PrivateKey) -> Path:
    """A signed bundle of a model that needs no framework."""
    path = tmp_path_factory.mktemp("bundle") / "iris-1.0.0.lading"
    model = msgspec.json.decode(DEMO.read_bytes(), type=LinearFile)
    declared = Declared(name="iris", version="1.0.0")
    return sign(lading.pack(model, path=path, declared=declared).path, key)


@pytest.fixture(scope="session")
def trust(tmp_path_factory: pytest.TempPathFactory, key: PrivateKey) -> TrustStore:
    return trusting(tmp_path_factory.mktemp("trust"), key, code=True)


@pytest.fixture
def plan(bundle: Path, trust: TrustStore) -> Callable[..., Plan]:
    """The plan for the bundle; arguments are choices. No uv is asked: what it finds depends on the day."""

    def make(**choices: Any) -> Plan:
        return make_plan(bundle, trust, Choices(**{"lock": False, **choices}))

    return make


@pytest.fixture
def renamed(plan: Callable[..., Plan]) -> Callable[..., Plan]:
    """The plan for a bundle whose manifest says something else; it was never packed so."""

    def make(choices: dict[str, Any] | None = None, **manifest: Any) -> Plan:
        made = plan(**(choices or {}))
        return msgspec.structs.replace(made, manifest=msgspec.structs.replace(made.manifest, **manifest))

    return make


@pytest.fixture
def copied(bundle: Path, tmp_path: Path) -> Path:
    """The bundle with its signature, in a folder of the test."""
    for path in (bundle, bundle.with_name(f"{bundle.name}.sig")):
        shutil.copy(path, tmp_path)
    return tmp_path / bundle.name
