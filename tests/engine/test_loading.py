"""From a path to a model: what is read, what is refused before anything is loaded, and with which error."""

import os
import pickle
import random
import socket
from pathlib import Path
from typing import Any

import joblib
import msgspec
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tests.live import run

import lading
from lading.bundle.bundle import Bundle, write_bundle
from lading.bundle.declared import Declared, DeclaredInput
from lading.bundle.manifest import GOLDEN, REFERENCE, Manifest, Requirement
from lading.engine.checking import check_golden
from lading.engine.loading import is_bundle
from lading.engine.model_file import read_model_file
from lading.errors import BundleError, CheckFailed, EnvironmentMismatch, LadingError, UsageError

IRIS = load_iris(as_frame=True)
X, Y = IRIS.data, IRIS.target


@pytest.fixture(scope="module")
def model() -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)


@pytest.fixture(scope="module")
def bundle(model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lading.pack(model, X, Y, tmp_path_factory.mktemp("bundle") / "iris.lading").path


@pytest.fixture
def saved(model: Any, tmp_path: Path) -> Path:
    joblib.dump(model, tmp_path / "model.joblib")
    return tmp_path / "model.joblib"


def rewritten(bundle: Path, path: Path, members: dict[str, bytes] | None = None, **changes: Any) -> Path:
    """The bundle with other members or another manifest, written by the package's own writer."""
    with Bundle.open(bundle) as opened:
        manifest = opened.manifest
        kept = {member.path: opened.read(member.path) for member in manifest.files}
    write_bundle(path, msgspec.structs.replace(manifest, **changes), kept | (members or {}))
    return path


# --- paths


def test_a_bundle_is_known_by_its_name_or_its_beginning(bundle: Path, saved: Path, tmp_path: Path) -> None:
    (tmp_path / "renamed.zip").write_bytes(bundle.read_bytes())
    assert is_bundle(bundle)
    assert is_bundle(tmp_path / "renamed.zip")
    assert is_bundle(tmp_path / "nowhere.lading")
    assert not is_bundle(saved)
    assert not is_bundle(tmp_path / "nowhere.joblib")


def test_a_renamed_bundle_is_served(bundle: Path, tmp_path: Path, model: Any) -> None:
    (tmp_path / "renamed.zip").write_bytes(bundle.read_bytes())
    assert lading.load(tmp_path / "renamed.zip").predict(X).tolist() == model.predict(X).tolist()


@pytest.mark.parametrize("name", ["nowhere.joblib", "nowhere.lading", "folder.lading", "folder.joblib", "loop.pkl"])
def test_what_is_no_file_is_wrong_usage(name: str, tmp_path: Path) -> None:
    for folder in ("folder.lading", "folder.joblib"):
        (tmp_path / folder).mkdir()
    (tmp_path / "loop.pkl").symlink_to(tmp_path / "loop.pkl")
    with pytest.raises(UsageError, match=r"there is no file|is a folder|cannot read"):
        lading.load(tmp_path / name)


@pytest.mark.parametrize("name", ["pipe.joblib", "pipe.lading"])
def test_a_pipe_is_not_waited_for(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    done = run("inspect", name, folder=tmp_path)  # in a process, which ends in any case
    assert done.returncode == 2
    assert b"is not a regular file" in done.stderr


def test_a_socket_is_not_read(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s.pkl"))
        with pytest.raises(UsageError, match="is not a regular file"):
            lading.load(tmp_path / "s.pkl")


def test_a_file_that_may_not_be_read_is_wrong_usage(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_bytes(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", read_bytes)  # root may read anything
    with pytest.raises(UsageError, match=r"cannot read .*: Permission denied"):
        lading.load(saved)


def test_a_file_beyond_the_bound_is_not_read(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lading.engine.model_file.MAX_FILE_BYTES", 100)
    with pytest.raises(LadingError, match="is larger than"):
        read_model_file(saved)


def test_a_text_is_a_path_too(saved: Path, model: Any) -> None:
    assert lading.load(str(saved)).predict(X).tolist() == model.predict(X).tolist()


# --- what was declared


def test_a_bare_file_takes_declarations(saved: Path) -> None:
    declared = Declared(labels=("a", "b", "c"), inputs={"sepal width (cm)": DeclaredInput(domain=(3.5,))})
    assert lading.load(saved, declared=declared).predict(X.iloc[:1]).tolist() == ["a"]


def test_a_bundle_does_not(bundle: Path) -> None:
    with pytest.raises(UsageError, match="a bundle already says"):
        lading.load(bundle, declared=Declared(labels=("a", "b", "c")))
    assert lading.load(bundle, declared=Declared()).schema.outputs[0].labels == ()


def test_a_bare_file_says_what_it_is(saved: Path) -> None:
    manifest = lading.load(saved).manifest
    assert (manifest.name, manifest.version, manifest.created) == ("model", "0", "")
    assert manifest.class_name == "Pipeline(StandardScaler, LogisticRegression)"
    assert {requirement.name for requirement in manifest.requirements} >= {"scikit-learn", "joblib", "numpy"}


# --- damage


def test_every_flipped_byte_is_found(bundle: Path, tmp_path: Path, scale: str) -> None:
    data, path = bundle.read_bytes(), tmp_path / "flipped.lading"
    places = range(len(data)) if scale == "full" else random.Random(7).sample(range(len(data)), 300)
    for place in places:
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(BundleError), Bundle.open(path) as opened:
            opened.verify()


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"\0", lambda data: data[:500]])
def test_a_bundle_of_another_length_is_refused(change: Any, bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "m.lading").write_bytes(change(bundle.read_bytes()))
    with pytest.raises(BundleError):
        lading.load(tmp_path / "m.lading")


@pytest.mark.parametrize("data", [b"", b"hello", b"PK\3\4", pickle.dumps([1])])
def test_what_is_only_named_as_a_bundle_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "m.lading").write_bytes(data)
    with pytest.raises(BundleError, match="is not a bundle"):
        lading.load(tmp_path / "m.lading")


@pytest.mark.parametrize("name", [GOLDEN, REFERENCE])
def test_a_member_that_cannot_be_read_is_damage(name: str, bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="cannot be read"):
        lading.load(rewritten(bundle, tmp_path / "m.lading", {name: b"{"}))


# --- the environment


def with_version(bundle: Path, path: Path, name: str, version: str) -> Path:
    with Bundle.open(bundle) as opened:
        manifest: Manifest = opened.manifest
    requirements = tuple(
        msgspec.structs.replace(item, version=version) if item.name == name else item for item in manifest.requirements
    )
    return rewritten(bundle, path, requirements=requirements)


def test_another_version_of_the_framework_is_said_before_loading(bundle: Path, tmp_path: Path) -> None:
    path = with_version(bundle, tmp_path / "m.lading", "scikit-learn", "1.4.2")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("joblib.load", None)
        with pytest.raises(EnvironmentMismatch, match=r"scikit-learn 1[.]4[.]2 is needed") as caught:
            lading.load(path)
    assert caught.value.hint is not None
    assert 'pip install "scikit-learn==1.4.2"' in caught.value.hint


def test_its_owner_may_go_on(bundle: Path, tmp_path: Path) -> None:
    path = with_version(bundle, tmp_path / "m.lading", "scikit-learn", "1.4.2")
    assert check_golden(lading.load(path, ignore_versions=True)) > 0


def test_another_version_of_a_lesser_library_does_not_stop_the_model(bundle: Path, tmp_path: Path) -> None:
    path = with_version(bundle, tmp_path / "m.lading", "joblib", "1.6.0.dev1")
    assert check_golden(lading.load(path)) > 0


def test_a_missing_library_is_said_with_the_command(bundle: Path, tmp_path: Path) -> None:
    path = rewritten(bundle, tmp_path / "m.lading", requirements=(Requirement("no-such-thing", "2.0"),))
    with pytest.raises(EnvironmentMismatch, match=r"no-such-thing 2[.]0 is needed, it is not installed") as caught:
        lading.load(path)
    assert caught.value.hint == 'pip install "no-such-thing==2.0"'


def test_a_bundle_of_a_flavor_that_nobody_supplies_is_refused(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentMismatch, match="supplies the flavor `torch`"):
        lading.load(rewritten(bundle, tmp_path / "m.lading", flavor="torch"))


# --- golden rows


def altered(bundle: Path, path: Path, key: str) -> Path:
    """The bundle with one golden answer changed."""
    with Bundle.open(bundle) as opened:
        golden = msgspec.json.decode(opened.read(GOLDEN))
    first = golden[key][0]
    golden[key][0] = dict.fromkeys(first, 1 / 3) if isinstance(first, dict) else (first + 1) % 3
    return rewritten(bundle, path, {GOLDEN: msgspec.json.encode(golden)})


@pytest.mark.parametrize("key", ["predictions", "probabilities"])
def test_another_answer_than_at_packing_is_found(key: str, bundle: Path, tmp_path: Path) -> None:
    loaded = lading.load(altered(bundle, tmp_path / "m.lading", key))
    with pytest.raises(CheckFailed, match="1 of 50 golden rows have another answer"):
        check_golden(loaded)


@pytest.mark.parametrize("key", ["predictions", "probabilities"])
def test_such_a_bundle_is_never_ready(key: str, bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckFailed):
        lading.asgi(altered(bundle, tmp_path / "m.lading", key))


def test_a_bare_file_is_asked_one_row_of_its_own_schema(saved: Path) -> None:
    assert check_golden(lading.load(saved)) == 0
