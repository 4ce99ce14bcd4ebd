"""Forms as rows: values that are filled in, files of rows, or images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

from lading.errors import BrokenInput
from lading.http.multipart import Part
from lading.schema.decode import Decoded, Decoder

Decode = Callable[[bytes], Decoded]


def rows_of(parts: Sequence[Part], decoder: Decoder, reader_of: Callable[[str], Decode]) -> Decoded:
    """The rows of a form's parts.

    Args:
        parts: files, or values by the names of columns.
        decoder: reads images, and values.
        reader_of: what reads a file of a content type.

    Raises:
        BrokenInput: the form has both files and values, or several files where one is taken.
        InputError: what it holds does not fit the schema; lists every problem.
    """
    files = [part for part in parts if part.file is not None]
    if files and len(files) < len(parts):
        raise BrokenInput("a form has files or values, not both", code="input.form")
    if not files and decoder.takes_images:
        raise BrokenInput("a value is no image: send the file, -F file=@NAME with an @", code="input.form")
    if not files:
        return decoder.query([(part.name, _text(part)) for part in parts])
    if decoder.takes_images:
        return decoder.images([file.data for file in files], is_single=len(files) == 1)
    if len(files) > 1:
        raise BrokenInput("a form of this model has one file of rows", code="input.form")
    return reader_of(_kind(files[0]))(files[0].data)


def _text(part: Part) -> str:
    try:
        return part.data.decode()
    except UnicodeDecodeError:
        raise BrokenInput("a value in the form is not UTF-8", code="input.form") from None


def _kind(file: Part) -> str:
    """What a file is: clients that do not know it by its name call it a stream of octets."""
    by_name = _KINDS.get(PurePosixPath(file.file or "").suffix.lower())
    return by_name if by_name and file.kind in _UNKNOWN else file.kind


_UNKNOWN = frozenset({"", "application/octet-stream", "text/plain"})
_KINDS = {
    ".csv": "text/csv",
    ".json": "application/json",
    ".parquet": "application/vnd.apache.parquet",
    ".arrow": "application/vnd.apache.arrow.file",
    ".arrows": "application/vnd.apache.arrow.stream",
}
