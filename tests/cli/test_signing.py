"""`keygen`, `sign`, `trust` and `verify`: the way of who signs for the first time, and what is refused on it."""

import json
import os
import pty
import re
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.live import environment
from tests.signed import trusting

from lading.bundle.signing.keys import PrivateKey


@pytest.fixture(autouse=True)
def configuration(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What this user has told Lading: nothing yet."""
    folder = tmp_path_factory.mktemp("configuration")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))
    return folder / "lading"


@pytest.fixture
def signed(run: Any, folder: Path) -> Path:
    """The bundle, signed by this user's own key, which is trusted."""
    for words in (["keygen"], ["sign", "iris.lading"]):
        assert run(*words).code == 0
    return folder / "iris.lading"


def next_command(result: Any) -> str:
    return str(result.err.splitlines()[-1].removeprefix("next: lading "))


# --- the way


def test_each_step_says_the_next_one(run: Any, folder: Path, configuration: Path) -> None:
    made = run("keygen")
    assert (made.code, next_command(made)) == (0, "sign BUNDLE")
    assert run("verify", "iris.lading").code == 3
    done = run("sign", "iris.lading")
    assert (done.code, done.out) == (0, "")
    assert run("verify", "iris.lading").code == 3
    trusted = run(*next_command(done).split(), "--code")
    assert (trusted.code, next_command(trusted)) == (0, "serve BUNDLE --production --auth keys")
    verified = run("verify", "iris.lading")
    assert verified.code == 0
    assert verified.out.splitlines()[0].split() == ["model", "model", "1.0.0"]
    assert made.out.strip()[:12] in verified.out


def test_json_is_for_programs(run: Any, folder: Path, configuration: Path) -> None:
    key = run("keygen", "--json").json
    assert key["private_key"] == str(configuration / "signing.key")
    assert run("sign", "iris.lading", "--json").json["key_id"] == key["key_id"]
    run("trust", "add", key["public_key"], "--code")
    told = run("verify", "iris.lading", "--json").json
    assert (told["is_verified"], told["model"], told["key_id"], told["code"]) == (True, "model", key["key_id"], True)
    (entry,) = run("trust", "list", "--json").json
    assert (entry["key_id"], entry["code"], entry["models"]) == (key["key_id"], True, [])


# --- keygen and sign


def test_the_keys_are_where_they_are_asked_for(run: Any, folder: Path) -> None:
    result = run("keygen", "-o", "keys/release.key")
    assert (result.code, next_command(result)) == (0, "sign BUNDLE --key keys/release.key")
    assert stat.S_IMODE((folder / "keys" / "release.key").stat().st_mode) == 0o600
    assert run("sign", "iris.lading", "--key", "keys/release.key").code == 0


@pytest.mark.parametrize("there", ["signing.key", "signing.pub"])
def test_no_key_is_overwritten(there: str, run: Any, folder: Path) -> None:
    (folder / there).write_text("mine")
    result = run("keygen", "-o", "signing.key")
    assert (result.code, result.out) == (2, "")
    assert "is there already" in result.err
    assert (folder / there).read_text() == "mine"
    assert sorted(path.name for path in folder.glob("signing.*")) == [there]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sign", "iris.lading"], "there is no key"),
        (["sign", "nowhere.lading"], "there is no file"),
        (["sign", "model.joblib"], "is not a bundle"),
        (["sign", "iris.lading", "--key", "model.joblib"], "others may read `model.joblib`"),
        (["verify", "nowhere.lading"], "there is no file"),
        (["trust", "add", "model.joblib"], "no public key"),
        (["trust", "add", "nowhere.pub"], "there is no key"),
        (["trust", "revoke", "abc"], "no trusted keys"),
    ],
)
def test_what_cannot_be_done_is_said(arguments: list[str], message: str, run: Any, folder: Path) -> None:
    result = run(*arguments)
    assert result.code in (2, 3)
    assert message in result.err


def test_a_private_key_is_not_trusted_in_place_of_the_public_one(run: Any, folder: Path, configuration: Path) -> None:
    run("keygen")
    result = run("trust", "add", configuration / "signing.key")
    assert (result.code, "the public one is trusted" in result.err) == (2, True)
    assert f"lading trust add {configuration / 'signing.pub'}" in result.err


