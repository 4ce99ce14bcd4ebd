"""The command line: one verb a module, loaded when it is used."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from lading import __version__

# Verbs by section, in the order in which a newcomer needs them, with the module that holds each.
_SECTIONS = {
    "Start here": {
        "serve": "Serve a model over HTTP",
        "predict": "Predict from the command line",
        "pack": "Pack a model with its schema and golden rows into a bundle",
        "inspect": "Show what a model takes and gives",
        "demo": "Serve a tiny model that needs no file",
    },
    "Ship": {
        "check": "Check a bundle, or whether a running service does what its schema says",
        "sign": "Sign a bundle",
        "verify": "Verify a bundle's signature by the keys that are trusted",
        "keygen": "Make a pair of keys to sign with",
        "trust": "Say whose signatures are trusted: add, list, revoke",
        "fetch": "Fetch a bundle and its signature from a store, and verify them",
        "image": "Build a container image that serves a signed bundle",
        "ship": "Write what runs a signed bundle: docker, compose, systemd, kubernetes, kserve, seldon",
    },
    "Run": {
        "keys": "API keys of callers: create, list, revoke",
        "users": "Users with passwords: add, list, remove, password",
        "ready": "Say whether the server on this machine is ready",
        "reload": "Let a running server load its model, code and settings anew",
    },
    "Help": {"doctor": "Say what is installed, what a model needs, and what mends it"},
}


class _Verbs(click.Group):
    """A group whose verbs are imported only when they are called; the help is a table that needs none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [verb for verbs in _SECTIONS.values() for verb in verbs]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = import_module(f"lading.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for section, verbs in _SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl(list(verbs.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            from lading.schema.problems import suggest

            meant = suggest(args[0], self.list_commands(ctx))
            ctx.fail(f"there is no verb `{args[0]}`" + (f"; did you mean `{meant}`?" if meant else ""))


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "-V", "--version", message="lading %(version)s")
def cli() -> None:
    """Your trained model, as a production service: one command, no code.

    \b
      lading serve model.joblib
      lading pack model.joblib --data train.csv --target species
    """


def main() -> None:
    """Run the command line; every error is one line and an exit code."""
    from lading.cli.failure import exit_code

    sys.exit(exit_code(lambda: cli(standalone_mode=False)))
