"""Settings from the command line, the environment, and `lading.toml`: each checked as its row in the table says."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from lading.errors import SettingsError
from lading.settings.table import LIMITS, SETTINGS, Form, Limits, Setting, Settings
from lading.settings.values import is_loopback, networks, origins, path, path_name, rate, words

PREFIX = "LADING_"
TESTS_PREFIX = "LADING_TEST_"  # what the tests are told is no setting
CONFIG_NAME = "lading.toml"
_TABLES = {"models": "[serve.models.NAME]", "routes": '[serve.routes."/PATH"]'}
"""In the table `[serve]`: limits of one model or of one route each, which cannot be said elsewhere."""

_FORMS: dict[Form, tuple[Callable[[str], object], str, str | None]] = {
    "networks": (
        networks,
        "addresses and networks, as 10.0.0.0/8,192.168.1.7",
        "a network is named by its first address",
    ),
    "rate": (rate, "a rate, as 100/s, 1000/m or 5000/h", None),
    "origins": (origins, "where pages are, as https://app.example.com", "an origin has a scheme, and no path"),
    "path": (path, "a path, as /models/iris", "it begins with a slash, and ends without one"),
    "name": (path_name, "a name, as iris-1", "letters, digits, and . _ - between them"),
}
"""What reads each form, or raises a `ValueError`; what is told then, and a hint."""


def load_settings(
    options: Mapping[str, Any] | None = None,
    table: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """The settings from options, environment and the table `[serve]`, in this order.

    Args:
        options: from the command line; None is not said.
        table: of `lading.toml`.
        environ: in place of the process's own.

    Raises:
        SettingsError: a name is unknown or a value is wrong; says where it stands and what was expected.
    """
    values: dict[str, Any] = {}
    for name, value in (table or {}).items():
        if name in _TABLES:
            values[name] = _checked_limits(name, value)
        else:
            values[name] = _checked(name, value, f"`{name}` in {CONFIG_NAME}")
    for variable, text in _variables(os.environ if environ is None else environ):
        name = variable.removeprefix(PREFIX).lower()
        values[name] = _checked(name, text, variable, is_text=True)
    for name, value in (options or {}).items():
        if value is not None:
            values[name] = _checked(name, value, f"--{name.replace('_', '-')}")
    settings = Settings(**values)
    if "auth" in values and not words(settings.auth) and not settings.production:
        # Production says more; elsewhere a variable that was forgotten to be filled must not open the service.
        raise SettingsError("--auth is said, and empty: nobody would be asked", hint="--auth keys, or leave it out")
    _refuse_open_host(settings)
    if settings.is_supervised and not hasattr(os, "fork"):
        raise SettingsError("this platform cannot fork, so one process has to do all", hint="--workers 1")
    return settings


def find_settings(options: Mapping[str, Any], config: Path | None, folder: Path) -> Settings:
    """The settings that these options, the environment and the table `[serve]` say, of a file or of one in a folder.

    Raises:
        SettingsError: as `load_settings`.
    """
    table = read_config(config, is_required=True) if config else read_config(folder / CONFIG_NAME)
    table = table.get("serve", {})
    if not isinstance(table, dict):
        raise SettingsError(f"`serve` in {CONFIG_NAME} is a table of settings")
    return load_settings(options, table)


def _variables(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    ours = ((name, value) for name, value in environ.items() if name.startswith(PREFIX))
    return sorted((name, value) for name, value in ours if not name.startswith(TESTS_PREFIX))


def _checked(name: str, value: Any, where: str, *, is_text: bool = False) -> Any:
    setting = next((setting for setting in SETTINGS if setting.name == name), None)
    if setting is None:
        raise SettingsError(f"{where} is not a setting", hint=_nearest(name, [setting.name for setting in SETTINGS]))
    kind = type(setting.default)
    try:
        # Texts of the environment are read for what they stand for; elsewhere types are exact.
        checked = msgspec.convert(value, kind, strict=not is_text)
    except msgspec.ValidationError:
        raise SettingsError(f"{where}: expected {_kind_name(kind)}") from None
    if setting.choices and checked not in setting.choices:
        raise SettingsError(f"{where}: expected one of {', '.join(setting.choices)}")
    if setting.minimum is not None and not float(setting.minimum) <= float(checked) < float("inf"):
        raise SettingsError(f"{where}: expected at least {setting.minimum:g}")
    _check_form(setting, str(checked), where)
    return checked


def _checked_limits(kind: str, tables: object) -> dict[str, Limits]:
    """The limits of each model, or of each route."""
    if not isinstance(tables, dict) or not all(isinstance(limits, dict) for limits in tables.values()):
        raise SettingsError(f"`{kind}` in {CONFIG_NAME} has a table of limits for each", hint=_TABLES[kind])
    if kind == "routes" and not all(path.startswith("/") for path in tables):
        raise SettingsError(f"`{kind}` in {CONFIG_NAME}: expected paths, as /predict", hint=_TABLES[kind])
    return {name: _checked_each(limits, f"`{kind}.{name}` of {CONFIG_NAME}") for name, limits in tables.items()}


def _checked_each(limits: dict[str, Any], where: str) -> Limits:
    for name in limits:
        if name not in LIMITS:
            raise SettingsError(f"`{name}` in {where} is not a limit", hint=_nearest(name, LIMITS))
    return {name: _checked(name, value, f"`{name}` in {where}") for name, value in limits.items()}


def _check_form(setting: Setting, text: str, where: str) -> None:
    if not setting.form:
        return
    read, expected, hint = _FORMS[setting.form]
    try:
        read(text)
    except ValueError:
        raise SettingsError(f"{where}: expected {expected}", hint=hint) from None


def _nearest(name: str, names: Sequence[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean `{near[0]}`?" if near else f"known: {', '.join(names)}"


def _kind_name(kind: type) -> str:
    return {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}[kind]


def _refuse_open_host(settings: Settings) -> None:
    if settings.unix_socket or settings.production or settings.insecure or is_loopback(settings.host):
        return
    raise SettingsError(
        f"{settings.host} can be reached from elsewhere: that needs --production, with a signed bundle and --auth",
        hint="keep 127.0.0.1 behind a proxy that asks, or say --insecure",
    )


def read_config(path: Path, *, is_required: bool = False) -> dict[str, Any]:
    """The tables of a `lading.toml`; none where there is no such file, unless it `is_required`.

    Raises:
        SettingsError: the file cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if is_required:
            raise SettingsError(f"there is no file {path}") from None
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot read {path}: {type(error).__name__}") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not TOML: {error}") from None
