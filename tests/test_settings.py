"""The settings: who is asked first, what is refused and in which words."""

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lading.errors import SettingsError
from lading.settings import (
    LIMITS,
    SETTINGS,
    Settings,
    is_loopback,
    load_settings,
    networks,
    packing_time,
    read_config,
    wants_color,
)


def refusal(*args: Any, **kwargs: Any) -> SettingsError:
    with pytest.raises(SettingsError) as raised:
        load_settings(*args, **kwargs)
    return raised.value


def test_the_table_and_the_value_say_the_same():
    defaults = msgspec.structs.asdict(Settings())
    assert (defaults.pop("models"), defaults.pop("routes")) == ({}, {})
    assert {setting.name: setting.default for setting in SETTINGS} == defaults
    assert {name: type(value) for name, value in defaults.items()} == {s.name: type(s.default) for s in SETTINGS}


def test_every_setting_has_a_sentence():
    assert [setting.name for setting in SETTINGS if not setting.sentence.endswith(".")] == []


def test_without_a_word_every_setting_has_its_default():
    assert load_settings(environ={}) == Settings()


def test_options_win_over_the_environment_and_that_over_the_file():
    table, environ, options = (
        {"port": 1, "max_rows": 1, "host": "::1"},
        {"LADING_PORT": "2", "LADING_MAX_ROWS": "2"},
        {},
    )
    options = {"port": 3, "max_rows": None}
    settings = load_settings(options, table, environ)
    assert (settings.port, settings.max_rows, settings.host) == (3, 2, "::1")


def test_an_option_that_is_false_is_said():
    assert load_settings({"insecure": False}, {"insecure": True}, {}).insecure is False


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("port", "0", 0),
        ("insecure", "true", True),
        ("insecure", "0", False),
        ("request_timeout_s", "2.5", 2.5),
        ("request_timeout_s", "3", 3.0),
        ("log_format", "json", "json"),
    ],
)
def test_texts_of_the_environment_are_read_for_what_they_stand_for(variable: str, text: str, value: Any):
    settings = load_settings(environ={f"LADING_{variable.upper()}": text})
    assert getattr(settings, variable) == value
    assert type(getattr(settings, variable)) is type(value)


def test_the_process_environment_is_read_where_no_other_is_given(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LADING_PORT", "8123")
    assert load_settings().port == 8123


def test_variables_of_others_are_left_alone():
    assert load_settings(environ={"PORT": "x", "LADINGPORT": "x", "MY_LADING_PORT": "x"}) == Settings()


def test_what_the_tests_are_told_is_no_setting():
    assert load_settings(environ={"LADING_TEST_SCALE": "full"}) == Settings()


# --- what is refused


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("many", "LADING_PORT: expected a whole number"),
        ("80.5", "LADING_PORT: expected a whole number"),
        ("", "LADING_PORT: expected a whole number"),
        ("-1", "LADING_PORT: expected at least 0"),
        ("tcp://10.0.0.1:80", "LADING_PORT: expected a whole number"),
    ],
)
def test_a_wrong_text_is_refused_without_repeating_it(text: str, words: str):
    assert str(refusal(environ={"LADING_PORT": text})) == words


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("port", True, "expected a whole number"),
        ("port", "8000", "expected a whole number"),
        ("port", 80.5, "expected a whole number"),
        ("insecure", 1, "expected true or false"),
        ("host", 1, "expected a text"),
        ("request_timeout_s", "1", "expected a number"),
        ("request_timeout_s", 0, "expected at least 0.001"),
        ("request_timeout_s", float("nan"), "expected at least 0.001"),
        ("request_timeout_s", float("inf"), "expected at least 0.001"),
        ("max_rows", 0, "expected at least 1"),
        ("log_format", "xml", "expected one of auto, text, json"),
        ("max_connections", 0, "expected at least 1"),
        ("trusted_hops", "10.0.0.0/33", "expected addresses and networks, as 10.0.0.0/8,192.168.1.7"),
        ("trusted_hops", "10.0.0.1/8", "expected addresses and networks, as 10.0.0.0/8,192.168.1.7"),
        ("trusted_hops", "proxy,10.0.0.1", "expected addresses and networks, as 10.0.0.0/8,192.168.1.7"),
        ("trusted_hops", "10.0.0.1,", "expected addresses and networks, as 10.0.0.0/8,192.168.1.7"),
    ],
)
def test_a_wrong_value_in_the_file_says_where_it_stands(name: str, value: Any, words: str):
    assert str(refusal(table={name: value}, environ={})) == f"`{name}` in lading.toml: {words}"


