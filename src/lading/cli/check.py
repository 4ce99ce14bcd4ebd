"""`lading check`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from lading.cli.options import ignore_versions_option, json_option, trust_option
from lading.cli.printing import data_apart
from lading.errors import CheckFailed, UsageError
from lading.schema.words import printable

if TYPE_CHECKING:
    from lading.testing.case import Case

_MAX_NAME_CHARS = 60


@click.command("check")
@click.argument("bundle", required=False, type=click.Path(path_type=Path))
@click.option("--http", "url", metavar="URL", help="Check the service that answers there, not this environment.")
@click.option("--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="Send it with --http; repeatable.")
@trust_option
@ignore_versions_option
@json_option
def command(
    bundle: Path | None,
    url: str | None,
    headers: Sequence[str],
    trust: Path | None,
    ignore_versions: bool,
    as_json: bool,
) -> None:
    """Check a bundle: its bytes, this environment, and the answers to its golden rows.

    With --http, check a running service: that it does what its schema says, and, where a bundle is named, that it
    serves that one and answers its golden rows.

    \b
      lading check iris-1.0.0.lading
      lading check --http http://127.0.0.1:8000
      lading check iris-1.0.0.lading --http http://127.0.0.1:8000

    With --trust, nothing is run that `lading serve --production` would not run: the bundle has to be signed.

    Exits with 3 when the bundle is damaged, or not signed by who is trusted for it; 4 when the environment does not
    match, 5 when an answer differs or a case does not hold.
    """
    if url is not None:
        if ignore_versions or trust is not None:
            raise UsageError("--ignore-versions and --trust are about this environment, which --http does not check")
        _check_service(bundle, url, read_headers(headers), as_json)
    elif headers:
        raise UsageError("--header is sent to a service", hint="name it: --http http://127.0.0.1:8000")
    elif bundle is None:
        raise UsageError(
            "Missing argument 'BUNDLE', or --http",
            hint="lading check BUNDLE, or lading check --http http://127.0.0.1:8000",
        )
    else:
        _check_bundle(bundle, trust, ignore_versions, as_json)


def _check_bundle(bundle: Path, trust: Path | None, ignore_versions: bool, as_json: bool) -> None:
    from lading.bundle.signing.trust import TrustStore
    from lading.engine.checking import check_golden, engine_in_words, needed_by
    from lading.engine.loading import load_bundle, open_bundle

    store = None if trust is None else TrustStore.read(trust)
    with open_bundle(bundle, store) as opened:
        opened.verify()
    with data_apart():
        model = load_bundle(bundle, ignore_versions=ignore_versions, trust=store)
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


def read_headers(texts: Sequence[str]) -> dict[str, str]:
    """The headers by their names; what is wrong with one is told without its value.

    Raises:
        UsageError: a text is not a name, a colon and a value.
    """
    pairs = [(name.strip(), value.strip()) for name, _, value in (text.partition(":") for text in texts)]
    for name, value in pairs:
        is_name = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
        if not is_name or not value or not value.isascii() or not value.isprintable():
            raise UsageError("a header is NAME: VALUE, in ASCII", hint="--header 'authorization: Bearer …'")
    return dict(pairs)


def _check_service(bundle: Path | None, url: str, headers: dict[str, str], as_json: bool) -> None:
    from lading.testing.contract import cases_of
    from lading.testing.subject import subject_at, subject_of_bundle

    # The address is asked first: that nothing answers there is said before any case fails of it.
    live = subject_at(url, headers)
    subject = live if bundle is None else subject_of_bundle(bundle)
    cases = cases_of(subject)
    own, columns = len(subject.own_columns), len(subject.schema.inputs)
    width = min(max(len(printable(case.name)) for case in cases), _MAX_NAME_CHARS)
    failures: list[str | None] = []
    for case in cases:
        failures.append(case.failure(url, headers=headers))
        if not as_json:
            _print_case(case, failures[-1], width)
    held = failures.count(None)
    if as_json:
        told = {"bundle": bundle and str(bundle), "url": url, "own_columns": own, "columns": columns}
        click.echo(msgspec.json.encode(told | _told(cases, failures)))
    else:
        more = "" if own == columns else f"; {own} of {columns} columns have cases of their own"
        click.echo(f"{held} of {len(cases)} hold{more}")
    if held < len(cases):
        raise CheckFailed(f"the service at {url} does not keep {len(cases) - held} of {len(cases)} cases")


def _print_case(case: Case, failure: str | None, width: int) -> None:
    click.echo(f"{'FAILED' if failure else 'ok':<6}  {printable(case.name):<{width}}".rstrip())
    if failure:
        click.echo(f"        {printable(failure)}")


def _told(cases: Sequence[Case], failures: Sequence[str | None]) -> dict[str, Any]:
    pairs = zip(cases, failures, strict=True)
    told = [{"name": case.name, "holds": failure is None, "failure": failure} for case, failure in pairs]
    return {"cases": told, "is_good": not any(failures)}
