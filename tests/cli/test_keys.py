"""`lading keys`: a key is shown once, on stdout alone; what is kept of it can be listed and revoked."""

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from lading.access.keys.text import id_of


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where keys are kept unless said."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "lading" / "keys.json"


def test_the_key_alone_goes_to_stdout(run: Any, file: Path) -> None:
    result = run("keys", "create", "web-shop")
    assert result.code == 0
    text = result.out.removesuffix("\n")
    assert id_of(text) is not None
    assert text not in result.err
    assert f"key       {id_of(text)} of web-shop, until it is revoked\n" in result.err
    assert text not in file.read_text()


def test_what_was_said_of_a_key_is_kept(run: Any, file: Path) -> None:
    said = ["--scope", "predict:iris", "--scope", "metrics", "--expires", "2099-01-31", "--rate", "100/s"]
    told = run("keys", "create", "web-shop", *said, "--json").json
    assert told["key"] not in json.dumps(listed := run("keys", "list", "--json").json)
    assert [told | each for each in listed] == [told]
    assert told["scopes"] == ["metrics", "predict:iris"]
    assert (told["expires"], told["rate"]) == ("2099-01-31T00:00:00Z", "100/s")
    assert told["keys_file"] == str(file)


@pytest.mark.parametrize(("span", "seconds"), [("90d", 7_776_000), ("12h", 43_200), ("30m", 1800)])
def test_a_key_may_end_after_a_span(span: str, seconds: int, run: Any) -> None:
    told = run("keys", "create", "a", "--expires", span, "--json").json
    lasts = datetime.fromisoformat(told["expires"]) - datetime.fromisoformat(told["created"])
    assert lasts.total_seconds() == seconds


@pytest.mark.parametrize(
    "said",
    [
        ["--expires", "soon"],
        ["--expires", "9999999d"],
        ["--expires", "2026-02-30"],
        ["--expires", "2020-01-01"],
        ["--expires", "0d"],
        ["--expires", ""],
        ["--scope", "all"],
        ["--rate", "often"],
    ],
)
def test_what_cannot_be_is_wrong_usage_and_makes_no_key(said: list[str], run: Any, file: Path) -> None:
    result = run("keys", "create", "a", *said)
    assert (result.code, result.out) == (2, "")
    assert re.fullmatch(r"error: .+\n(  .+\n)?", result.err)
    assert not file.exists()


def test_keys_are_listed_without_their_digests(run: Any, file: Path) -> None:
    text = run("keys", "create", "web-shop").out.strip()
    result = run("keys", "list")
    heads, row = result.out.splitlines()
    assert heads.split() == ["ID", "NAME", "STATE", "SCOPES", "CREATED", "EXPIRES", "RATE"]
    assert row.startswith(f"{id_of(text)}   web-shop   good    models:read, predict:*   ")
    digest = json.loads(file.read_text())["keys"][0]["sha256"]
    assert digest not in result.out + run("keys", "list", "--json").out


def test_a_key_is_revoked(run: Any) -> None:
    text = run("keys", "create", "web-shop").out.strip()
    result = run("keys", "revoke", "web-shop")
    assert (result.code, result.out) == (0, "")
    assert f"revoked   {id_of(text)} of web-shop" in result.err
    assert run("keys", "list", "--json").json[0]["state"] == "revoked"


def test_a_key_that_there_is_not_is_wrong_usage(run: Any) -> None:
    run("keys", "create", "web-shop")
    assert run("keys", "revoke", "other").code == 2


def test_without_a_file_there_is_nothing_to_list(run: Any, file: Path) -> None:
    result = run("keys", "list")
    assert (result.code, result.out, result.err) == (2, "", f"error: there is no file {file}\n")


def test_the_file_is_the_settings_unless_said(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lading.toml").write_text('[serve]\nkeys_file = "a.json"\nhost = "0.0.0.0"\nproduction = true\n')
    run("keys", "create", "in-toml")
    monkeypatch.setenv("LADING_KEYS_FILE", "b.json")
    run("keys", "create", "in-environment")
    run("keys", "create", "said", "--keys-file", "c.json")
    kept = {path.name: path.read_text() for path in tmp_path.glob("?.json")}
    assert [('"in-toml"' in kept["a.json"]), ('"in-environment"' in kept["b.json"]), ('"said"' in kept["c.json"])] == [
        *(True, True, True)
    ]


def test_nothing_is_asked_of_a_folder_that_cannot_be_written(run: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("keys", "create", "a", "--keys-file", tmp_path / "file" / "keys.json")
    assert (result.code, result.out) == (1, "")
    assert "cannot write beside" in result.err


@pytest.mark.parametrize("shown_chars", [99, 20, 11])
def test_a_key_that_leaked_says_itself_which_it_is(shown_chars: int, run: Any) -> None:
    text = run("keys", "create", "web-shop").out.strip()
    run("keys", "create", "other")
    result = run("keys", "revoke", text[:shown_chars])
    assert (result.code, f"{id_of(text)} of web-shop" in result.err, text in result.err) == (0, True, False)
    assert [each["state"] for each in run("keys", "list", "--json").json] == ["revoked", "good"]


def test_a_wrong_scope_is_named(run: Any) -> None:
    result = run("keys", "create", "a", "--scope", "predict:iris", "--scope", "all")
    assert result.err == ("error: `all` is no scope\n  there are predict:MODEL, predict:*, models:read, metrics\n")


def test_json_is_one_line(run: Any) -> None:
    run("keys", "create", "a")
    assert run("keys", "list", "--json").out.count("\n") == 1
    assert run("keys", "create", "b", "--json").out.count("\n") == 1
