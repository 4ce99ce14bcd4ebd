"""`lading predict`."""

from __future__ import annotations

import csv
import os
import re
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lading.cli.options import declared_options, ignore_versions_option
from lading.cli.printing import data_apart, rows_in_words
from lading.errors import LadingError, UsageError
from lading.settings import bound_threads

if TYPE_CHECKING:
    from lading.batch.run import Wish
    from lading.batch.tally import Tally
    from lading.batch.targets import Target

STDOUT = "-"
_KINDS = click.Choice(["csv", "jsonl", "parquet", "arrow"])


@click.command("predict")
@click.argument("model")
@click.argument("data", nargs=-1, required=True)
@click.option("-o", "--out", help="Write there: .csv, .jsonl, .parquet, .arrow, or .json; - is stdout, for many rows.")
@click.option(
    "--columns", multiple=True, metavar="NAME,NAME", help="Put these in front of the answers, in place of the inputs."
)
@click.option("--proba", is_flag=True, help="Add class probabilities.")
@click.option("--from", "from_kind", type=_KINDS, help="What the files are [default: told by their suffix].")
@click.option("--to", "to_kind", type=_KINDS, help="What to write [default: told by its suffix].")
@click.option("--workers", type=click.IntRange(1), help="Processes that score files [default: the machine's cores].")
@click.option("--concurrency", type=click.IntRange(1), default=4, help="Connections to a service. [default: 4]")
@click.option("--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="Send it to a service; repeatable.")
@click.option("--restart", is_flag=True, help="Begin anew, although a run that was cut off could go on.")
@declared_options
@ignore_versions_option
def command(
    model: str,
    data: Sequence[str],
    out: str | None,
    from_kind: Any,
    to_kind: Any,
    columns: Sequence[str],
    proba: bool,
    restart: bool,
    **rest: Any,
) -> None:
    """Predict one row or many, with a model or a service.

    MODEL is a bundle, a model file, or the address of a service. DATA is JSON text, a .json file or images; or, with
    -o, any number of .csv, .jsonl, .parquet and .arrow files, patterns such as 'data/*.parquet', or - for stdin.

    \b
      lading predict iris.lading '{"petal length (cm)": 1.4, "petal width (cm)": 0.2}'
      lading predict iris.lading rows.csv -o scored.csv
      lading predict iris.lading 'data/*.parquet' -o scored.parquet --columns id
      lading predict http://127.0.0.1:8000 rows.csv -o scored.csv

    With -o, rows that do not fit are set aside in scored.rejects.jsonl, with the reasons; a run that was cut off goes
    on where it was when the same command is given again.
    """
    bound_threads(1)  # before anything numeric is loaded, here and in the workers
    from lading.cli.document import are_lines, is_document, predict_document

    if is_document(data, out) and from_kind is None and to_kind is None and not columns and not restart:
        with closing(_target(model, **rest)) as target:
            predict_document(target, data, Path(out) if out not in (None, STDOUT) else None, proba=proba)
        return
    if out is None:
        raise UsageError("say where to write: -o scored.parquet, or -o - for stdout")
    from lading.batch.run import Wish
    from lading.batch.sources import find_sources

    sources = find_sources(data, from_kind or ("jsonl" if are_lines(data) else None))
    wish = Wish(None if out == STDOUT else Path(out), to_kind, _names(columns), proba, restart)
    with closing(_target(model, **rest)) as target:
        _score(target, sources, wish)


def _target(
    model: str, *, workers: int | None, concurrency: int, headers: Sequence[str], ignore_versions: bool, **declared: Any
) -> Target:
    """What answers: a model, or a service."""
    from lading.batch.targets import ModelTarget, ServiceTarget
    from lading.bundle.declared import declared_from
    from lading.cli.check import read_headers

    _refuse_mistaken(model)
    if model.startswith(("http://", "https://")):
        if ignore_versions or any(declared.values()):
            raise UsageError("what a service serves was said where it was packed or started")
        return ServiceTarget(model, read_headers(headers), concurrency=concurrency)
    if headers:
        raise UsageError("--header is sent to a service", hint="name it: lading predict http://127.0.0.1:8000 …")
    with data_apart():
        said = declared_from(**declared)
        return ModelTarget(Path(model), ignore_versions=ignore_versions, declared=said, workers=workers or _cores())


def _refuse_mistaken(model: str) -> None:
    """Refuse what is meant otherwise: a file of rows in the place of the model, an address without its beginning."""
    from lading.batch.kinds import is_known

    if is_known(model):
        raise UsageError("the model comes first, then the rows", hint="lading predict MODEL rows.csv -o scored.csv")
    if re.fullmatch(r"[\w.-]+:\d+/?", model) and not os.path.exists(model):
        raise UsageError("the address of a service begins with http://", hint=f"lading predict http://{model} …")


def _cores() -> int:
    """The processors that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def _names(texts: Sequence[str]) -> tuple[str, ...] | None:
    """Names between commas; one that has a comma stands in quotes, as in CSV."""
    if not texts:
        return None
    return tuple(name.strip() for line in csv.reader(texts) for name in line if name.strip())


def _score(target: Target, sources: Sequence[Any], wish: Wish) -> None:
    from lading.batch.folder import parts_path
    from lading.batch.run import run
    from lading.cli.progress import Progress

    progress = Progress()
    shown_resumed = False

    def tell(tally: Tally) -> None:
        nonlocal shown_resumed
        if tally.resumed and not shown_resumed:
            click.echo(f"resuming  {tally.resumed} chunks are done", err=True)
        shown_resumed = True
        progress.show(tally)

    try:
        stdout = sys.stdout.buffer
        with data_apart():
            tally = run(target, sources, wish, stdout=stdout, tell=tell)
    except KeyboardInterrupt:
        progress.clear()
        is_kept = wish.out is not None and any(parts_path(wish.out).glob("*.part"))
        click.echo(f"stopped   {'the same command goes on from here' if is_kept else 'nothing is kept'}", err=True)
        raise
    except LadingError:
        progress.clear()
        raise
    progress.clear()
    _tell_end(tally, wish)


def _tell_end(tally: Tally, wish: Wish) -> None:
    from lading.batch.output import rejects_path
    from lading.schema.words import printable

    aside = printable(str(rejects_path(wish.out))) if wish.out is not None else ""
    more = f"; {tally.set_aside:,} set aside" + (f" in {aside}" if aside else "") if tally.set_aside else ""
    if wish.out is not None:
        click.echo(f"wrote     {printable(str(wish.out))}   {rows_in_words(tally.answered)}{more}", err=True)
        if tally.set_aside and tally.answered:
            click.echo(f"  the first: {printable(tally.reasons[0])}", err=True)
    elif more:
        click.echo(f"wrote     {rows_in_words(tally.answered)}{more}", err=True)
        for reason in tally.reasons:
            click.echo(f"  {printable(reason)}", err=True)
    for (column, detail), rows in tally.unusual.items():
        click.echo(printable(f"warning   {column}: {detail}, in {rows_in_words(rows)}"), err=True)
    if tally.rows and not tally.answered:
        hint = f"all reasons are in {aside}" if aside else None
        raise LadingError(f"no row has an answer; {tally.reasons[0]}", hint=hint)