def test_a_public_key_does_not_sign_in_place_of_the_private_one(run: Any, folder: Path) -> None:
    run("keygen", "-o", "signing.key")
    result = run("sign", "iris.lading", "--key", "signing.pub")
    assert result.code == 2
    assert result.err == (
        "error: `signing.pub` is the public key of a pair; the private one signs\n"
        "  lading sign BUNDLE --key signing.key\n"
    )


def test_a_damaged_bundle_is_not_signed(run: Any, folder: Path) -> None:
    run("keygen")
    data = (folder / "iris.lading").read_bytes()
    place = data.index(b"golden.json") + 20
    (folder / "iris.lading").write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    assert run("sign", "iris.lading").code == 3
    assert not (folder / "iris.lading.sig").exists()


def test_signing_again_replaces_the_signature(run: Any, signed: Path, configuration: Path) -> None:
    run("keygen", "-o", "other.key")
    run("trust", "add", "other.pub", "--code")
    assert "unknown key id" in run("verify", signed).err
    assert run("sign", signed, "--key", "other.key").code == 0
    assert run("verify", signed).code == 0


def test_a_passphrase_is_not_asked_for_without_a_terminal(run: Any, folder: Path) -> None:
    assert "asked at a terminal" in run("keygen", "--passphrase").err
    PrivateKey.generate().write(folder / "secret.key", "correct horse")
    result = run("sign", "iris.lading", "--key", "secret.key")
    assert (result.code, "asked at a terminal" in result.err) == (2, True)


def test_at_a_terminal_a_passphrase_is_asked_for_and_not_shown(folder: Path) -> None:
    PrivateKey.generate().write(folder / "secret.key", "correct horse")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "lading", "sign", "iris.lading", "--key", "secret.key"]
    with subprocess.Popen(
        command, cwd=folder, env=environment(), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        shown = os.read(ours, 1 << 10)  # before that, what is typed is forgotten
        os.write(ours, b"correct horse\n")
        assert process.wait(60) == 0
        shown += os.read(ours, 1 << 10)
    os.close(ours)
    assert b"passphrase of the key" in shown
    assert b"correct horse" not in shown
    assert (folder / "iris.lading.sig").exists()


# --- trust and verify


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ([], ""),
        (["--model", "model"], ""),
        (["--model", "churn"], "is not trusted for the model `model`"),
        (["--not-before", "2999-01-01"], "is not trusted before 2999-01-01"),
        (["--minimum-version", "model=1.0.1"], "is not 1.0.1 or later"),
        (["--minimum-version", "model=1.0.0", "--not-after", "2999-12-31"], ""),
    ],
)
def test_a_key_is_trusted_for_what_is_said(options: list[str], code: str, run: Any, signed: Path, configuration: Path):
    assert run("trust", "add", configuration / "signing.pub", "--code", *options).code == 0
    result = run("verify", signed)
    assert (result.code, code in result.err) == (3 if code else 0, True)


@pytest.mark.parametrize(
    "options",
    [
        ["--minimum-version", "model"],
        ["--minimum-version", "=1.0"],
        ["--minimum-version", "model=latest"],
        ["--model", "a b"],
        ["--not-after", "tomorrow"],
        ["--not-after", "2020-01-01"],
        ["--modle", "model"],
    ],
)
def test_what_cannot_be_meant_is_not_trusted(options: list[str], run: Any, signed: Path, configuration: Path) -> None:
    assert run("trust", "add", configuration / "signing.pub", *options).code == 2
    assert not (configuration / "trust").exists()


def test_what_is_said_again_changes_and_the_rest_stays(run: Any, signed: Path, configuration: Path) -> None:
    public = configuration / "signing.pub"
    run("trust", "add", public, "--model", "iris", "--minimum-version", "iris=1.0")
    run("trust", "add", public, "--model", "churn", "--code", "--minimum-version", "iris=2.0")
    (entry,) = run("trust", "list", "--json").json
    assert (entry["models"], entry["code"], entry["minimum_versions"]) == (["iris", "churn"], True, {"iris": "2.0"})
    run("trust", "add", public, "--no-code")
    assert re.split(" {3,}", run("trust", "list").out)[2].startswith("iris, churn; data only; iris 2.0 or later")


