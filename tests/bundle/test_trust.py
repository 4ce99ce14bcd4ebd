"""The trust store: who is trusted for what and for how long; and that nobody is where a word of it cannot be read."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.signed import sign, trusting

from lading.bundle.bundle import Bundle
from lading.bundle.signing.entry import Entry, decode_entry, encode_entry
from lading.bundle.signing.keys import PrivateKey
from lading.bundle.signing.release import is_before, release_of
from lading.bundle.signing.trust import TrustStore, trust_folder
from lading.errors import Untrusted, UsageError

KEY, OTHER = PrivateKey.generate(), PrivateKey.generate()
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ENTRY = Entry(key_id=KEY.public.key_id, public_key=KEY.public.pem)


@pytest.fixture
def bundle(iris_path: Path, tmp_path: Path) -> Path:
    """A bundle, of the model `iris` 1.0.0, that `KEY` has signed."""
    return sign(Path(shutil.copy(iris_path, tmp_path)), KEY)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "trust"


def code_of(bundle: Path, folder: Path) -> str:
    try:
        Bundle.open(bundle, TrustStore.read(folder, clock=lambda: NOW)).close()
    except Untrusted as error:
        return error.code
    return ""


# --- for what a key is trusted


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({}, ""),
        ({"models": ("iris",)}, ""),
        ({"models": ("churn", "iris")}, ""),
        ({"models": ("churn",)}, "bundle.model"),
        ({"models": ("Iris",)}, "bundle.model"),
        ({"not_before": NOW - DAY, "not_after": NOW + DAY}, ""),
        ({"not_before": NOW + DAY}, "bundle.expired_key"),
        ({"not_after": NOW - DAY}, "bundle.expired_key"),
        ({"not_after": NOW}, ""),
        ({"revoked_at": NOW - DAY}, "bundle.revoked_key"),
        ({"revoked_at": NOW + DAY}, "bundle.revoked_key"),
        ({"minimum_versions": {"iris": "1.0.0"}}, ""),
        ({"minimum_versions": {"iris": "1.0.1"}}, "bundle.old_version"),
        ({"minimum_versions": {"iris": "0.9"}}, ""),
        ({"minimum_versions": {"churn": "9"}}, ""),
    ],
)
def test_a_key_is_trusted_for_what_is_said(said: dict[str, Any], code: str, bundle: Path, folder: Path):
    trusting(folder, KEY, **said)
    assert code_of(bundle, folder) == code


def test_whoever_is_not_in_the_store_is_not_trusted(bundle: Path, folder: Path):
    trusting(folder, OTHER)
    assert code_of(bundle, folder) == "bundle.unknown_key"


def test_a_store_that_is_not_there_trusts_nobody(bundle: Path, folder: Path):
    assert code_of(bundle, folder) == "bundle.unknown_key"
    assert not folder.exists()


def test_what_let_a_bundle_in_is_known(bundle: Path, folder: Path):
    trusting(folder, KEY, code=True)
    with Bundle.open(bundle, TrustStore.read(folder, clock=lambda: NOW)) as opened:
        assert opened.verified is not None
        assert (opened.verified.verified_at, opened.verified.code) == (NOW, True)
        assert opened.digest() == opened.verified.digest
    with Bundle.open(bundle) as opened:
        assert opened.verified is None


def test_without_another_folder_it_is_the_users_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert trust_folder() == TrustStore.read().folder == tmp_path / "lading" / "trust"


# --- what cannot be read


def _broken(name: str, value: Any) -> bytes:
    return json.dumps(json.loads(encode_entry(ENTRY)) | {name: value}).encode()


BROKEN = {
    "nothing": b"",
    "no JSON": b"{",
    "a list": b"[]",
    "an unknown key": _broken("modles", ["iris"]),
    "a key twice": encode_entry(ENTRY).replace(b'"code"', b'"code": true, "code"'),
    "no public key": b'{"key_id": "%s"}' % b"0" * 64,
    "the id of another": _broken("key_id", OTHER.public.key_id),
    "another key": _broken("public_key", OTHER.public.pem),
    "no key": _broken("public_key", "ssh-ed25519 AAAA"),
    "a text for a boolean": _broken("code", "true"),
    "a number for a boolean": _broken("code", 1),
    "a name for names": _broken("models", "iris"),
    "a strange name": _broken("models", ["iris\n"]),
    "a time without a zone": _broken("not_after", "2027-01-01T00:00:00"),
    "a day for a time": _broken("not_after", "2027-01-01"),
    "a boolean for a time": _broken("revoked_at", True),
    "a strange version": _broken("minimum_versions", {"iris": "latest"}),
    "too much": encode_entry(ENTRY) + b" " * 70_000,
}


@pytest.mark.parametrize("case", BROKEN)
def test_one_broken_file_and_nobody_is_trusted(case: str, bundle: Path, folder: Path):
    trusting(folder, KEY)
    (folder / "other.json").write_bytes(BROKEN[case])
    with pytest.raises(Untrusted, match=r"other\.json") as caught:
        TrustStore.read(folder)
    assert caught.value.code == "trust.invalid"
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("name", ["signing.pub", "README.md", "revoked.json.bak", "folder.json/"])
def test_what_is_no_entry_is_not_passed_over(name: str, folder: Path):
    trusting(folder, KEY)
    (folder / name).mkdir() if name.endswith("/") else (folder / name).touch()
    with pytest.raises(Untrusted, match="the trust store cannot be read"):
        TrustStore.read(folder)


def test_the_same_key_in_two_files_is_refused(folder: Path):
    trusting(folder, KEY, models=("iris",))
    (folder / "again.json").write_bytes(encode_entry(ENTRY))
    with pytest.raises(Untrusted, match="another file has key"):
        TrustStore.read(folder)


def test_the_folder_of_a_container_is_read(bundle: Path, folder: Path):
    """Kubernetes keeps files in a hidden folder, and links to them."""
    trusting(folder / "..2026_11_21", KEY)
    (folder / "..data").symlink_to("..2026_11_21")
    (folder / "release.json").symlink_to(Path("..data", f"{KEY.public.key_id}.json"))
    assert code_of(bundle, folder) == ""


def test_a_file_that_may_not_be_read_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    trusting(folder, KEY)
    monkeypatch.setattr(Path, "open", refuse)  # root may read anything
    with pytest.raises(Untrusted, match="Permission denied"):
        TrustStore.read(folder)


@given(
    st.builds(
        msgspec.structs.replace,
        st.just(ENTRY),
        not_after=st.none() | st.datetimes(timezones=st.just(UTC)),
        revoked_at=st.none() | st.datetimes(timezones=st.just(UTC)),
        code=st.booleans(),
        models=st.lists(st.from_regex(r"\A[a-z][a-z0-9]{0,20}\Z"), unique=True).map(tuple),
        minimum_versions=st.dictionaries(st.sampled_from(["iris", "churn"]), st.sampled_from(["1", "1.2.0", "2.0rc1"])),
    )
)
def test_an_entry_comes_back_as_it_was_written(entry: Entry):
    assert decode_entry(encode_entry(entry)) == entry


# --- changes


def test_a_key_that_is_added_again_keeps_what_is_not_said(folder: Path):
    TrustStore.read(folder).add(KEY.public, lambda entry: msgspec.structs.replace(entry, models=("iris",)))
    _, entry = TrustStore.read(folder).add(KEY.public, lambda entry: msgspec.structs.replace(entry, code=True))
    assert (entry.models, entry.code) == (("iris",), True)
    assert list(TrustStore.read(folder).entries.values()) == [entry]


def test_a_revoked_key_is_not_added_again(folder: Path):
    TrustStore.read(folder).add(KEY.public, lambda entry: entry)
    TrustStore.read(folder, clock=lambda: NOW).revoke(KEY.public.key_id[:8])
    with pytest.raises(UsageError, match="was revoked"):
        TrustStore.read(folder).add(KEY.public, lambda entry: entry)
    (entry,) = TrustStore.read(folder).entries.values()
    assert entry.revoked_at == NOW


def test_revoking_again_keeps_the_time(folder: Path):
    trusting(folder, KEY, revoked_at=NOW - DAY)
    assert TrustStore.read(folder, clock=lambda: NOW).revoke(KEY.public.key_id).revoked_at == NOW - DAY


@pytest.mark.parametrize("key_id", ["", "x", "0" * 64])
def test_a_key_that_is_not_there_is_not_revoked(key_id: str, folder: Path):
    trusting(folder, KEY, OTHER)
    with pytest.raises(UsageError, match="no trusted keys have an id"):
        TrustStore.read(folder).revoke(key_id)


def test_the_beginning_of_an_id_must_tell_which(folder: Path):
    keys = [KEY]
    while keys[-1] is KEY or keys[-1].public.key_id[0] != KEY.public.key_id[0]:
        keys[1:] = [PrivateKey.generate()]
    trusting(folder, *keys)
    with pytest.raises(UsageError, match="2 trusted keys have an id"):
        TrustStore.read(folder).revoke(KEY.public.key_id[0])


# --- versions in order


def test_versions_are_in_order():
    ordered = ["0.9", "1.0.0-alpha", "1.0.0-rc1", "1.0.0-rc2", "1.0.0-rc10", "1.0.0", "1.0.1", "1.2", "1.10", "10"]
    for position, version in enumerate(ordered):
        assert [is_before(version, other) for other in ordered] == [position < place for place in range(len(ordered))]


@pytest.mark.parametrize(("one", "other"), [("1", "1.0.0"), ("1.0+a", "1.0+b"), ("01.2", "1.2"), ("2.0rc1", "2.0-rc1")])
def test_these_are_the_same(one: str, other: str):
    assert release_of(one) == release_of(other)


@pytest.mark.parametrize("version", ["latest", "v2", "final-2"])
def test_what_begins_with_no_number_comes_before_any_minimum(version: str):
    assert is_before(version, "0")
