"""`lading users`: passwords come from a terminal or from stdin, and are shown nowhere."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.live import run as run_process

from lading.access.passwords import users as users
from lading.access.passwords.hashing import stand_in

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where users are kept unless said."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "lading" / "users.json"


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that were hashed, which takes no time here."""
    seen: list[str] = []

    def hash_password(text: str) -> str:
        seen.append(text)
        return stand_in(None)

    monkeypatch.setattr(users, "hash_password", hash_password)
    return seen


def test_a_user_is_added_with_the_password_on_stdin(run: Any, file: Path) -> None:
    result = run("users", "add", "alice", "--scope", "predict:iris", stdin=f"{PASSWORD}\n")
    assert (result.code, result.out) == (0, "")
    assert "user      alice\n  may       predict:iris\n" in result.err
    assert PASSWORD not in result.err + file.read_text()
    assert json.loads(file.read_text())["users"][0]["hash"].startswith("$argon2id$")


@pytest.mark.parametrize("stdin", [PASSWORD, f"{PASSWORD}\n", f"{PASSWORD}\r\n", f"{PASSWORD}\nand more\n"])
def test_one_line_is_the_password(stdin: str, run: Any, typed: list[str]) -> None:
    assert run("users", "add", "alice", stdin=stdin).code == 0
    assert typed == [PASSWORD]


@pytest.mark.parametrize("stdin", ["", "\n", "short", "a" * 257, "a" * 5000, "long enough\0"])
def test_what_is_no_password_is_wrong_usage(stdin: str, run: Any, file: Path) -> None:
    result = run("users", "add", "alice", stdin=stdin)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: ")
    assert stdin.strip("\n\0") == "" or stdin.strip("\n\0") not in result.err
    assert not file.exists()


def test_a_password_that_is_no_utf8_is_wrong_usage(tmp_path: Path, file: Path) -> None:
    done = run_process("users", "add", "alice", folder=tmp_path, stdin=b"\xff" * 12)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"error: the password on stdin is not UTF-8\n"
    assert not file.exists()


def test_on_a_terminal_it_is_asked_for_twice_and_not_shown(
    run: Any, typed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["correct horse", "other", PASSWORD, PASSWORD])
    monkeypatch.setattr("click.termui.hidden_prompt_func", lambda prompt: next(answers))
    terminal = SimpleNamespace(isatty=lambda: True)
    monkeypatch.setattr("lading.cli.users.sys", SimpleNamespace(stdin=terminal))
    result = run("users", "add", "alice")
    assert (result.code, result.out) == (0, "")
    assert typed == [PASSWORD]
    assert "do not match" in result.err


def test_users_are_listed_without_their_hashes(run: Any, typed: list[str], file: Path) -> None:
    run("users", "add", "alice", stdin=PASSWORD)
    result = run("users", "list")
    heads, row = result.out.splitlines()
    assert heads.split() == ["NAME", "SCOPES", "CREATED"]
    assert row.startswith("alice   models:read, predict:*   20")
    assert "argon2" not in result.out + run("users", "list", "--json").out
    assert run("users", "list", "--json").json[0]["scopes"] == ["models:read", "predict:*"]


def test_a_user_gets_another_password(run: Any, typed: list[str]) -> None:
    run("users", "add", "alice", stdin=PASSWORD)
    result = run("users", "password", "alice", stdin="another password")
    assert result == (0, "", "  changed   the password of alice\n")
    assert typed == [PASSWORD, "another password"]


def test_a_user_is_removed(run: Any, typed: list[str]) -> None:
    run("users", "add", "alice", stdin=PASSWORD)
    assert run("users", "remove", "alice") == (0, "", "  removed   alice\n")
    assert run("users", "list", "--json").json == []
    assert run("users", "remove", "alice").code == 2


def test_the_file_may_be_said(run: Any, typed: list[str], tmp_path: Path, file: Path) -> None:
    run("users", "add", "alice", "--users-file", "people.json", stdin=PASSWORD)
    assert (tmp_path / "people.json").exists()
    assert not file.exists()
