"""`lading fetch`."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from lading.cli.options import json_option, trust_option
from lading.schema.words import printable

if TYPE_CHECKING:
    from lading.bundle.signing.trust import TrustStore
    from lading.ship.fetch.fetching import Fetched
    from lading.ship.fetch.transfer import Transfer

_CLEAR = "\r\x1b[K"
_AFTER_S = 1.0
_EVERY_S = 0.2


@click.command("fetch")
@click.argument("url", metavar="URL")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File, or folder [default: as in the address]")
@click.option("--sha256", metavar="HEX", help="What the bundle must have; then it need not be signed.")
@click.option("--signature", metavar="URL", help="Where its signature is [default: beside it, URL.sig]")
@trust_option
@click.option("--max-bytes", type=click.IntRange(1), metavar="BYTES", help="What it may have at most [default: 4 GiB]")
@json_option
def command(
    url: str,
    output: Path | None,
    sha256: str | None,
    signature: str | None,
    trust: Path | None,
    max_bytes: int | None,
    as_json: bool,
) -> None:
    """Fetch a bundle and its signature from a store, and verify them. Nothing in the bundle is run.

    \b
      lading fetch s3://models/iris-1.0.0.lading
      lading fetch https://example.com/iris-1.0.0.lading -o models/iris.lading
      lading fetch gs://models/iris-1.0.0.lading --sha256 51c07f9be3a8…

    From s3://, gs://, az://, https://, ftp://, hdfs://, or a path. Exits with 3, and leaves nothing, when the bundle is
    damaged, or not signed by who is trusted for it.
    """
    from lading.bundle.signing.trust import TrustStore
    from lading.ship.fetch.fetching import fetch
    from lading.ship.fetch.transfer import Limits

    store = TrustStore.read(trust or "")
    limits = Limits() if max_bytes is None else Limits(max_bytes)
    progress = _Progress()
    try:
        fetched = fetch(
            url,
            output,
            trust=store,
            sha256=sha256,
            signature=signature,
            limits=limits,
            progress=progress.show,
        )
    finally:
        progress.clear()
    if as_json:
        click.echo(msgspec.json.encode(_told(fetched)))
    else:
        _print(fetched, store, trust)


class _Progress:
    """How much has arrived: one line on a terminal, from the first second on."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._is_shown = False
        self._last_s = time.monotonic() + _AFTER_S - _EVERY_S

    def show(self, transfer: Transfer) -> None:
        now_s = time.monotonic()
        if self._is_terminal and now_s - self._last_s >= _EVERY_S:
            self._last_s, self._is_shown = now_s, True
            of_all = f" of {_size(transfer.size)}" if transfer.size else ""
            click.echo(f"{_CLEAR}{_size(transfer.done)}{of_all}", err=True, nl=False)

    def clear(self) -> None:
        if self._is_shown:
            click.echo(_CLEAR, err=True, nl=False)


def _told(fetched: Fetched) -> dict[str, object]:
    verified = fetched.verified
    return {
        "path": str(fetched.path),
        "bytes": fetched.size,
        "sha256": fetched.sha256,
        "model": fetched.name,
        "version": fetched.version,
        "is_new": fetched.is_new,
        "is_verified": verified is not None,
        **({} if verified is None else msgspec.to_builtins(verified)),
    }


def _print(fetched: Fetched, store: TrustStore, trust: Path | None) -> None:
    from lading.bundle.signing.keys import short

    path = shlex.quote(str(fetched.path))
    what = f"{path}   {_size(fetched.size)}, sha256 {fetched.sha256[:12]}…"
    click.echo(printable(f"  fetched   {what}" if fetched.is_new else f"  kept      {what}: it was there"), err=True)
    if fetched.verified is None:
        click.echo("  verified  sha256, as it was said; it is unsigned", err=True)
        click.echo(printable(f"next: lading serve {path}"), err=True)
        return
    _, entry = store.find(fetched.verified.key_id)
    click.echo(f"  verified  key {short(entry.key_id)}   {entry.words}", err=True)
    more = f" --trust {shlex.quote(str(trust))}" if trust else ""
    click.echo(printable(f"next: lading serve {path} --production --auth keys{more}"), err=True)


def _size(size: int) -> str:
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size} bytes"
