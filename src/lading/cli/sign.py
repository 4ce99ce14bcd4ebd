"""`lading sign`."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
import msgspec

from lading.cli.options import json_option


@click.command("sign")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--key", type=click.Path(path_type=Path), help="Private key, PEM [default: signing.key of this user]")
@json_option
def command(bundle: Path, key: Path | None, as_json: bool) -> None:
    """Sign a bundle: the signature is written beside it, BUNDLE.sig.

    \b
      lading sign iris-1.0.0.lading
      lading sign iris-1.0.0.lading --key release.key

    Whoever signs says that it may be served, with all that is in it. A bundle that is damaged is not signed.
    """
    from lading.bundle.signing.keys import PrivateKey, key_file, public_file, short
    from lading.bundle.signing.signature import write_signature
    from lading.cli.printing import ask_passphrase
    from lading.engine.loading import open_bundle

    path = key or key_file()
    with open_bundle(bundle) as opened:
        opened.verify()
        private = PrivateKey.read(path, ask_passphrase)
        digest = opened.digest()
        signature = write_signature(bundle, digest, private)
    key_id = private.public.key_id
    if as_json:
        click.echo(msgspec.json.encode({"path": str(signature), "key_id": key_id, "sha256": digest}))
        return
    click.echo(f"  wrote     {signature}   key {short(key_id)}, sha256 {digest[:12]}…", err=True)
    if public_file(path).exists():
        click.echo(f"next: lading trust add {shlex.quote(str(public_file(path)))}", err=True)
