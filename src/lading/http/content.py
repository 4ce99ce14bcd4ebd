"""What a request's body is, by its content type, and who decodes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from starlette.types import Scope

from lading.http.problems import HttpError
from lading.schema import arrow_stream
from lading.schema.decode import Decoded, Decoder

JSON = "application/json"
CSV = "text/csv"
ARROW = "application/vnd.apache.arrow.stream"


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
        HttpError: 415 for a content type or charset that is not taken, for a content coding, and for none.
    """
    headers = {name: value for name, value in scope["headers"] if name in (b"content-type", b"content-encoding")}
    if headers.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        raise _unsupported("content codings are not taken: send the body as it is")
    kind, _, parameters = headers.get(b"content-type", b"").decode("latin-1").lower().partition(";")
    kind = kind.strip()
    if kind == ARROW:
        # The first one imports a library, which takes longer than any small body may.
        return Content(_of_pyarrow("Arrow streams", decoder.arrow), is_quick=False)
    if kind != CSV and not _is_json(kind):
        raise _unsupported("say what the body is: -H 'content-type: application/json', text/csv or an Arrow stream")
    _refuse_charset(parameters)
    return Content(decoder.csv if kind == CSV else decoder.json)


def _is_json(kind: str) -> bool:
    return kind == JSON or (kind.startswith("application/") and kind.endswith("+json"))


def _of_pyarrow(what: str, decode: Callable[[bytes], Decoded]) -> Callable[[bytes], Decoded]:
    if not arrow_stream.is_installed():
        raise _unsupported(f'{what} are read by pyarrow, which is not installed: pip install "lading[arrow]"')
    return decode


def _refuse_charset(parameters: str) -> None:
    parts = (part.partition("=") for part in parameters.split(";"))
    charsets = {value.strip().strip('"') for name, _, value in parts if name.strip() == "charset"}
    if not charsets <= {"utf-8", "utf8"}:
        raise _unsupported("the body is to be UTF-8")


def _unsupported(detail: str) -> HttpError:
    taken = (JSON, CSV, ARROW) if arrow_stream.is_installed() else (JSON, CSV)
    return HttpError(415, "Content type not taken", detail, "input.content_type", Accept=", ".join(taken))