def test_a_wrong_option_is_named_as_it_was_said():
    assert str(refusal({"max_rows": 0}, environ={})) == "--max-rows: expected at least 1"


def test_an_unknown_name_gets_the_one_that_was_meant():
    error = refusal(environ={"LADING_PROT": "1"})
    assert (str(error), error.hint) == ("LADING_PROT is not a setting", "did you mean `port`?")


def test_a_name_that_is_near_to_none_gets_the_list():
    error = refusal(table={"zzzzzz": 1}, environ={})
    assert error.hint == "known: " + ", ".join(setting.name for setting in SETTINGS)


# --- limits of a model, and of a route

TABLE = {
    "max_rows": 500,
    "max_cells": 9000,
    "models": {"iris": {"max_rows": 20, "request_timeout_s": 2}, "churn": {"rate_limit": "100/m"}},
    "routes": {"/score": {"max_rows": 3, "max_expansion": 10.0}},
}


def test_every_limit_is_a_setting():
    assert {setting.name for setting in SETTINGS} >= set(LIMITS)


def test_a_model_and_a_route_have_their_own_limits_and_else_those_of_the_server():
    settings = load_settings(table=TABLE, environ={})
    iris = settings.for_model("iris")
    assert (settings.max_rows, iris.max_rows, iris.for_route("/score").max_rows) == (500, 20, 3)
    assert (iris.request_timeout_s, iris.max_cells, iris.rate_limit) == (2.0, 9000, "")
    assert settings.for_model("churn").for_route("/predict").rate_limit == "100/m"
    assert settings.for_model("other") == settings.for_route("/predict") == settings


def test_a_limit_of_a_model_stands_above_what_is_said_of_all():
    settings = load_settings({"max_rows": 7}, TABLE, {"LADING_MAX_CELLS": "8"})
    assert (settings.for_model("iris").max_rows, settings.for_model("churn").max_rows) == (20, 7)
    assert settings.for_model("iris").max_cells == 8


def test_limits_reach_another_process_as_they_are():
    settings = load_settings(table=TABLE, environ={})
    assert msgspec.json.decode(msgspec.json.encode(settings), type=Settings) == settings


@pytest.mark.parametrize(
    ("table", "words", "hint"),
    [
        (
            {"models": {"iris": {"max_row": 1}}},
            "`max_row` in `models.iris` of lading.toml is not a limit",
            "did you mean `max_rows`?",
        ),
        (
            {"routes": {"/score": {"port": 1}}},
            "`port` in `routes./score` of lading.toml is not a limit",
            "known: " + ", ".join(LIMITS),
        ),
        (
            {"models": {"iris": {"max_rows": 0}}},
            "`max_rows` in `models.iris` of lading.toml: expected at least 1",
            None,
        ),
        (
            {"models": {"iris": {"max_rows": "5"}}},
            "`max_rows` in `models.iris` of lading.toml: expected a whole number",
            None,
        ),
        (
            {"routes": {"/score": {"rate_limit": "often"}}},
            "`rate_limit` in `routes./score` of lading.toml: expected a rate, as 100/s, 1000/m or 5000/h",
            None,
        ),
        (
            {"routes": {"score": {}}},
            "`routes` in lading.toml: expected paths, as /predict",
            '[serve.routes."/PATH"]',
        ),
        ({"models": {"max_rows": 1}}, "`models` in lading.toml has a table of limits for each", "[serve.models.NAME]"),
        ({"routes": 1}, "`routes` in lading.toml has a table of limits for each", '[serve.routes."/PATH"]'),
    ],
)
def test_a_wrong_limit_is_refused_with_where_it_stands(table: Any, words: str, hint: str | None):
    error = refusal(table=table, environ={})
    assert (str(error), error.hint) == (words, hint)


def test_limits_of_a_model_are_said_in_the_file_only():
    assert str(refusal(environ={"LADING_MODELS": "{}"})) == "LADING_MODELS is not a setting"
    assert str(refusal({"routes": {}}, environ={})) == "--routes is not a setting"


# --- who is trusted


