"""`lading predict`."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from lading.bundle.declared import declared_from
from lading.cli.options import declared_options, ignore_versions_option, model_argument
from lading.cli.printing import data_apart
from lading.engine.answer_columns import AnswerColumns
from lading.engine.answers import Answer, AnswerFormat
from lading.engine.model import Model
from lading.errors import UsageError
from lading.schema.decode import Decoded, Decoder, Limits

_UNLIMITED = Limits(max_rows=2**62, max_cells=2**62)


@click.command("predict")
@model_argument
@click.argument("data")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Write there, as .json or .csv, not to stdout.")
@click.option("--proba", is_flag=True, help="Add class probabilities.")
@declared_options
@ignore_versions_option
def command(model: Path, data: str, out: Path | None, proba: bool, ignore_versions: bool, **declared: Any) -> None:
    """Predict one row or many.

    DATA is JSON text, a .csv or .json file, or - for JSON or CSV on stdin.

    \b
      lading predict iris.lading '{"petal length (cm)": 1.4, "petal width (cm)": 0.2}'
      lading predict iris.lading rows.csv -o scored.csv
    """
    from lading.engine.loading import load

    if out is not None and out.suffix not in (".csv", ".json"):
        raise UsageError(f"{out.name} is of an unknown kind", hint="write to .json or .csv")
    body, is_csv = _read(data)
    with data_apart():
        loaded = load(model, ignore_versions=ignore_versions, declared=declared_from(**declared))
    if proba and not loaded.schema.has_probabilities:
        raise UsageError(f"{loaded.manifest.class_name} gives no probabilities")
    decoder = Decoder(loaded.schema, _UNLIMITED)
    decoded = decoder.csv(body) if is_csv else decoder.json(body)
    with data_apart():
        answer = loaded.answer_rows(decoded.rows, proba=proba)
    _write(loaded, decoded, answer, out)


def _read(data: str) -> tuple[bytes, bool]:
    """The bytes to predict, and whether they are CSV."""
    if data == "-":
        body = sys.stdin.buffer.read()
        return body, body.lstrip()[:1] not in (b"{", b"[")
    if data.lstrip()[:1] in ("{", "["):
        return data.encode("utf-8", "surrogateescape"), False
    path = Path(data)
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".json"):
        raise UsageError(f"`{data}` is neither JSON nor a .csv or .json file", hint="a row is '{\"column\": 1.4, …}'")
    try:
        return path.read_bytes(), suffix == ".csv"
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None


def _write(model: Model, decoded: Decoded, answer: Answer, output: Path | None) -> None:
    body = AnswerFormat(model.schema).object(answer, is_single=decoded.is_single)
    if output is None:
        click.echo(msgspec.json.encode(body))
        return
    data = _csv(model, decoded, answer) if output.suffix == ".csv" else msgspec.json.encode(body) + b"\n"
    try:
        output.write_bytes(data)
    except OSError as error:
        raise UsageError(f"cannot write {output}: {error.strerror}") from None
    click.echo(f"wrote     {output}   {len(decoded.rows)} rows", err=True)
    for warning in answer.warnings:
        click.echo(f"warning   {warning.column}: {warning.detail}, in {warning.rows} rows", err=True)


def _csv(model: Model, decoded: Decoded, answer: Answer) -> bytes:
    """The rows with their predictions, and probabilities where asked for, in columns behind them."""
    added = AnswerColumns(model.schema).of(answer.predictions, answer.probabilities)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*model.schema.names, *added])
    writer.writerows([*row, *more] for row, *more in zip(decoded.rows, *added.values(), strict=True))
    return text.getvalue().encode()
