"""What else the environment says, and what is said in it to libraries."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from lading.errors import SettingsError
from lading.settings.reading import PREFIX


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


def config_folder() -> Path:
    """Where this user keeps what Lading is told once: keys, users, trust; `lading` in `XDG_CONFIG_HOME`, or ~/.config.

    See https://specifications.freedesktop.org/basedir-spec/latest/.

    Raises:
        SettingsError: the user has no home.
    """
    if configuration := os.environ.get("XDG_CONFIG_HOME"):
        return Path(configuration) / "lading"
    try:
        return Path.home() / ".config" / "lading"
    except RuntimeError:
        hint = "say where the file is, or set XDG_CONFIG_HOME"
        raise SettingsError("this user has no home, in which keys would be", hint=hint) from None


def without_settings() -> dict[str, str]:
    """The environment of this process without settings: for one that is started with none but those it is given."""
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}


def wants_color() -> bool:
    """Whether to color words on stderr: a terminal, and `NO_COLOR` (https://no-color.org) is not set."""
    return not os.environ.get("NO_COLOR") and sys.stderr.isatty()
