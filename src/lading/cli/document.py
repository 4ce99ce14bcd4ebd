"""One document of rows, JSON, CSV or images, that is answered whole or not at all: `lading predict` for little."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import click
import msgspec

from lading.batch.kinds import is_known
from lading.batch.sources import expand
from lading.batch.targets import Target
from lading.cli.printing import data_apart, rows_in_words
from lading.engine.answer_columns import AnswerColumns
from lading.engine.answers import Answer, AnswerFormat
from lading.errors import UsageError
from lading.schema.decode import UNLIMITED, Decoded, Decoder
from lading.schema.fields import Schema
from lading.schema.words import printable

STDIN = "-"
_IMAGES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp"})


def is_document(data: Sequence[str], out: str | None) -> bool:
    """Whether what is to be predicted is one document, which is read and answered whole."""
    if all(map(_is_image, data)):
        return True
    if len(data) > 1:
        return False
    is_json = data[0].lstrip()[:1] in ("{", "[") or data[0].lower().endswith(".json")
    if out is None or is_json or out.lower().endswith(".json"):
        return True
    return data[0] == STDIN and _stdin_begins_with(b"[")


def are_lines(data: Sequence[str]) -> bool:
    """Whether they come from stdin, and begin as JSON lines do."""
    return data[0] == STDIN and _stdin_begins_with(b"{")


def _stdin_begins_with(mark: bytes) -> bool:
    stdin = cast(io.BufferedReader, sys.stdin.buffer)
    return stdin.peek(64).lstrip()[:1] == mark


def _is_image(name: str) -> bool:
    return Path(name).suffix.lower() in _IMAGES


def predict_document(target: Target, data: Sequence[str], out: Path | None, *, proba: bool) -> None:
    """Answer the rows of a document, on stdout or in a file.

    Raises:
        LadingError: they do not fit, have no answer, or cannot be read or written.
    """
    if out is not None and out.suffix not in (".csv", ".json"):
        raise UsageError(f"{out.name} is not what this is written to", hint="write to .json or .csv")
    files = _images(data) if _is_image(data[0]) else ()
    schema = target.answering.schema
    if proba and not schema.has_probabilities:
        raise UsageError(f"{target.name} gives no probabilities")
    decoded = _decoded(Decoder(schema, UNLIMITED), files or data)
    with data_apart():
        answer = target.answering.answer(decoded.rows, proba=proba)
    _write(schema, decoded, answer, out, files)


def _decoded(decoder: Decoder, data: Sequence[str]) -> Decoded:
    if not _is_image(data[0]):
        body, is_csv = _read(data[0])
        return decoder.csv(body) if is_csv else decoder.json(body)
    if not decoder.takes_images:
        raise UsageError("this model takes no images", hint="it takes columns: lading inspect MODEL --example")
    return decoder.images([_bytes_of(Path(name)) for name in data], is_single=len(data) == 1)


def _images(data: Sequence[str]) -> list[str]:
    """The names of image files, which patterns may name too."""
    return [path for name in data for path in expand(name)]


def _read(data: str) -> tuple[bytes, bool]:
    """The bytes to predict, and whether they are CSV."""
    if data == STDIN:
        body = sys.stdin.buffer.read()
        return body, body.lstrip()[:1] not in (b"{", b"[")
    if data.lstrip()[:1] in ("{", "["):
        return data.encode("utf-8", "surrogateescape"), False
    path = Path(data)
    suffix = path.suffix.lower()
    if suffix != ".csv" and is_known(data):
        raise UsageError("say where to write: -o scored.parquet, or -o - for stdout")
    if suffix not in (".csv", ".json"):
        raise UsageError(f"`{data}` is neither JSON nor a file of a known kind", hint="a row is '{\"column\": 1.4, …}'")
    return _bytes_of(path), suffix == ".csv"


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None


def _write(schema: Schema, decoded: Decoded, answer: Answer, output: Path | None, files: Sequence[str]) -> None:
    body = AnswerFormat(schema).object(answer, is_single=decoded.is_single)
    if output is None:
        click.echo(msgspec.json.encode(body))
        return
    data = _csv(schema, decoded, answer, files) if output.suffix == ".csv" else msgspec.json.encode(body) + b"\n"
    try:
        output.write_bytes(data)
    except OSError as error:
        raise UsageError(f"cannot write {output}: {error.strerror}") from None
    click.echo(f"wrote     {output}   {rows_in_words(len(decoded.rows))}", err=True)
    for warning in answer.warnings:
        words = f"warning   {warning.column}: {warning.detail}, in {rows_in_words(warning.rows)}"
        click.echo(printable(words), err=True)


def _csv(schema: Schema, decoded: Decoded, answer: Answer, files: Sequence[str]) -> bytes:
    """The rows, or the names of image files, and behind them the predictions, and probabilities where asked for."""
    names, rows = (("file",), [(name,) for name in files]) if files else (schema.names, decoded.rows)
    added = AnswerColumns(schema).of(answer.predictions, answer.probabilities)
    text = io.StringIO()
    writer: Any = csv.writer(text, lineterminator="\n")
    writer.writerow([*names, *added])
    writer.writerows([*row, *more] for row, *more in zip(rows, *added.values(), strict=True))
    return text.getvalue().encode()
