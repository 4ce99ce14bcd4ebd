"""`lading image`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from lading.cli.choices import Shipping, choice_options, choices_said
from lading.cli.options import json_option, trust_option
from lading.errors import UsageError

if TYPE_CHECKING:
    from lading.bundle.signing.trust import TrustStore


@click.command("image", cls=Shipping)
@click.argument("source", metavar="BUNDLE")
@click.argument("pack", nargs=-1, type=click.UNPROCESSED, metavar="[-- MODEL …]")
@click.option(
    "-t", "--tag", metavar="NAME:TAG", help="What the image is called [default: the model's name and version]"
)
@click.option("--train", is_flag=True, help="BUNDLE is a script that trains; behind `--` stands what is packed then.")
@click.option("--key", type=click.Path(path_type=Path), help="With --train: what signs it [default: of this user]")
@choice_options
@trust_option
@json_option
def command(
    source: str,
    pack: tuple[str, ...],
    tag: str | None,
    train: bool,
    key: Path | None,
    trust: Path | None,
    as_json: bool,
    **said: Any,
) -> None:
    """Build a container image that serves a signed bundle, with docker or podman.

    \b
      lading image iris-1.0.0.lading -t registry.example.com/iris:1.0.0
      lading image s3://models/iris-1.0.0.lading
      lading image --train train.py -- model.pkl --data flowers.csv --name iris

    The bundle is fetched and verified before the build, never in it. `lading ship docker` writes the same for you to
    build.
    """
    from lading.bundle.signing.trust import TrustStore
    from lading.ship.files import write_files
    from lading.ship.image.container import Container
    from lading.ship.image.docker import Docker, run_command
    from lading.ship.plan import check_choices, make_plan, slim_base
    from lading.ship.record import choices_of

    choices = choices_of(choices_said(said) | {"image": tag or ""})
    check_choices(choices)
    engine, store = Container.find(), TrustStore.read(trust or "")
    is_shown = sys.stderr.isatty() and not as_json  # a build takes minutes
    with tempfile.TemporaryDirectory(prefix="lading-") as folder:
        work = Path(folder)
        if train:
            bundle = _trained(Path(source), pack, key, work, base=choices.base or slim_base(), is_shown=is_shown)
        elif pack:
            raise UsageError("what is packed is said with --train alone", hint="lading image --train train.py -- MODEL")
        else:
            bundle = _fetched(source, store, work)
        plan = make_plan(bundle, store, choices)
        context = work / "image"
        write_files(Docker().files(plan), context)
        report("building", f"{plan.image} on {plan.base}")
        image = engine.build(context, tag=plan.image, is_shown=is_shown)
    size = engine.size_bytes(image)
    if as_json:
        click.echo(msgspec.json.encode({"image": plan.image, "id": image, "size": size}))
        return
    report("built", f"{plan.image}   {size / 1e6:.0f} MB with its base, {image.removeprefix('sha256:')[:12]}")
    click.echo(f"next: {run_command(plan)}", err=True)


def report(step: str, words: str) -> None:
    """Say on stderr what is done."""
    click.echo(f"  {step:<9} {words}", err=True)


def _trained(script: Path, pack: tuple[str, ...], key: Path | None, work: Path, *, base: str, is_shown: bool) -> Path:
    """The bundle that a script trains in a build, signed here; it stays in this folder."""
    from lading.bundle.bundle import Bundle
    from lading.bundle.signing.keys import PrivateKey, key_file, short
    from lading.bundle.signing.signature import write_signature
    from lading.cli.printing import ask_passphrase
    from lading.ship.image.training import check_script, train

    check_script(script, pack)
    private = PrivateKey.read(key or key_file(), ask_passphrase)
    report("training", f"{script.name} in {base}")
    bundle = train(script, Path(), work, base=base, pack=pack, is_shown=is_shown)
    with Bundle.open(bundle) as opened:
        digest = opened.digest()
    write_signature(bundle, digest, private)
    report("trained", f"{bundle}, signed by key {short(private.public.key_id)}, sha256 {digest[:12]}…")
    return bundle


def _fetched(source: str, store: TrustStore, work: Path) -> Path:
    """Where the bundle is, once it is here."""
    if "://" not in source:
        return Path(source)
    from lading.ship.fetch import fetch

    fetched = fetch(source, work, trust=store)
    report("fetched", fetched.path.name)
    return fetched.path
