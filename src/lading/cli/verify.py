"""`lading verify`."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
import msgspec

from lading.cli.options import json_option, trust_option
from lading.errors import UsageError


@click.command("verify")
@click.argument("bundle", type=click.Path(path_type=Path))
@trust_option
@json_option
def command(bundle: Path, trust: Path | None, as_json: bool) -> None:
    """Verify a bundle's signature by the keys that are trusted. Nothing in the bundle is run.

    \b
      lading verify iris-1.0.0.lading

    Exits with 3 when it is not signed, not by a key that is trusted for it, or was changed since; so too when it would
    have to run a program to be served, and its key is trusted for data only.
    """
    from lading.bundle.signing.keys import short
    from lading.bundle.signing.trust import TrustStore
    from lading.engine.loading import is_bundle, open_bundle, refuse_untrusted_code, unsigned

    store = TrustStore.read(trust or "")
    _refuse_signature(bundle)
    if not is_bundle(bundle):
        raise unsigned(bundle)
    with open_bundle(bundle, store) as opened:
        opened.verify()
        if not opened.manifest.is_compiled:
            refuse_untrusted_code(opened, bundle.name)
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


def _refuse_signature(path: Path) -> None:
    from lading.bundle.signing.signature import SUFFIX

    if path.suffix == SUFFIX:
        message = f"{path} is a signature; the bundle is verified, with the signature beside it"
        raise UsageError(message, hint=f"lading verify {shlex.quote(str(path.with_suffix('')))}")
