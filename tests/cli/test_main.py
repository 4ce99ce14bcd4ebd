"""What holds for every verb: help, exit codes, one clear line on stderr, and nothing but data on stdout."""

import importlib
import re
from pathlib import Path
from typing import Any

import click
import pytest
from tests.live import run as run_process

from lading import __version__, errors
from lading.cli import cli
from lading.cli.failure import exit_code
from lading.settings import SETTINGS

VERBS = ["check", "demo", "doctor", "inspect", "keygen", "keys", "pack", "predict", "reload", "serve", "sign"]
VERBS += ["trust", "users", "verify", "fetch", "image", "ready", "ship"]
VERBS.sort()
WITH_MODEL = ["serve", "predict", "pack", "inspect", "check", "doctor"]


def test_every_verb_is_listed() -> None:
    assert sorted(cli.list_commands(click.Context(cli))) == VERBS


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_names_the_verbs(flag: str, run: Any) -> None:
    result = run(flag)
    assert result.code == 0
    assert all(f"\n  {verb} " in result.out for verb in VERBS)
    assert result.err == ""


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_every_verb_has_help(verb: str, flag: str, run: Any) -> None:
    result = run(verb, flag)
    assert result.code == 0
    assert result.out.startswith(f"Usage: lading {verb}")
    sentence = importlib.import_module(f"lading.cli.{verb}").command.help.split("\n")[0]
    assert sentence in " ".join(result.out.split())


@pytest.mark.parametrize("flag", ["-V", "--version"])
def test_the_version_is_told(flag: str, run: Any) -> None:
    assert run(flag) == (0, f"lading {__version__}\n", "")


def test_no_verb_at_all_is_wrong_usage(run: Any) -> None:
    result = run()
    assert (result.code, result.out) == (2, "")
    assert "Usage:" in result.err


@pytest.mark.parametrize(("word", "meant"), [("srve", "serve"), ("packs", "pack"), ("Check", "check")])
def test_a_misspelt_verb_gets_the_one_that_was_meant(word: str, meant: str, run: Any) -> None:
    result = run(word, "model.joblib")
    assert (result.code, result.out) == (2, "")
    assert f"there is no verb `{word}`; did you mean `{meant}`?" in result.err


def test_a_word_like_no_verb_gets_no_guess(run: Any) -> None:
    result = run("xyzzy")
    assert result.code == 2
    assert "did you mean" not in result.err


@pytest.mark.parametrize("verb", ["serve", "predict", "pack", "inspect", "check"])
def test_a_verb_without_its_argument_is_wrong_usage(verb: str, run: Any) -> None:
    result = run(verb)
    assert (result.code, result.out) == (2, "")
    assert "Missing argument" in result.err


def test_a_misspelt_option_gets_the_one_that_was_meant(run: Any) -> None:
    result = run("serve", "model.joblib", "--prt", "1")
    assert result.code == 2
    assert "--port" in result.err


def arguments(verb: str, path: str) -> list[str]:
    return [verb, path, *(['{"x": 1}'] if verb == "predict" else []), *(["--port", "0"] if verb == "serve" else [])]


@pytest.mark.parametrize("verb", WITH_MODEL)
@pytest.mark.parametrize("name", ["nowhere.lading", "nowhere.joblib", "folder.lading", "folder.joblib"])
def test_a_path_without_a_file_is_wrong_usage(verb: str, name: str, run: Any, folder: Path) -> None:
    (folder / "folder.lading").mkdir()
    (folder / "folder.joblib").mkdir()
    result = run(*arguments(verb, name))
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: ")


BROKEN = {
    "text.joblib": (b"hello\n", 1),
    "empty.joblib": (b"", 1),
    "half.pkl": (b"\x80\x04\x95\xff", 1),
    "lie.onnx": (b"\x80\x04N.", 1),
    "foreign.safetensors": (b"\x80\x04N.", 1),
    "number.pkl": (b"\x80\x04K\x01.", 1),
    "text.lading": (b"hello\n", 3),
    "empty.lading": (b"", 3),
}


@pytest.mark.parametrize("verb", ["serve", "predict", "pack", "inspect"])
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_one_clear_line(verb: str, name: str, run: Any, folder: Path) -> None:
    data, code = BROKEN[name]
    (folder / name).write_bytes(data)
    before = sorted(folder.iterdir())
    result = run(*arguments(verb, name))
    line, *hints = result.err.splitlines()
    assert (result.code, result.out) == (2 if verb == "pack" and code == 3 else code, "")
    assert line.startswith("error: ")
    assert all(hint.startswith("  ") for hint in hints)
    assert len(hints) <= 1
    assert sorted(folder.iterdir()) == before


CODES = {
    errors.UsageError("x"): 2,
    errors.SettingsError("x"): 2,
    errors.FormatError("x"): 1,
    errors.UnsupportedModel("x"): 1,
    errors.BundleError("x"): 3,
    errors.EnvironmentMismatch("x"): 4,
    errors.CheckFailed("x"): 5,
    errors.InputError([]): 1,
    errors.BrokenInput("x"): 1,
    errors.PredictionFailed("x"): 1,
    errors.QueueFull("x"): 1,
    KeyboardInterrupt(): 130,
    click.Abort(): 130,
    click.exceptions.Exit(7): 7,
    BrokenPipeError(): 1,
}


@pytest.mark.parametrize("error", CODES, ids=lambda error: type(error).__name__)
def test_the_exit_code_of_each_error(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr("sys.stdout", None)  # which a closed pipe sets
    assert exit_code(fail) == CODES[error]


@pytest.mark.parametrize(("result", "code"), [(None, 0), (0, 0), (4, 4), ("text", 0)])
def test_what_a_command_returns_is_its_exit_code(result: Any, code: int) -> None:
    assert exit_code(lambda: result) == code


def test_a_hint_stands_below_the_error(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise errors.UsageError("what is wrong", hint="what to do")

    exit_code(fail)
    assert capsys.readouterr() == ("", "error: what is wrong\n  what to do\n")


def test_a_foreign_exception_is_not_hidden() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        exit_code(fail)


def test_as_a_process_it_ends_the_same() -> None:
    done = run_process("srve")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"did you mean `serve`?" in done.stderr


def test_the_help_of_serve_is_in_sections(run: Any) -> None:
    text = run("serve", "--help").out
    heads = re.findall(r"^(\w[\w ]*):$", text, re.MULTILINE)
    assert heads == ["Options", *dict.fromkeys(setting.section for setting in SETTINGS), "Model"]
    assert [setting.name for setting in SETTINGS if f"--{setting.name.replace('_', '-')} " not in text] == []
