"""`lading keys`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import msgspec

from lading.access.keys.file import Key, create_key, keys_path, read_keys, revoke_key
from lading.access.scopes import USUAL
from lading.cli.callers import in_words, now, scopes_option, settings_with, table
from lading.cli.options import json_option
from lading.errors import UsageError
from lading.schema.words import printable

_SPAN = re.compile(r"([1-9][0-9]{0,5})([dhm])")
_UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1)}
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

_file_option = click.option(
    "--keys-file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Where the keys are [default: the setting keys_file, else keys.json in the user's configuration]",
)


@click.group("keys")
def command() -> None:
    """API keys of callers: create, list, revoke.

    \b
      lading keys create web-shop
      lading serve model.joblib --auth keys
    """


@command.command("create")
@click.argument("name")
@scopes_option
@click.option("--expires", metavar="SPAN|DATE", help="When it ends: 90d, 12h, 30m, or 2030-01-31 [default: never]")
@click.option("--rate", metavar="RATE", default="", help="How often it may be used: 100/s, 1000/m or 5000/h")
@_file_option
@json_option
def create(
    name: str, scopes: tuple[str, ...], expires: str | None, rate: str, keys_file: Path | None, as_json: bool
) -> None:
    """Make a key for NAME. It alone goes to stdout, and is shown this once.

    \b
      lading keys create web-shop
      lading keys create web-shop --scope predict:iris --expires 90d --rate 100/s
    """
    path, made = _path(keys_file), now()
    end = None if expires is None else _end(expires, made)
    key, text = create_key(path, name, made, scopes=scopes or USUAL, expires=end, rate=rate)
    if as_json:
        click.echo(msgspec.json.encode(_told(key) | {"key": text, "keys_file": str(path)}))
        return
    click.echo(text)
    ends = f"until {in_words(key.expires)}" if key.expires else "until it is revoked"
    how_often = f", {key.rate} at most" if key.rate else ""
    click.echo(f"  key       {key.id} of {key.name}, {ends}{how_often}", err=True)
    click.echo(f"  may       {', '.join(key.scopes)}", err=True)
    click.echo(f"  wrote     {printable(str(path))}   its SHA-256: the key itself is shown this once", err=True)
    click.echo('next: lading serve MODEL --auth keys; callers send "Authorization: Bearer $KEY"', err=True)


@command.command("list")
@_file_option
@json_option
def list_(keys_file: Path | None, as_json: bool) -> None:
    """Show whose keys there are, what for, and whether they are good."""
    told = [_told(key) for key in read_keys(_path(keys_file))]
    if as_json:
        click.echo(msgspec.json.encode(told))
        return
    heads = ("id", "name", "state", "scopes", "created", "expires", "rate")
    rows = [[(each | {"scopes": ", ".join(each["scopes"])})[head] for head in heads] for each in told]
    click.echo(table([head.upper() for head in heads], rows))


@command.command("revoke")
@click.argument("key", metavar="ID|NAME|KEY")
@_file_option
def revoke(key: str, keys_file: Path | None) -> None:
    """Take a key away. Running servers refuse it within two seconds, and the tokens that it got.

    Of a key that has leaked, the key itself says which it is.

    \b
      lading keys revoke web-shop
      lading keys revoke lk_3f9a2c41_…
    """
    revoked = revoke_key(_path(keys_file), key, now())
    since = in_words(revoked.revoked or now())
    click.echo(f"  revoked   {revoked.id} of {revoked.name}, {since}", err=True)


def _path(keys_file: Path | None) -> Path:
    return keys_path(settings_with(keys_file=keys_file).keys_file)


def _end(text: str, begin: datetime) -> datetime:
    """When something ends that begins now: after a span, or when a day begins, in UTC."""
    try:
        if span := _SPAN.fullmatch(text):
            return begin + int(span[1]) * _UNITS[span[2]]
        if _DAY.fullmatch(text):
            return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:  # there is no such day
        pass
    raise UsageError("--expires: expected a span as 90d, 12h or 30m, or a day as 2030-01-31")


def _told(key: Key) -> dict[str, Any]:
    """What is told of a key: all but its digest."""
    return {
        "id": key.id,
        "name": key.name,
        "state": key.state(now().timestamp()),
        "scopes": key.scopes,
        "created": in_words(key.created),
        "expires": in_words(key.expires) if key.expires else None,
        "revoked": in_words(key.revoked) if key.revoked else None,
        "rate": key.rate or None,
    }