def test_a_revoked_key_is_trusted_no_more(run: Any, signed: Path, configuration: Path) -> None:
    run("trust", "add", configuration / "signing.pub")
    (entry,) = run("trust", "list", "--json").json
    revoked = run("trust", "revoke", entry["key_id"][:12])
    assert (revoked.code, "go on until they are stopped" in revoked.err, "next:" in revoked.err) == (0, True, False)
    assert "was revoked" in run("verify", signed).err
    assert "revoked" in run("trust", "list").out
    assert run("trust", "add", configuration / "signing.pub").code == 2


def test_another_folder_is_another_store(run: Any, signed: Path, configuration: Path, folder: Path) -> None:
    added = run("trust", "add", configuration / "signing.pub", "--code", "--trust", "keys")
    assert next_command(added).endswith("--trust keys")
    assert run("verify", signed).code == 3
    assert run("verify", signed, "--trust", "keys").code == 0
    (entry,) = (folder / "keys").iterdir()
    assert json.loads(entry.read_bytes())["code"] is True


def test_nobody_is_trusted_at_first(run: Any) -> None:
    result = run("trust", "list")
    assert (result.code, result.out) == (0, "")
    assert "no key is trusted" in result.err


def test_a_broken_store_trusts_nobody(run: Any, signed: Path, configuration: Path) -> None:
    run("trust", "add", configuration / "signing.pub")
    (configuration / "trust" / "other.json").write_text("{")
    for words in (["verify", signed], ["trust", "list"], ["trust", "add", configuration / "signing.pub"]):
        result = run(*words)
        assert (result.code, "other.json" in result.err) == (3, True)
        assert "remove it" not in result.err


def test_a_trust_that_is_no_store_is_told_so(run: Any, signed: Path, configuration: Path) -> None:
    for place in (configuration, configuration / "signing.pub"):
        result = run("verify", signed, "--trust", place)
        assert (result.code, "nothing but entries that `lading trust add` writes" in result.err) == (3, True)


def test_a_trust_that_is_not_there_is_told_so(run: Any, signed: Path) -> None:
    result = run("verify", signed, "--trust", "nope")
    assert (result.code, "there is no folder nope; if you know" in result.err) == (3, True)
    assert run("trust", "list", "--trust", "nope").err == "no key is trusted: there is no folder nope\n"


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ({}, "good"),
        ({"not_before": datetime(2999, 1, 1, tzinfo=UTC)}, "not yet"),
        ({"not_after": datetime(2020, 1, 1, tzinfo=UTC)}, "expired"),
        ({"revoked_at": datetime(2020, 1, 1, tzinfo=UTC)}, "revoked"),
    ],
)
def test_it_is_told_whether_a_key_is_trusted_now(said: dict[str, Any], state: str, run: Any, folder: Path) -> None:
    trusting(folder / "keys", PrivateKey.generate(), **said)
    assert run("trust", "list", "--trust", "keys").out.split("   ")[1].strip() == state
    (entry,) = run("trust", "list", "--trust", "keys", "--json").json
    assert entry["state"] == state


def test_what_is_no_bundle_is_not_verified(run: Any, folder: Path) -> None:
    result = run("verify", "model.joblib")
    assert (result.code, "only a bundle can be signed" in result.err) == (3, True)


def test_the_bundle_is_verified_and_not_its_signature(run: Any, signed: Path) -> None:
    result = run("verify", "iris.lading.sig")
    assert (result.code, result.err.splitlines()[-1]) == (2, "  lading verify iris.lading")


def test_a_bundle_that_was_packed_again_is_signed_again(run: Any, signed: Path, configuration: Path) -> None:
    run("trust", "add", configuration / "signing.pub")
    signed.write_bytes(signed.read_bytes() + b"x")
    result = run("verify", signed)
    assert (result.code, "or sign it again: lading sign BUNDLE" in result.err) == (3, True)


def test_a_program_is_verified_only_for_a_key_that_may_run_one(run: Any, signed: Path, configuration: Path) -> None:
    public = configuration / "signing.pub"
    for words in (["pack", "model.joblib", "--compile", "never", "-o", "n.lading"], ["sign", "n.lading"]):
        assert run(*words).code == 0
    run("trust", "add", public)
    result = run("verify", "n.lading")
    assert (result.code, "n.lading holds a pickle, which is a program" in result.err) == (3, True)
    run("trust", "add", public, "--code")
    assert run("verify", "n.lading").code == 0
