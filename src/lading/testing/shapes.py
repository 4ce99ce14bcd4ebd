"""Cases of shapes: the same rows have the same answers, however they are sent."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from lading.remote.wire import CSV, Reply, Request, post, post_json
from lading.schema.cells import read_cell
from lading.testing.answers import ROW, is_number, kind_in_words, wrong_answers
from lading.testing.case import Case
from lading.testing.subject import Subject

TOLERANCE = 1e-6
"""By what share of the largest number two answers to the same rows may differ."""
MAX_QUERY_CHARS = 4_000


def shape_cases(subject: Subject) -> Iterator[Case]:
    """Rows as a list, as columns and data, as CSV, alone, and as query parameters."""
    yield from _shapes(subject)
    if (query := _query(subject)) is not None:
        yield _by_query(subject, query)


def _shapes(subject: Subject) -> Iterator[Case]:
    names, rows = subject.schema.names, subject.rows
    objects = [dict(zip(names, row, strict=True)) for row in rows]
    listed = post(subject.route, objects)
    words = f"{len(rows)} rows"

    def judge(replies: Sequence[Reply]) -> str | None:
        return wrong_answers(subject, replies[0], len(rows))

    expects = f"200 and for each {kind_in_words(subject.output)}"
    yield Case("rows as a list", f"{words} as a list of objects", expects, (listed,), judge)
    split = post(subject.route, {"columns": names[::-1], "data": [row[::-1] for row in rows]})
    first = _Sent(listed, len(rows))
    yield _same(subject, "rows as columns and data", f"{words} as columns and data", first, [_Sent(split, len(rows))])
    if (text := csv_text(subject, rows)) is not None:
        request = post_json(subject.route, text.encode(), CSV)
        yield _same(subject, "rows as CSV", f"{words} as CSV", first, [_Sent(request, len(rows))])
    alone = [_Sent(post(subject.route, row), 1, is_single=True) for row in objects]
    yield _same(subject, "rows alone", f"{words}, each alone", first, alone)


class _Sent(msgspec.Struct, frozen=True):
    """A request, how many rows are in it, and whether they are one object."""

    request: Request
    rows: int
    is_single: bool = False


def _same(subject: Subject, name: str, sends: str, first: _Sent, others: Sequence[_Sent]) -> Case:
    """The case that the rows have the same answers as in the first request."""
    sent = (first, *others)

    def judge(replies: Sequence[Reply]) -> str | None:
        told = []
        for one, reply in zip(sent, replies, strict=True):
            if wrong := wrong_answers(subject, reply, one.rows, is_single=one.is_single):
                return wrong
            told.append(subject.predictions(reply, is_single=one.is_single) or [])
        before, *after = told
        return None if are_alike(before, list(chain.from_iterable(after))) else "200 with other answers"

    return Case(name, sends, "the answers that they have as JSON", tuple(one.request for one in sent), judge)


def are_alike(one: Any, other: Any) -> bool:
    """Whether two answers are the same, their numbers as far as `TOLERANCE` of the largest goes."""
    return _is_alike(one, other, TOLERANCE * max([1e-3, *map(abs, _numbers(one))]))


def _is_alike(one: Any, other: Any, tolerance: float) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_is_alike(*pair, tolerance) for pair in zip(one, other, strict=True))
    if is_number(one) and is_number(other):
        return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=tolerance)
    return type(one) is type(other) and bool(one == other)


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, list):
        for part in value:
            yield from _numbers(part)
    elif is_number(value):
        yield value


def csv_text(subject: Subject, rows: Sequence[Sequence[Any]]) -> str | None:
    """The rows as CSV; None where a cell would be read as another one, as an empty text is."""
    if not all(_is_kept(subject, row) for row in rows):
        return None
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([subject.schema.names, *rows])
    return text.getvalue()


def _is_kept(subject: Subject, row: Sequence[Any]) -> bool:
    pairs = zip(subject.schema.inputs, row, strict=True)
    return all(read_cell(field, "" if cell is None else str(cell)) == cell for field, cell in pairs)


def _query(subject: Subject) -> str | None:
    """The example row as query parameters; None where it cannot be sent so."""
    row = subject.example
    if len(row) > MAX_QUERY_CHARS // 4 or not _is_kept(subject, list(row.values())):
        return None
    query = urlencode(row, quote_via=quote)
    return query if len(query) <= MAX_QUERY_CHARS else None


def _by_query(subject: Subject, query: str) -> Case:
    posted = _Sent(post(subject.route, subject.example), 1, is_single=True)
    asked = _Sent(Request("GET", f"{subject.route}?{query}"), 1, is_single=True)
    return _same(subject, "one row by GET", f"{ROW} as query parameters", posted, [asked])
