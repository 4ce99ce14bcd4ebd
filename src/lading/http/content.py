"""What a request's body is, by its content type, and who decodes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from starlette.types import Scope

from lading.http.forms import rows_of
from lading.http.multipart import boundary_of, parts_of
from lading.http.problems import HttpError
from lading.schema.arrow import stream as arrow_stream
from lading.schema.decode import Decoded, Decoder
from lading.schema.image_file import MEDIA_TYPES

JSON = "application/json"
CSV = "text/csv"
ARROW = "application/vnd.apache.arrow.stream"
ARROW_FILE = "application/vnd.apache.arrow.file"
PARQUET = "application/vnd.apache.parquet"
FORM = "multipart/form-data"
MAX_PARTS = 10_000
_NOT_TAKEN = "Content type not taken"


class Content(NamedTuple):
    """How the body of a request is read.

    Attributes:
        decode: gives its rows.
        is_quick: a small body may be read in the event loop.
    """

    decode: Callable[[bytes], Decoded]
    is_quick: bool = True


def content_of(scope: Scope, decoder: Decoder) -> Content:
    """How a request's body is read.

    Raises:
        HttpError: 415 for a content type or charset that is not taken, and for none.
    """
    content_type = _content_type(scope)
    kind, parameters = _kind_of(content_type)
    if kind == FORM:
        return Content(_form_reader(content_type, decoder), is_quick=False)
    return _of_kind(kind, parameters, decoder)


def check_json(scope: Scope) -> None:
    """Nothing, for a body that is JSON, or of which nothing is said; where only JSON is taken.

    Raises:
        HttpError: 415 for another content type or charset.
    """
    kind, parameters = _kind_of(_content_type(scope))
    if kind and not _is_json(kind):
        raise HttpError(415, _NOT_TAKEN, "the body is to be JSON", "input.content_type", Accept=JSON)
    _refuse_charset(parameters)


def _content_type(scope: Scope) -> bytes:
    return next((value for name, value in scope["headers"] if name == b"content-type"), b"")


def _kind_of(content_type: bytes) -> tuple[str, str]:
    """The media type, and its parameters."""
    kind, _, parameters = content_type.decode("latin-1").lower().partition(";")
    return kind.strip(), parameters


def _form_reader(content_type: bytes, decoder: Decoder) -> Callable[[bytes], Decoded]:
    boundary = boundary_of(content_type)

    def decode(body: bytes) -> Decoded:
        parts = parts_of(body, boundary, max_parts=MAX_PARTS)
        return rows_of(parts, decoder, lambda kind: _of_kind(kind, "", decoder).decode)

    return decode


def _of_kind(kind: str, parameters: str, decoder: Decoder) -> Content:
    if kind in MEDIA_TYPES.values():
        return Content(_image_reader(decoder), is_quick=False)
    if kind in _OF_PYARROW:
        # The first one imports a library, which takes longer than any small body may.
        return Content(_of_pyarrow(kind, decoder), is_quick=False)
    if kind != CSV and not _is_json(kind) and decoder.takes_images:
        raise _unsupported(f"an image is one of {', '.join(MEDIA_TYPES)}: -F file=@image.png")
    if kind != CSV and not _is_json(kind):
        raise _unsupported("say what the body is: -H 'content-type: application/json', text/csv, Arrow or Parquet")
    _refuse_charset(parameters)
    # To decode an image takes as long as its size says, however small its file is.
    return Content(decoder.csv) if kind == CSV else Content(decoder.json, is_quick=not decoder.takes_images)


def _image_reader(decoder: Decoder) -> Callable[[bytes], Decoded]:
    if not decoder.takes_images:
        raise _unsupported("this model takes no images")
    return lambda body: decoder.images([body], is_single=True)


def _is_json(kind: str) -> bool:
    return kind == JSON or (kind.startswith("application/") and kind.endswith("+json"))


_OF_PYARROW: Mapping[str, tuple[str, Callable[[Decoder], Callable[[bytes], Decoded]]]] = {
    ARROW: ("Arrow streams", lambda decoder: decoder.arrow),
    ARROW_FILE: ("Arrow files", lambda decoder: decoder.arrow_file),
    PARQUET: ("Parquet files", lambda decoder: decoder.parquet),
}


def _of_pyarrow(kind: str, decoder: Decoder) -> Callable[[bytes], Decoded]:
    what, decode_of = _OF_PYARROW[kind]
    if not arrow_stream.is_installed():
        raise _unsupported(f'{what} are read by pyarrow, which is not installed: pip install "lading[arrow]"')
    return decode_of(decoder)


def _refuse_charset(parameters: str) -> None:
    parts = (part.partition("=") for part in parameters.split(";"))
    charsets = {value.strip().strip('"') for name, _, value in parts if name.strip() == "charset"}
    if not charsets <= {"utf-8", "utf8"}:
        raise _unsupported("the body is to be UTF-8")


def _unsupported(detail: str) -> HttpError:
    taken = (JSON, CSV, FORM, *(_OF_PYARROW if arrow_stream.is_installed() else ()))
    return HttpError(415, _NOT_TAKEN, detail, "input.content_type", Accept=", ".join(taken))
