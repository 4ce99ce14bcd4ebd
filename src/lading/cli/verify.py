"""`lading verify`."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from lading.cli.options import json_option, trust_option


@click.command("verify")
@click.argument("bundle", type=click.Path(path_type=Path))
@trust_option
@json_option
def command(bundle: Path, trust: Path | None, as_json: bool) -> None:
    """Verify a bundle's signature by the keys that are trusted. Nothing in the bundle is run.

    \b
      lading verify iris-1.0.0.lading

    Exits with 3 when it is not signed, not by a key that is trusted for it, or was changed since.
    """
    from lading.bundle.signing.keys import short
    from lading.bundle.signing.trust import TrustStore
    from lading.engine.loading import open_bundle, unsigned

    store = TrustStore.read(trust or "")
    with open_bundle(bundle, store) as opened:
        opened.verify()
        manifest, verified = opened.manifest, opened.verified
    if verified is None:
        raise unsigned(bundle)
    if as_json:
        told = {"bundle": str(bundle), "model": manifest.name, "version": manifest.version, "is_verified": True}
        click.echo(msgspec.json.encode(told | msgspec.to_builtins(verified)))
        return
    _, entry = store.find(verified.key_id)
    click.echo(f"model   {manifest.name} {manifest.version}")
    click.echo(f"key     {short(verified.key_id)}   {entry.words}")
    click.echo(f"sha256  {verified.digest}")
