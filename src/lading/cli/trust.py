"""`lading trust`."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from lading.cli.options import json_option, trust_option
from lading.errors import UsageError

if TYPE_CHECKING:
    from lading.bundle.signing.entry import Entry

_DATE = click.DateTime(["%Y-%m-%d"])


@click.group("trust")
def command() -> None:
    """Say whose signatures are trusted: add, list, revoke.

    A key that is trusted is a file in a folder; with --production, nothing is served but what one of them has signed.
    """


@command.command("add")
@click.argument("key", type=click.Path(path_type=Path))
@click.option("--model", "models", multiple=True, metavar="NAME", help="Only for this model; repeatable.")
@click.option("--code/--no-code", default=None, help="For programs too: pickles and Python, which run when opened.")
@click.option("--not-before", type=_DATE, metavar="DATE", help="From this day on, UTC: 2027-01-01.")
@click.option("--not-after", type=_DATE, metavar="DATE", help="Until the end of this day, UTC: 2027-12-31.")
@click.option(
    "--minimum-version",
    "minimums",
    multiple=True,
    metavar="MODEL=VERSION",
    help="Refuse earlier versions of a model, however well they are signed; repeatable.",
)
@trust_option
def add(
    key: Path,
    models: Sequence[str],
    code: bool | None,
    not_before: datetime | None,
    not_after: datetime | None,
    minimums: Sequence[str],
    trust: Path | None,
) -> None:
    """Trust a public key. Of one that is trusted already, what is said is changed, and the rest stays.

    \b
      lading trust add signing.pub
      lading trust add signing.pub --model iris --not-after 2027-12-31
    """
    from lading.bundle.signing.keys import PublicKey, short
    from lading.bundle.signing.trust import TrustStore

    change = _change(models, code, not_before, _end(not_after), _versions(minimums))
    path, entry = TrustStore.read(trust or "").add(PublicKey.read(key), change)
    click.echo(f"  trusted   key {short(entry.key_id)}   {entry.words}", err=True)
    click.echo(f"  wrote     {path}", err=True)
    more = f" --trust {shlex.quote(str(trust))}" if trust else ""
    click.echo(f"next: lading serve BUNDLE --production --auth keys{more}", err=True)


@command.command("list")
@trust_option
@json_option
def list_entries(trust: Path | None, as_json: bool) -> None:
    """Show the keys, for what they are trusted, and whether they are now: good, not yet, expired, revoked."""
    from lading.bundle.signing.keys import short
    from lading.bundle.signing.trust import TrustStore

    store = TrustStore.read(trust or "")
    states = [(entry, entry.state(store.now())) for entry in store.entries.values()]
    if as_json:
        click.echo(msgspec.json.encode([msgspec.to_builtins(entry) | {"state": state} for entry, state in states]))
        return
    for entry, state in states:
        click.echo(f"{short(entry.key_id)}   {state:<7}   {entry.words}")
    if not states:
        click.echo(f"no key is trusted: {store.in_words}", err=True)


@command.command("revoke")
@click.argument("key_id")
@trust_option
def revoke(key_id: str, trust: Path | None) -> None:
    """Trust a key no more, whatever it has signed. KEY_ID may be the beginning of its id."""
    from lading.bundle.signing.keys import short
    from lading.bundle.signing.trust import TrustStore

    entry = TrustStore.read(trust or "").revoke(key_id)
    click.echo(f"  revoked   key {short(entry.key_id)}   {entry.words}", err=True)
    # A reload alone would be refused, as the bundle is not trusted any more, and what is served goes on.
    click.echo("  running   servers of what it has signed go on until they are stopped,", err=True)
    click.echo("            or reloaded with a bundle that another key has signed", err=True)


def _change(
    models: Sequence[str],
    code: bool | None,
    not_before: datetime | None,
    not_after: datetime | None,
    versions: dict[str, str],
) -> Callable[[Entry], Entry]:
    def change(entry: Entry) -> Entry:
        return msgspec.structs.replace(
            entry,
            models=tuple(dict.fromkeys([*entry.models, *models])),
            code=entry.code if code is None else code,
            not_before=entry.not_before if not_before is None else not_before.replace(tzinfo=UTC),
            not_after=entry.not_after if not_after is None else not_after,
            minimum_versions=entry.minimum_versions | versions,
        )

    return change


def _end(day: datetime | None) -> datetime | None:
    """When a day ends, in UTC."""
    if day is None:
        return None
    end = datetime.combine(day, time(23, 59, 59), UTC)
    if end < datetime.now(UTC):
        hint = "a day to come, as 2030-12-31; to trust a key no more: lading trust revoke KEY_ID"
        raise UsageError(f"--not-after {day:%Y-%m-%d} is past", hint=hint)
    return end


def _versions(texts: Sequence[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    if not all(name and version for name, _, version in pairs):
        raise UsageError("a minimum version is MODEL=VERSION", hint="--minimum-version iris=1.2.0")
    return {name: version for name, _, version in pairs}
