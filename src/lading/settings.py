"""The one table of settings, and the only reader of the environment.

A setting is said on the command line, else in the environment (`LADING_PORT`), else in the table `[serve]` of
`lading.toml`, else it has its default. Options, checks and the reference page derive from the table.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import tomllib
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec

from lading.errors import SettingsError

LogFormat = Literal["auto", "text", "json"]
Network = IPv4Network | IPv6Network

PREFIX = "LADING_"
TESTS_PREFIX = "LADING_TEST_"  # what the tests are told is no setting
CONFIG_NAME = "lading.toml"


class Setting(msgspec.Struct, frozen=True):
    """One setting: its default says its type, its unit stands in its name."""

    name: str
    default: bool | int | float | str
    sentence: str
    minimum: float | None = None
    choices: tuple[str, ...] = ()
    is_networks: bool = False
    is_secret: bool = False


SETTINGS: tuple[Setting, ...] = (
    Setting("host", "127.0.0.1", "Address to listen on; another than loopback needs --insecure."),
    Setting("port", 8000, "Port to listen on; 0 takes a free one.", minimum=0),
    Setting("insecure", False, "Listen on another address than loopback without authentication."),
    Setting("workers", 1, "Processes that answer, sharing the model's memory; 1 does without a supervisor.", minimum=1),
    Setting("threads", 1, "Threads that the libraries of a model may use in each process.", minimum=1),
    Setting("reload", False, "In development: load the model anew when its file, or Python code beside it, changes."),
    Setting("log_format", "auto", "Log lines: text on a terminal, JSON elsewhere.", choices=get_args(LogFormat)),
    Setting("max_body_bytes", 8 << 20, "Bytes that a request's body may have.", minimum=1),
    Setting("max_rows", 10_000, "Rows that one request may have.", minimum=1),
    Setting("max_cells", 5_000_000, "Cells, rows times columns, that one request may have.", minimum=1),
    Setting(
        "max_image_pixels", 40_000_000, "Pixels that the images of one request may have together, as sent.", minimum=1
    ),
    Setting("max_batch_rows", 1024, "Rows that go through the model together.", minimum=1),
    Setting("max_queue_rows", 20_000, "Rows that may wait for the model; more are refused with 503.", minimum=1),
    Setting(
        "request_timeout_s",
        10.0,
        "Seconds after which a request that is not answered gets 504.",
        minimum=0.001,
    ),
    Setting("body_timeout_s", 60.0, "Seconds that a body may take to arrive, however large.", minimum=0.001),
    Setting("lane", True, "Answer plain prediction requests inside the server protocol; off, all go through ASGI."),
    Setting("max_head_bytes", 16 << 10, "Bytes that the head of a request may have.", minimum=256),
    Setting("header_timeout_s", 5.0, "Seconds that the head of a request may take to arrive.", minimum=0.001),
    Setting("inline_s", 0.002, "A model whose batch takes longer than this runs in a thread.", minimum=0),
    Setting("keep_alive_s", 15.0, "Seconds that an idle connection is kept.", minimum=0),
    Setting("max_connections", 1000, "Connections that a process holds; more are refused with 503.", minimum=1),
    Setting("max_connections_per_address", 100, "Connections that it holds from one address.", minimum=1),
    Setting(
        "features_url",
        "",
        "Where features are looked up: sqlite:///, postgresql:// or redis://, or two of them with a space between.",
        is_secret=True,
    ),
    Setting("features_timeout_s", 1.0, "Seconds that a request may wait for features.", minimum=0.001),
    Setting("features_cache_rows", 100_000, "Keys of each lookup that a process remembers.", minimum=1),
    Setting(
        "trusted_hops",
        "",
        "Proxies in front, which both limits spare: addresses and networks, as 10.0.0.0/8,192.168.1.7.",
        is_networks=True,
    ),
    Setting(
        "drain_s",
        5.0,
        "Seconds after SIGTERM in which callers are still answered, and told to go elsewhere.",
        minimum=0,
    ),
    Setting("shutdown_s", 30.0, "Seconds that requests in flight may take after a signal to stop.", minimum=0),
    Setting("start_timeout_s", 600.0, "Seconds that a model may take to load and answer its golden rows.", minimum=1),
    Setting("stuck_s", 30.0, "A worker whose model does not return for so many seconds is replaced.", minimum=1),
)
"""Every setting of the server."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one server; `SETTINGS` says what each means."""

    host: str = "127.0.0.1"
    port: int = 8000
    insecure: bool = False
    workers: int = 1
    threads: int = 1
    reload: bool = False
    log_format: LogFormat = "auto"
    max_body_bytes: int = 8 << 20
    max_rows: int = 10_000
    max_cells: int = 5_000_000
    max_image_pixels: int = 40_000_000
    max_batch_rows: int = 1024
    max_queue_rows: int = 20_000
    request_timeout_s: float = 10.0
    body_timeout_s: float = 60.0
    lane: bool = True
    max_head_bytes: int = 16 << 10
    header_timeout_s: float = 5.0
    inline_s: float = 0.002
    keep_alive_s: float = 15.0
    max_connections: int = 1000
    max_connections_per_address: int = 100
    features_url: str = ""
    features_timeout_s: float = 1.0
    features_cache_rows: int = 100_000
    trusted_hops: str = ""
    drain_s: float = 5.0
    shutdown_s: float = 30.0
    start_timeout_s: float = 600.0
    stuck_s: float = 30.0

    def __repr__(self) -> str:
        said = {name: getattr(self, name) for name in self.__struct_fields__}
        said |= {setting.name: "…" for setting in SETTINGS if setting.is_secret and said[setting.name]}
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in said.items())})"

    @property
    def is_supervised(self) -> bool:
        """Whether a supervisor starts processes that serve, instead of one process that does all."""
        return self.workers > 1 or self.reload


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
        values[name] = _checked(name, value, f"`{name}` in {CONFIG_NAME}")
    for variable, text in _variables(os.environ if environ is None else environ):
        name = variable.removeprefix(PREFIX).lower()
        values[name] = _checked(name, text, variable, is_text=True)
    for name, value in (options or {}).items():
        if value is not None:
            values[name] = _checked(name, value, f"--{name.replace('_', '-')}")
    settings = Settings(**values)
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
        raise SettingsError(f"{where} is not a setting", hint=_nearest(name))
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
    if setting.is_networks:
        _check_networks(str(checked), where)
    return checked


