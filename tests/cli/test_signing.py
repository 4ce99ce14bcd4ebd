"""`keygen`, `sign`, `trust` and `verify`: the way of who signs for the first time, and what is refused on it."""

import json
import os
import pty
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.live import environment

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
    trusted = run(*next_command(done).split())
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
    assert (result.code, "no public key" in result.err) == (2, True)


def test_a_damaged_bundle_is_not_signed(run: Any, folder: Path) -> None:
    run("keygen")
    data = (folder / "iris.lading").read_bytes()
    place = data.index(b"golden.json") + 20
    (folder / "iris.lading").write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    assert run("sign", "iris.lading").code == 3
    assert not (folder / "iris.lading.sig").exists()


def test_signing_again_replaces_the_signature(run: Any, signed: Path, configuration: Path) -> None:
    run("keygen", "-o", "other.key")
    run("trust", "add", "other.pub")
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
        (["--not-after", "2020-01-01"], "was trusted until 2020-01-01"),
        (["--not-before", "2999-01-01"], "is not trusted before 2999-01-01"),
        (["--minimum-version", "model=1.0.1"], "is not 1.0.1 or later"),
        (["--minimum-version", "model=1.0.0", "--not-after", "2999-12-31"], ""),
    ],
)
def test_a_key_is_trusted_for_what_is_said(options: list[str], code: str, run: Any, signed: Path, configuration: Path):
    assert run("trust", "add", configuration / "signing.pub", *options).code == 0
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
    assert run("trust", "list").out.split("   ")[1].startswith("iris, churn; data only; iris 2.0 or later")


def test_a_revoked_key_is_trusted_no_more(run: Any, signed: Path, configuration: Path) -> None:
    run("trust", "add", configuration / "signing.pub")
    (entry,) = run("trust", "list", "--json").json
    assert run("trust", "revoke", entry["key_id"][:12]).code == 0
    assert "was revoked" in run("verify", signed).err
    assert "revoked" in run("trust", "list").out
    assert run("trust", "add", configuration / "signing.pub").code == 2


def test_another_folder_is_another_store(run: Any, signed: Path, configuration: Path, folder: Path) -> None:
    added = run("trust", "add", configuration / "signing.pub", "--trust", "keys")
    assert next_command(added).endswith("--trust keys")
    assert run("verify", signed).code == 3
    assert run("verify", signed, "--trust", "keys").code == 0
    (entry,) = (folder / "keys").iterdir()
    assert json.loads(entry.read_bytes())["code"] is False


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


def test_what_is_no_bundle_is_not_verified(run: Any, folder: Path) -> None:
    result = run("verify", "model.joblib")
    assert (result.code, "is unsigned" in result.err) == (3, True)
