"""`lading ship`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from lading.cli.options import choice_options, choices_from, json_option, trust_option

if TYPE_CHECKING:
    from lading.ship.files import File


@click.command("ship")
@click.argument("target")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder to write [default: TARGET]")
@choice_options
@trust_option
@click.option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
@click.option("--diff", is_flag=True, help="Show what would change, line by line, and write nothing.")
@json_option
def command(
    target: str,
    bundle: Path,
    out: Path | None,
    trust: Path | None,
    dry_run: bool,
    diff: bool,
    as_json: bool,
    **said: Any,
) -> None:
    """Write what runs a signed bundle somewhere: docker, compose or systemd. Read it, keep it, change it.

    \b
      lading ship docker iris-1.0.0.lading -o image
      lading ship compose iris-1.0.0.lading -o deploy --host models.example.com

    Nothing is built or started, and no library of the model is needed. Files that are there are overwritten, where they
    are not the same: --diff shows how.
    """
    from lading.bundle.signing.keys import short
    from lading.bundle.signing.trust import TrustStore
    from lading.ship.files import change_of, diff_of, write_files
    from lading.ship.plan import make_plan
    from lading.ship.shipper import shipper_named

    shipper = shipper_named(target)
    folder = out or Path(target)
    plan = make_plan(bundle, TrustStore.read(trust or ""), choices_from(said))
    files = shipper.files(plan)
    changes = {file.path: change_of(file, folder) for file in files}
    if diff:
        click.echo("".join(diff_of(file, folder) for file in files), nl=False)
        return
    if not dry_run:
        write_files(files, folder)
    steps = shipper.next_steps(plan, shlex.quote(str(folder)))
    if as_json:
        told = {"folder": str(folder), "files": changes, "is_written": not dry_run, "next": steps}
        click.echo(msgspec.json.encode(told))
        return
    click.echo(f"  bundle    {plan.manifest.name} {plan.manifest.version}, key {short(plan.verified.key_id)}", err=True)
    _tell(files, changes, folder, "would be" if dry_run else "wrote")
    if not dry_run:
        click.echo("\n".join(f"next: {step}" for step in steps), err=True)


def _tell(files: Sequence[File], changes: dict[str, Any], folder: Path, word: str) -> None:
    for file in files:
        click.echo(f"  {word:<9} {changes[file.path]:<8} {folder / file.path}", err=True)
