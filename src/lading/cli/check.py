"""`lading check`."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from lading.cli.options import ignore_versions_option, json_option


@click.command("check")
@click.argument("bundle", type=click.Path(path_type=Path))
@ignore_versions_option
@json_option
def command(bundle: Path, ignore_versions: bool, as_json: bool) -> None:
    """Check a bundle: its bytes, this environment, and the answers to its golden rows.

    Exits with 3 when the bundle is damaged, 4 when the environment does not match, 5 when an answer differs.
    """
    from lading.engine.checking import check_golden, engine_in_words, needed_by
    from lading.engine.loading import load_bundle, open_bundle

    with open_bundle(bundle) as opened:
        opened.verify()
    model = load_bundle(bundle, ignore_versions=ignore_versions)
    rows = check_golden(model)
    engine = engine_in_words(model)
    if as_json:
        told = {"bundle": str(bundle), "engine": engine, "golden_rows": rows, "is_good": True}
        click.echo(msgspec.json.encode(told))
        return
    click.echo(f"files        {len(model.manifest.files)} as they were packed, sha256 {model.digest[:12]}…")
    click.echo("environment  " + (", ".join(f"{r.name} {r.version}" for r in needed_by(model)) or "nothing"))
    click.echo(f"engine       {engine}")
    click.echo(f"golden       {rows} rows came back as they were packed")
