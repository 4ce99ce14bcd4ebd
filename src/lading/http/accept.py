"""In which media type an answer goes back, by what the request accepts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from lading.http.content import ARROW, CSV, JSON, PARQUET
from lading.http.problems import HttpError
from lading.schema.arrow import stream as arrow_stream

FIELD = b"accept"
_GIVEN = (JSON, CSV, ARROW, PARQUET)
"""In the order in which they are preferred where the request has no preference."""
_OF_PYARROW = frozenset({ARROW, PARQUET})
_MAX_RANGES = 64
_WEIGHT = re.compile(r"0(?:\.\d{0,3})?|1(?:\.0{0,3})?")


class _Range(NamedTuple):
    """A range of media types that the request names, and how much it wants one of them."""

    pattern: str
    weight: float

    def specificity(self, kind: str) -> int:
        """How exactly a media type is meant; 0 where it is not."""
        patterns = (kind, f"{kind.partition('/')[0]}/*", "*/*")
        return 3 - patterns.index(self.pattern) if self.pattern in patterns else 0


def accepted(fields: Iterable[tuple[bytes, bytes]]) -> str:
    """The media type of the answer to a request of these fields, whose names are in lower case (RFC 9110, 12.5.1).

    JSON where none is accepted that there is: what cannot be read is more than nothing.

    Raises:
        HttpError: 406 where only media types are accepted that need a library which is not installed.
    """
    values = [value for name, value in fields if name == FIELD]
    if not values:
        return JSON
    ranges = _ranges(b",".join(values).decode("latin-1").lower())
    ranked = sorted(((_rank(kind, ranges), kind) for kind in _GIVEN), reverse=True, key=lambda pair: pair[0])
    wanted = [kind for rank, kind in ranked if rank[0]]
    given = [kind for kind in wanted if kind not in _OF_PYARROW or arrow_stream.is_installed()]
    if wanted and not given:
        raise _not_installed(wanted[0])
    return given[0] if given else JSON


def _rank(kind: str, ranges: list[_Range]) -> tuple[float, int, int]:
    """How much a media type is wanted: by weight, then as it is named itself, then as it is named first."""
    meant = [(each.specificity(kind), -place, each.weight) for place, each in enumerate(ranges)]
    specificity, place, weight = max(meant, default=(0, 0, 0.0))
    return (weight, specificity, place) if specificity else (0.0, 0, 0)


def _ranges(text: str) -> list[_Range]:
    """The first ranges of a field's value, without those that cannot be read."""
    ranges = []
    for part in text.split(",", _MAX_RANGES)[:_MAX_RANGES]:
        pattern, *parameters = (word.strip() for word in part.split(";"))
        weight = next((word[2:].strip() for word in parameters if word.startswith("q=")), "1")
        if _WEIGHT.fullmatch(weight):
            ranges.append(_Range(pattern, float(weight)))
    return ranges


def _not_installed(kind: str) -> HttpError:
    given = ", ".join(each for each in _GIVEN if each not in _OF_PYARROW)
    detail = f'there are {given}; {kind} needs pyarrow: pip install "lading[arrow]"'
    return HttpError(406, "Not acceptable", detail, "request.not_acceptable")
