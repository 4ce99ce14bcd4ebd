"""`lading keygen`."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
import msgspec

from lading.cli.options import json_option
from lading.errors import UsageError


@click.command("keygen")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="Where to write it [default: signing.key of this user]"
)
@click.option("--passphrase", is_flag=True, help="Encrypt it with a passphrase, which is asked for.")
@json_option
def command(out: Path | None, passphrase: bool, as_json: bool) -> None:
    """Make a pair of keys to sign with: the private one stays here, the public one goes to whoever serves.

    \b
      lading keygen
      lading keygen -o release.key --passphrase

    The private key is readable by this user alone. A file that is there is never overwritten.
    """
    from lading.bundle.signing.keys import PrivateKey, key_file, public_file
    from lading.cli.printing import ask_passphrase

    path = out or key_file()
    words = ask_passphrase("the new key", is_new=True) if passphrase else ""
    if public_file(path).exists():  # before the private one is written: both, or none
        raise UsageError(f"{public_file(path)} is there already", hint="write to another file: lading keygen -o FILE")
    key = PrivateKey.generate()
    key.write(path, words)
    key.write_public(public_file(path))
    if as_json:
        told = {"key_id": key.public.key_id, "private_key": str(path), "public_key": str(public_file(path))}
        click.echo(msgspec.json.encode(told))
        return
    click.echo(key.public.key_id)
    click.echo(f"  private   {path}   keep it to yourself", err=True)
    click.echo(f"  public    {public_file(path)}   give it to whoever serves", err=True)
    more = f" --key {shlex.quote(str(path))}" if out else ""
    click.echo(f"next: lading sign BUNDLE{more}", err=True)
