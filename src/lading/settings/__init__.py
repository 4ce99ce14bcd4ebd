"""Settings, and the only reader of the environment.

A setting is said on the command line, else in the environment (`LADING_PORT`), else in the table `[serve]` of
`lading.toml`, else it has its default. Options, checks and the reference page derive from the table.
"""

from lading.settings.environment import (
    bound_threads,
    config_folder,
    packing_time,
    refuse_telemetry,
    runtime_folder,
    wants_color,
    without_settings,
)
from lading.settings.reading import CONFIG_NAME, PREFIX, find_settings, load_settings, read_config
from lading.settings.table import LIMITS, SETTINGS, LogFormat, Setting, Settings
from lading.settings.values import Network, Rate, is_loopback, networks, rate, words

__all__ = [
    "CONFIG_NAME",
    "LIMITS",
    "PREFIX",
    "SETTINGS",
    "LogFormat",
    "Network",
    "Rate",
    "Setting",
    "Settings",
    "bound_threads",
    "config_folder",
    "find_settings",
    "is_loopback",
    "load_settings",
    "networks",
    "packing_time",
    "rate",
    "read_config",
    "refuse_telemetry",
    "runtime_folder",
    "wants_color",
    "without_settings",
    "words",
]
