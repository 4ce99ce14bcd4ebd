"""`lading users`."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from lading.access.passwords.hashing import MAX_BYTES
from lading.access.passwords.users import add_user, change_password, read_users, remove_user, users_path
from lading.access.scopes import USUAL
from lading.cli.callers import in_words, now, scopes_option, settings_with, table
from lading.cli.options import json_option
from lading.errors import UsageError
from lading.schema.words import printable

_file_option = click.option(
    "--users-file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Where the users are [default: the setting users_file, else users.json in the user's configuration]",
)


@click.group("users")
def command() -> None:
    """Users with passwords: add, list, remove, password.

    \b
      lading users add alice
      lading serve model.joblib --auth basic
    """


@command.command("add")
@click.argument("name")
@scopes_option
@_file_option
def add(name: str, scopes: tuple[str, ...], users_file: Path | None) -> None:
    """Add a user. The password is asked for; without a terminal it is one line of stdin.

    \b
      lading users add alice
      printf '%s' "$PASSWORD" | lading users add alice --scope predict:iris
    """
    path = _path(users_file)
    user = add_user(path, name, _password(), now(), scopes=scopes or USUAL)
    click.echo(f"  user      {user.name}", err=True)
    click.echo(f"  may       {', '.join(user.scopes)}", err=True)
    click.echo(f"  wrote     {printable(str(path))}   a hash of the password, by argon2id", err=True)


@command.command("list")
@_file_option
@json_option
def list_(users_file: Path | None, as_json: bool) -> None:
    """Show the users, and what they may do."""
    users = read_users(_path(users_file))
    if as_json:
        told = [{"name": user.name, "scopes": user.scopes, "created": in_words(user.created)} for user in users]
        click.echo(msgspec.json.encode(told))
        return
    rows = [(user.name, ", ".join(user.scopes), in_words(user.created)) for user in users]
    click.echo(table(("NAME", "SCOPES", "CREATED"), rows))


@command.command("remove")
@click.argument("name")
@_file_option
def remove(name: str, users_file: Path | None) -> None:
    """Remove a user. Running servers refuse them within two seconds."""
    user = remove_user(_path(users_file), name)
    click.echo(f"  removed   {user.name}", err=True)


@command.command("password")
@click.argument("name")
@_file_option
def password(name: str, users_file: Path | None) -> None:
    """Give a user another password. Running servers refuse the old one within two seconds."""
    user = change_password(_path(users_file), name, _password())
    click.echo(f"  changed   the password of {user.name}", err=True)


def _path(users_file: Path | None) -> Path:
    return users_path(settings_with(users_file=users_file).users_file)


def _password() -> str:
    """What is typed twice on a terminal, without being shown; elsewhere the first line of stdin."""
    if sys.stdin.isatty():
        asked: str = click.prompt("password", hide_input=True, confirmation_prompt="and again", err=True)
        return asked
    # Read a bit further than it may go: what is too long is refused by whoever looks at it.
    line = sys.stdin.buffer.readline(2 * MAX_BYTES)
    try:
        text = line.decode()
    except UnicodeDecodeError:
        raise UsageError("the password on stdin is not UTF-8") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise UsageError("there is no password on stdin", hint="printf '%s' \"$PASSWORD\" | lading users …")
    return text
