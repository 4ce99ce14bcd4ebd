"""`lading serve FOLDER`: the one bundle that somebody has put there, opened as if it were named."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.signed import sign, trusting

import lading
from lading.bundle.declared import Declared
from lading.bundle.signing.keys import PrivateKey
from lading.errors import UsageError
from lading.flavors.linear import LinearFile
from lading.serve.target import Target


@pytest.fixture
def folder(tmp_path: Path, double_path: Path) -> Path:
    """A folder as a platform fills it: the bundle, its signature, and what else it has left there."""
    folder = tmp_path / "models"
    (folder / ".cache" / "more").mkdir(parents=True)
    for name in (".part.lading", "README.md", ".cache/more/old-1.0.0.lading", "model-settings.json"):
        (folder / name).write_text("no bundle")
    shutil.copy(double_path, folder)
    return folder


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_one_bundle_of_a_folder_is_served(start: Any, folder: Path, workers: str):
    server = start(folder, "--workers", workers)
    with server.client() as client:
        assert client.get("/predict?x=21").json()["prediction"] == 42.0


def test_a_bundle_in_a_folder_has_to_be_signed_in_production(start: Any, refusal: Any, folder: Path, tmp_path: Path):
    key = PrivateKey.generate()
    trust = trusting(tmp_path / "trust", key).folder
    options = ("--production", "--auth", "network", "--trust", str(trust))
    code, lines = refusal(folder, *options)
    assert (code, "is unsigned" in lines[-2]) == (3, True), lines
    sign(folder / "double-1.0.0.lading", key)
    server = start(folder, *options)
    with server.client() as client:
        assert client.get("/metadata").json()["signature"]["key_id"] == key.public.key_id


def test_one_that_was_changed_on_its_way_is_not_served(refusal: Any, folder: Path, tmp_path: Path):
    key = PrivateKey.generate()
    bundle = sign(folder / "double-1.0.0.lading", key)
    bundle.write_bytes(bundle.read_bytes().replace(b"2.0", b"3.0"))
    trust = str(trusting(tmp_path / "trust", key).folder)
    code, _ = refusal(folder, "--production", "--auth", "network", "--trust", trust)
    assert code == 3


@pytest.mark.parametrize(
    ("names", "why"), [((), "is a folder without a bundle"), (("a", "b", "c"), "has 3 bundles, and one is expected")]
)
@pytest.mark.parametrize("workers", ["1", "2"])
def test_of_none_and_of_several_nobody_chooses(
    refusal: Any, tmp_path: Path, double_path: Path, names: tuple[str, ...], why: str, workers: str
):
    (tmp_path / "models").mkdir()
    for name in names:
        shutil.copy(double_path, tmp_path / "models" / f"{name}.lading")
    code, lines = refusal(tmp_path / "models", "--workers", workers)
    assert code == 2
    assert lines[0] == f"error: {tmp_path / 'models'} {why}"


def test_settings_that_came_with_the_bundle_are_not_read(start: Any, folder: Path):
    (folder / "lading.toml").write_text("[serve]\nmax_rows = 1\n")
    server = start(folder)
    with server.client() as client:
        answer = client.post("/predict", json={"instances": [[1], [2]]})
        assert answer.status_code == 200, answer.text


def test_another_bundle_in_the_folder_is_a_change(folder: Path):
    target = Target(str(folder))
    before = target.stamp()
    (folder / "more.txt").write_text("that nobody serves")
    assert target.stamp() == before
    shutil.copy(folder / "double-1.0.0.lading", folder / "double-1.1.0.lading")
    (folder / "double-1.0.0.lading").unlink()
    assert target.stamp() != before
    assert target.model() == folder / "double-1.1.0.lading"


def test_what_is_put_in_its_place_serves_after_a_reload(start: Any, run_lading: Any, folder: Path, tmp_path: Path):
    server = start(folder, "--workers", "2")
    model = LinearFile("lading.linear/1", ("x",), coef=((3.0,),), intercept=(0.0,))
    new = lading.pack(model, path=tmp_path / "new.lading", declared=Declared(name="model", version="2.0.0")).path
    (folder / "double-1.0.0.lading").unlink()
    new.replace(folder / "double-2.0.0.lading")
    done = run_lading("reload", "--port", server.url.rpartition(":")[2], environment=server.environment)
    assert (done.returncode, done.stderr) == (0, "model 2.0.0 serves now\n")


def test_a_folder_that_is_gone_is_as_a_file_that_is_gone(tmp_path: Path):
    assert Target(str(tmp_path / "none")).model() == tmp_path / "none"
    with pytest.raises(UsageError, match="without a bundle"):
        Target(str(tmp_path)).model()
