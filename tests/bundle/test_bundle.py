"""A bundle is its manifest and exactly the files that it lists, each with the digest that it says."""

import hashlib

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lading.bundle.archive import write_archive
from lading.bundle.bundle import GOLDEN, MANIFEST, Bundle, write_bundle
from lading.bundle.manifest import Manifest, Member, encode_manifest
from lading.errors import BundleError, LadingError, UsageError
from lading.schema.fields import Field, Output, Schema

MODEL = "model/model.joblib"
MEMBERS = {MODEL: b"the model", GOLDEN: b"{}", "code/a.py": b""}
PLAIN = Manifest(
    name="iris",
    version="1.0.0",
    flavor="sklearn",
    model=MODEL,
    class_name="SVC",
    model_schema=Schema("regression", (Field("a"),), (Output("prediction"),)),
)


def listing(members):
    return tuple(Member(name, hashlib.sha256(data).hexdigest(), len(data)) for name, data in members.items())


def forge(path, *, files=None, members=None, manifest=PLAIN):
    """A sound archive whose manifest lists these files."""
    members = MEMBERS if members is None else members
    manifest = msgspec.structs.replace(manifest, files=listing(members) if files is None else files)
    write_archive(path, [(MANIFEST, encode_manifest(manifest)), *members.items()])
    return path


def reason(path):
    with pytest.raises(BundleError) as caught, Bundle.open(path) as bundle:
        bundle.verify()
    return str(caught.value)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "iris-1.0.0.lading"


def test_what_was_written_is_read_again(path):
    digest = write_bundle(path, PLAIN, MEMBERS)
    with Bundle.open(path) as bundle:
        bundle.verify()
        assert {name: bundle.read(name) for name in MEMBERS} == MEMBERS
        assert bundle.manifest == msgspec.structs.replace(PLAIN, files=listing(dict(sorted(MEMBERS.items()))))
        assert bundle.digest() == digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_same_members_in_any_order_are_the_same_file(path, tmp_path):
    first = write_bundle(path, PLAIN, MEMBERS)
    again = write_bundle(tmp_path / "again.lading", PLAIN, dict(reversed(MEMBERS.items())))
    assert first == again


def test_a_member_that_need_not_be_there_is_none(path):
    write_bundle(path, PLAIN, {MODEL: b"m"})
    with Bundle.open(path) as bundle:
        assert bundle.read_optional(GOLDEN) is None
        assert bundle.read_optional(MODEL) == b"m"
        with pytest.raises(BundleError, match=r"the bundle has no file `golden\.json`"):
            bundle.read(GOLDEN)


@pytest.mark.parametrize("name", [MANIFEST, "", "../evil", "model", "MODEL/MODEL.JOBLIB"])
def test_only_what_is_listed_is_read(path, name):
    write_bundle(path, PLAIN, MEMBERS)
    with Bundle.open(path) as bundle, pytest.raises(BundleError, match="the bundle has no file"):
        bundle.read(name)


@pytest.mark.parametrize(
    "changes",
    [{"sha256": "0" * 64}, {"size": 8}, {"size": -1}, {"sha256": hashlib.sha256(b"the model").hexdigest().upper()}],
)
def test_a_member_that_is_not_what_was_packed_is_refused(path, changes):
    first, *others = listing(MEMBERS)
    forge(path, files=(msgspec.structs.replace(first, **changes), *others))
    assert reason(path) == f"`{MODEL}` in the bundle is not what was packed: its digest differs"


def test_a_member_of_the_same_size_is_refused(path):
    forge(path, files=listing(MEMBERS), members=MEMBERS | {MODEL: b"THE MODEL"})
    assert "its digest differs" in reason(path)


FILES = listing(MEMBERS)


@pytest.mark.parametrize(
    "files",
    [
        (),
        FILES[:-1],
        (*FILES, Member("extra", "0" * 64, 0)),
        (*FILES, FILES[0]),
        (FILES[0], *FILES),
        FILES[::-1],
        (Member(MANIFEST, "0" * 64, 0), *FILES),
        (*FILES[:-1], msgspec.structs.replace(FILES[-1], path="code/A.py")),
    ],
)
def test_the_files_are_exactly_those_that_are_listed(path, files):
    forge(path, files=files)
    assert reason(path) == "the bundle's files are not those that its manifest lists"


@pytest.mark.parametrize("name", ["sitecustomize.py", "numpy.py", "model/model.joblib.bak", "code/x"])
def test_an_unlisted_file_is_refused(path, name):
    forge(path, files=FILES, members={**MEMBERS, name: b"import os"})
    assert reason(path) == "the bundle's files are not those that its manifest lists"


@pytest.mark.parametrize("model", ["model/other.joblib", "", "/etc/passwd", "../model.joblib", "manifest.json"])
def test_the_model_is_one_of_the_files(path, model):
    forge(path, manifest=msgspec.structs.replace(PLAIN, model=model))
    assert reason(path) == "the manifest names a model file that it does not list"


def test_an_archive_without_a_sound_manifest_is_refused(path):
    write_archive(path, [(MANIFEST, b"{}"), (MODEL, b"m")])
    assert reason(path).startswith("the manifest cannot be read")


def test_a_manifest_without_end_is_refused_before_it_is_read(path, monkeypatch):
    forge(path)
    monkeypatch.setattr("lading.bundle.bundle.MAX_MANIFEST_BYTES", 100)
    assert reason(path) == "the manifest is larger than 0 MiB"


@pytest.mark.parametrize("changes", [{"name": "a\nb"}, {"version": "$(id)"}, {"name": ""}])
def test_a_hostile_name_is_not_packed(path, changes):
    with pytest.raises(UsageError):
        write_bundle(path, msgspec.structs.replace(PLAIN, **changes), MEMBERS)
    assert not path.exists()


@pytest.mark.parametrize("name", ["../evil", "/abs", "a b", "manifest.json", "con"])
def test_a_hostile_member_is_not_packed(path, name):
    with pytest.raises(LadingError):
        write_bundle(path, PLAIN, MEMBERS | {name: b""})
    assert not path.exists()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_byte_is_found(path, data):
    write_bundle(path, PLAIN, MEMBERS)
    content = bytearray(path.read_bytes())
    spot = data.draw(st.integers(0, len(content) - 1))
    content[spot] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    assert reason(path).isprintable()


def test_a_file_is_closed_when_it_is_no_bundle(path):
    # An open file that is forgotten is a ResourceWarning, which is an error here.
    write_archive(path, [(MANIFEST, b"{}")])
    for _ in range(3):
        assert reason(path)


def test_nothing_is_read_once_it_is_closed(path):
    write_bundle(path, PLAIN, MEMBERS)
    bundle = Bundle.open(path)
    bundle.close()
    with pytest.raises(ValueError, match="closed file"):
        bundle.read(MODEL)
