"""`lading ship`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from lading.cli.choices import Shipping, choice_options, choices_said, cluster_options
from lading.cli.options import json_option, trust_option
from lading.errors import UsageError

if TYPE_CHECKING:
    from lading.ship.files import File
    from lading.ship.measuring import Measured
    from lading.ship.record import Record


@click.command("ship", cls=Shipping)
@click.argument("target")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder to write [default: TARGET]")
@choice_options
@cluster_options
@trust_option
@click.option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
@click.option("--diff", is_flag=True, help="Show what would change, line by line, and write nothing.")
@click.option("--overwrite", is_flag=True, help="Overwrite also what somebody has changed since.")
@json_option
def command(
    target: str,
    bundle: Path,
    out: Path | None,
    trust: Path | None,
    dry_run: bool,
    diff: bool,
    overwrite: bool,
    as_json: bool,
    **said: Any,
) -> None:
    """Write what runs a signed bundle somewhere: docker, compose, systemd, kubernetes, kserve or seldon. Read it, keep
    it, change it.

    \b
      lading ship docker iris-1.0.0.lading -o image
      lading ship compose iris-1.0.0.lading -o deploy --host models.example.com
      lading ship kubernetes iris-1.0.0.lading -o deploy --image registry.example.com/iris:1.0.0

    Nothing is built, and no library of the model is needed; for clusters the bundle is served for a moment, where its
    libraries are here, to measure what a replica takes. What was said the last time for the same folder
    holds until it is said otherwise. A file that somebody has changed since is not overwritten, unless you say so:
    --diff shows what would change.
    """
    from lading.bundle.signing.keys import short
    from lading.bundle.signing.trust import TrustStore
    from lading.ship.files import change_of, diff_of, write_files
    from lading.ship.measuring import measure
    from lading.ship.plan import make_plan
    from lading.ship.record import Record, choices_of, read_record, together
    from lading.ship.shipper import needs_measure, shipper_named, usual_auth

    shipper = shipper_named(target)
    folder = out or Path(target)
    record, said = read_record(folder, target), choices_said(said)
    all_said = together(record, said)
    choices = choices_of({"auth": usual_auth(shipper)} | all_said)
    plan = make_plan(bundle, TrustStore.read(trust or ""), choices)
    if is_measured := needs_measure(shipper):
        plan = msgspec.structs.replace(plan, measured=measure(plan))
    files = list(shipper.files(plan))
    left_over = record.left_over(files, folder) if record is not None else []
    kept = {} if record is None else record.choices
    changes = {file.path: change_of(file, folder) for file in files} | dict.fromkeys(left_over, "gone")
    if diff:
        click.echo(
            "".join([*(diff_of(file, folder) for file in files), *(f"gone: {path}\n" for path in left_over)]), nl=False
        )
        return
    if not dry_run:
        _refuse_edited(record, changes, folder, overwrite)
        write_files([*files, Record.of(target, all_said, files).file], folder, left_over)
    steps = shipper.next_steps(plan, shlex.quote(str(folder) if not str(folder).startswith("-") else f"./{folder}"))
    if as_json:
        told = {"folder": str(folder), "files": changes, "is_written": not dry_run, "next": steps}
        click.echo(msgspec.json.encode(told | ({"measured": plan.measured} if is_measured else {})))
        return
    click.echo(f"  bundle    {plan.manifest.name} {plan.manifest.version}, key {short(plan.verified.key_id)}", err=True)
    _tell_choices(kept, said)
    if is_measured:
        _tell_measured(plan.measured)
    _tell(changes, folder, "would be" if dry_run else "wrote")
    _tell_lock(files, plan.choices.lock)
    click.echo("nothing was written" if dry_run else "\n".join(f"next: {step}" for step in steps), err=True)


def _refuse_edited(record: Record | None, changes: dict[str, Any], folder: Path, overwrite: bool) -> None:
    """Nothing, where no change of somebody's is lost, or may be."""
    edited = [] if record is None or overwrite else record.edited(folder)
    lost = [path for path in edited if changes.get(path) == "changed"]
    if lost:
        message = f"somebody has changed {', '.join(lost)} since"
        raise UsageError(message, hint="--diff shows what would change; --overwrite writes it")


def _tell_choices(kept: dict[str, Any], said: dict[str, Any]) -> None:
    as_before = [f"{name} {value}" for name, value in kept.items() if name not in said]
    if as_before:
        click.echo(f"  as before {', '.join(as_before)}", err=True)


def _tell(changes: dict[str, Any], folder: Path, word: str) -> None:
    for path, change in changes.items():
        click.echo(f"  {word:<9} {change:<8} {folder / path}", err=True)


def _tell_lock(files: Sequence[File], is_wanted: bool) -> None:
    from lading.ship.requirements import REQUIREMENTS, is_locked

    found = next((file for file in files if file.path.rpartition("/")[2] == REQUIREMENTS), None)
    if is_wanted and found is not None and not is_locked(found.data.decode()):
        click.echo("  note      no digests in requirements.txt: uv, which finds them, is not installed", err=True)


def _tell_measured(measured: Measured) -> None:
    click.echo(f"  replica   {measured.in_words}", err=True)
    if measured.is_estimate:
        click.echo(f"            estimated: {measured.reason}; --load-s and --memory-mb say better", err=True)