def _check_networks(text: str, where: str) -> None:
    try:
        networks(text)
    except ValueError:
        raise SettingsError(
            f"{where}: expected addresses and networks, as 10.0.0.0/8,192.168.1.7",
            hint="a network is named by its first address",
        ) from None


def networks(text: str) -> tuple[Network, ...]:
    """The networks that a text such as `10.0.0.0/8,192.168.1.7` names; an address is a network of one.

    Raises:
        ValueError: it names something else.
    """
    return tuple(ip_network(part.strip()) for part in text.split(",")) if text else ()


def _nearest(name: str) -> str:
    import difflib

    names = [setting.name for setting in SETTINGS]
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean `{near[0]}`?" if near else f"known: {', '.join(names)}"


def _kind_name(kind: type) -> str:
    return {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}[kind]


def _refuse_open_host(settings: Settings) -> None:
    if not settings.insecure and not is_loopback(settings.host):
        raise SettingsError(
            f"{settings.host} can be reached from elsewhere, and nobody would be asked for a key",
            hint="keep 127.0.0.1 behind a proxy that asks, or say --insecure",
        )


def is_loopback(host: str) -> bool:
    """Whether the address is reached from this machine only."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:  # another name, which may mean any address
        return False


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


def packing_time() -> int:
    """Seconds since 1970 that a bundle is dated with: `SOURCE_DATE_EPOCH` where it is set.

    See https://reproducible-builds.org/specs/source-date-epoch/.
    """
    text = os.environ.get("SOURCE_DATE_EPOCH")
    if text is None:
        return int(time.time())
    if not text.isdecimal() or len(text) > 12 or int(text) > 253_402_300_799:
        raise SettingsError("SOURCE_DATE_EPOCH: expected whole seconds since 1970")
    return int(text)


_THREAD_LIMITS = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS"),
    *("VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS"),
)


def bound_threads(threads: int) -> None:
    """Tell numeric libraries that are loaded later, here and in child processes, how many threads they may use.

    They read it once, when they are loaded: so this comes before any of them. What is set already stays.
    """
    for name in _THREAD_LIMITS:
        os.environ.setdefault(name, str(threads))


def refuse_telemetry() -> None:
    """Tell onnxruntime, before it is loaded, to report nothing about its use to its makers, and to keep no id for that.

    Official builds for Linux and macOS do so since 2026: https://github.com/microsoft/onnxruntime/pull/27379. Their
    thread that uploads does not survive a fork either: workers would abort when they end.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"


def runtime_folder() -> Path:
    """Where this user's running processes meet: `XDG_RUNTIME_DIR`, else a folder of their own among temporary files.

    See https://specifications.freedesktop.org/basedir-spec/latest/.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return Path(runtime) / "lading" if runtime else Path(tempfile.gettempdir()) / f"lading-{os.getuid()}"


def wants_color() -> bool:
    """Whether to color words on stderr: a terminal, and `NO_COLOR` (https://no-color.org) is not set."""
    return not os.environ.get("NO_COLOR") and sys.stderr.isatty()