@pytest.mark.parametrize(
    ("hops", "named"),
    [
        ("", []),
        ("192.168.1.7", ["192.168.1.7/32"]),
        ("10.0.0.0/8, 2001:db8::/32,::1", ["10.0.0.0/8", "2001:db8::/32", "::1/128"]),
    ],
)
def test_trusted_hops_are_addresses_and_networks(hops: str, named: list[str]):
    settings = load_settings(environ={"LADING_TRUSTED_HOPS": hops})
    assert [str(network) for network in networks(settings.trusted_hops)] == named


# --- who may be listened to


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.10", "::1", "0:0:0:0:0:0:0:1"])
def test_loopback_is_served_at_once(host: str):
    assert is_loopback(host)
    assert load_settings({"host": host}, environ={}).host == host


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "", "::", "10.0.0.1", "example.org", "127.example.org", "127.0.0.1.example.org", "localhost.evil"],
)
def test_another_host_is_refused_in_one_sentence_that_names_the_option(host: str):
    assert not is_loopback(host)
    error = refusal({"host": host}, environ={})
    assert "--insecure" in (error.hint or "")
    assert "\n" not in str(error)
    assert load_settings({"host": host, "insecure": True}, environ={}).host == host


# --- lading.toml


def test_the_file_is_read_as_tables(tmp_path: Path):
    path = tmp_path / "lading.toml"
    path.write_text('name = "iris"\n[serve]\nport = 9000\n')
    assert read_config(path) == {"name": "iris", "serve": {"port": 9000}}


def test_no_file_says_nothing(tmp_path: Path):
    assert read_config(tmp_path / "lading.toml") == {}


def test_a_file_that_was_named_must_be_there(tmp_path: Path):
    with pytest.raises(SettingsError, match=r"there is no file .*lading\.toml"):
        read_config(tmp_path / "lading.toml", is_required=True)


@pytest.mark.parametrize("data", [b"port = ", b"\xff\xfe", b"a = 1\na = 2", b"port = 80\x00"])
def test_a_broken_file_is_one_line(tmp_path: Path, data: bytes):
    path = tmp_path / "lading.toml"
    path.write_bytes(data)
    with pytest.raises(SettingsError) as raised:
        read_config(path)
    assert "lading.toml" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path: Path):
    with pytest.raises(SettingsError, match="IsADirectoryError"):
        read_config(tmp_path)


# --- the rest of the environment


def test_the_date_of_a_bundle_is_what_the_build_says(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert packing_time() == 1_700_000_000


def test_the_date_of_a_bundle_is_else_now(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    monkeypatch.setattr("time.time", lambda: 1234.9)
    assert packing_time() == 1234


@pytest.mark.parametrize("text", ["", "-1", "1.5", "soon", "9" * 12, "²", "9" * 5000])
def test_a_date_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, text: str):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", text)
    with pytest.raises(SettingsError):
        packing_time()


@pytest.mark.parametrize(
    ("no_color", "is_terminal", "wants"), [("", True, True), ("1", True, False), ("", False, False)]
)
def test_words_are_colored_on_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch, no_color: str, is_terminal: bool, wants: bool
):
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setattr("sys.stderr.isatty", lambda: is_terminal, raising=False)
    assert wants_color() is wants


def test_no_setting_of_the_person_who_tests_is_left():
    assert [name for name in os.environ if name.startswith("LADING_")] == []


def test_an_address_that_may_hold_a_password_is_not_shown():
    settings = load_settings(environ={"LADING_FEATURES_URL": "redis://:canary@host"})
    assert settings.features_url == "redis://:canary@host"
    assert "canary" not in f"{settings!r} {settings}"
    assert "features_url='…'" in repr(settings)
    assert "features_url=''" in repr(Settings())


@pytest.mark.parametrize("text", ["churn-eu", "a", "iris_1.0", ""])
def test_a_name_stands_in_a_path_as_it_is(text: str):
    assert load_settings(environ={"LADING_SERVED_NAME": text}).served_name == text


@pytest.mark.parametrize("text", ["a/b", "a b", "-a", ".", "a%2f", "a:predict", "é", "a" * 129, "a\n"])
def test_what_is_no_name_is_refused(text: str):
    assert "expected a name" in str(refusal(environ={"LADING_SERVED_NAME": text}))
