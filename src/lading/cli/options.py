"""Options that several verbs share, each derived from the table or the struct that it fills."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from lading.settings import SETTINGS, Setting

Decorated = Callable[..., Any]

model_argument = click.argument("model", type=click.Path(path_type=Path))
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
trust_option = click.option(
    "--trust", type=click.Path(path_type=Path), help="Folder of the keys that are trusted [default: of this user]"
)
ignore_versions_option = click.option(
    "--ignore-versions", is_flag=True, help="Load although a library has another version than the model was saved with."
)


_config = click.option("--config", type=click.Path(path_type=Path), help="lading.toml [default: beside the model]")


def settings_options(fn: Decorated) -> Decorated:
    """An option for each setting of the table."""
    for setting in reversed(SETTINGS):
        fn = _option(setting)(fn)
    return _config(fn)


def _option(setting: Setting) -> Callable[[Decorated], Decorated]:
    flag = f"--{setting.name.replace('_', '-')}"
    sentence = f"{setting.sentence} [default: {_shown(setting.default)}]"
    if setting.default is True:
        return click.option(f"{flag}/--no-{flag[2:]}", setting.name, default=None, help=setting.sentence)
    if isinstance(setting.default, bool):
        return click.option(flag, setting.name, is_flag=True, default=None, help=setting.sentence)
    kind = click.Choice(setting.choices) if setting.choices else type(setting.default)
    return click.option(flag, setting.name, type=kind, default=None, help=sentence)


def _shown(default: object) -> str:
    return f"{default:g}" if isinstance(default, float) else str(default) or "none"


class Sectioned(click.Command):
    """A command whose help shows its options in sections: those of the table, and the model's own behind them.

    Attributes:
        sections: of options, by what they are called where they arrive; others stand under `Options`.
    """

    @property
    def sections(self) -> Mapping[str, str]:
        """See the class."""
        return _SECTIONS

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write them."""
        sections: dict[str, list[tuple[str, str]]] = {}
        options = [parameter for parameter in self.get_params(ctx) if isinstance(parameter, click.Option)]
        for option in options:
            if (record := option.get_help_record(ctx)) is not None:
                sections.setdefault(self.sections.get(option.name or "", "Options"), []).append(record)
        for section, records in sections.items():
            with formatter.section(section):
                formatter.write_dl(records)


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
    click.option("--output", metavar="NAME", help="Name of the answer, alone in its object [default: prediction]"),
    click.option("--route", metavar="PATH", help="Where predictions are asked for [default: /predict]"),
    click.option("--input-names", metavar="NAME,NAME", help="Names of the columns, of which the model knows none"),
    click.option(
        "--code",
        multiple=True,
        type=click.Path(),
        help="Notebook or Python file with what the model needs, or with preprocess and postprocess; repeatable",
    ),
    click.option("--image", metavar="WIDTHxHEIGHT", help="The columns are the pixels of an image, which is sent"),
    click.option("--gray", is_flag=True, help="Of the image: one number a pixel, not red, green and blue"),
    click.option("--invert", is_flag=True, help="Of the image: dark is light, as for ink on paper"),
    click.option("--scale", metavar="MIN..MAX", help="Of the image: what black and white become [default: 0..255]"),
    click.option(
        "--file", "files", multiple=True, type=click.Path(), help="File that a model of Python reads; repeatable"
    ),
)


DECLARED_NAMES = (
    *("name", "version", "labels", "domain", "output_range", "output", "route", "input_names", "code", "files"),
    *("image", "gray", "invert", "scale"),
)
"""What these options are called where they arrive."""

_SECTIONS: Mapping[str, str] = {setting.name: setting.section for setting in SETTINGS} | dict.fromkeys(
    [*DECLARED_NAMES, "ignore_versions"], "Model"
)
"""Of options, by what they are called where they arrive."""
