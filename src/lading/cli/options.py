"""Options that several verbs share, each derived from the table or the struct that it fills."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from lading.bundle.declared import Declared, DeclaredInput, parse_domain
from lading.errors import SettingsError
from lading.settings import CONFIG_NAME, SETTINGS, Setting, Settings, load_settings, read_config

Decorated = Callable[..., Any]

model_argument = click.argument("model", type=click.Path(path_type=Path))
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
ignore_versions_option = click.option(
    "--ignore-versions", is_flag=True, help="Load although a library has another version than the model was saved with."
)


def settings_options(fn: Decorated) -> Decorated:
    """An option for each setting of the table."""
    for setting in reversed(SETTINGS):
        fn = _option(setting)(fn)
    return click.option("--config", type=click.Path(path_type=Path), help="lading.toml [default: beside the model]")(fn)


def _option(setting: Setting) -> Callable[[Decorated], Decorated]:
    flag = f"--{setting.name.replace('_', '-')}"
    sentence = f"{setting.sentence} [default: {_shown(setting.default)}]"
    if isinstance(setting.default, bool):
        return click.option(flag, setting.name, is_flag=True, default=None, help=setting.sentence)
    kind = click.Choice(setting.choices) if setting.choices else type(setting.default)
    return click.option(flag, setting.name, type=kind, default=None, help=sentence)


def _shown(default: object) -> str:
    return f"{default:g}" if isinstance(default, float) else str(default)


def settings_from(options: dict[str, Any], config: Path | None, folder: Path) -> Settings:
    """The settings that these options, the environment and the table `[serve]` say, of a file or of one in a folder."""
    table = read_config(config, is_required=True) if config else read_config(folder / CONFIG_NAME)
    table = table.get("serve", {})
    if not isinstance(table, dict):
        raise SettingsError("`serve` in lading.toml is a table of settings")
    return load_settings(options, table)


def declared_options(fn: Decorated) -> Decorated:
    """Options for what an author declares about a model."""
    for option in reversed(_DECLARED_OPTIONS):
        fn = option(fn)
    return fn


_DECLARED_OPTIONS = (
    click.option("--name", help="Name of the model [default: of its file]"),
    click.option("--version", help="Version of the model [default: 1.0.0 in a bundle]"),
    click.option(
        "--labels", help="What to answer in place of the classes, in their order: Setosa,VersiColor,Virginica"
    ),
    click.option("--domain", multiple=True, help="Refuse what is outside: feature1=0,1 or age=0..120; repeatable"),
    click.option("--output-range", metavar="MIN..MAX", help="Never answer a number outside"),
)


def declared_from(
    *,
    name: str | None,
    version: str | None,
    labels: str | None,
    domain: tuple[str, ...],
    output_range: str | None,
    target: str | None = None,
) -> Declared:
    """What the options declare."""
    if name == "" or version == "":
        raise SettingsError("a name and a version are not empty")
    inputs: dict[str, DeclaredInput] = dict(parse_domain(text) for text in domain)
    return Declared(
        name=name,
        version=version,
        target=tuple(part.strip() for part in target.split(",")) if target else (),
        labels=tuple(part.strip() for part in labels.split(",")) if labels else (),
        output_range=_range(output_range) if output_range else None,
        inputs=inputs,
    )


def _range(text: str) -> tuple[float, float]:
    low, dots, high = text.partition("..")
    try:
        if not dots:
            raise ValueError
        return float(low), float(high)
    except ValueError:
        raise SettingsError("an output range is MIN..MAX", hint="--output-range 0..100") from None
