"""Cases of inputs that do not fit the schema: each problem is told with its column, and no value comes back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from lading.remote.wire import Reply, Request, post, post_json
from lading.schema.cells import Complaint, accepts, cell_checker
from lading.schema.fields import Field
from lading.schema.images import KEY
from lading.schema.problems import MAX_LISTED, suggest
from lading.testing.answers import ROW, wrong_answers
from lading.testing.case import Case, Spot, input_refusal
from lading.testing.subject import Subject

CANARY = "lading-canary-5f0c"
"""A text that no service has of itself: where it comes back, it was repeated."""
_OF_SEVERAL_TYPES = ("text", 17)


def column_cases(subject: Subject) -> Iterator[Case]:
    """For each column: missing, null, of another type, outside of what is allowed."""
    row = subject.example
    for field in subject.own_columns:
        yield _missing(subject, row, field)
        yield _null(subject, row, field)
        yield from _refused(subject, row, field, "schema.wrong_type", "of another type", _OF_SEVERAL_TYPES)
        for code in ("schema.not_allowed", "schema.out_of_domain"):
            yield from _refused(subject, row, field, code, "outside", _outsiders(field))


def _missing(subject: Subject, row: Mapping[str, Any], field: Field) -> Case:
    rest = {name: value for name, value in row.items() if name != field.name}
    spots = [Spot(field.name, "schema.missing_column")]
    return input_refusal(f"{field.name}: missing", f"{ROW} without `{field.name}`", post(subject.route, rest), spots)


def _null(subject: Subject, row: Mapping[str, Any], field: Field) -> Case:
    request = post(subject.route, {**row, field.name: None})
    name, sends = f"{field.name}: null", f"{ROW} with null as `{field.name}`"
    if not field.nullable:
        return input_refusal(name, sends, request, [Spot(field.name, "schema.null")])

    def judge(replies: Sequence[Reply]) -> str | None:
        return wrong_answers(subject, replies[0], 1, is_single=True)

    return Case(name, sends, "an answer, because the schema takes null there", (request,), judge)


def _refused(
    subject: Subject, row: Mapping[str, Any], field: Field, code: str, words: str, values: Iterable[object]
) -> Iterator[Case]:
    """The case of a value that the column refuses for this reason, where there is such a value."""
    value = next((value for value in values if complaint(field, value) == code), None)
    if value is not None:
        request = post(subject.route, {**row, field.name: value})
        sends = f"{ROW} with a value {words} as `{field.name}`"
        yield input_refusal(f"{field.name}: {words}", sends, request, [Spot(field.name, code)])


def complaint(field: Field, value: object) -> str | None:
    """The code of what is wrong with a cell of this column; None where nothing is."""
    try:
        cell_checker(field)(value)
    except Complaint as told:
        return told.code
    return None


def _outsiders(field: Field) -> Iterator[object]:
    """Values of the column's own kind, of which some may be outside of what it allows."""
    yield from (CANARY, True, False, "1999-12-31", "2001-01-01")
    interval = field.interval
    bounds = [interval.maximum, interval.minimum] if interval is not None else [0.0]
    bounds += [value for value in field.values if isinstance(value, int | float)]
    for bound in bounds:
        if bound is not None:
            # One unit is nothing beside a large number, and its size may be more than a small dtype holds.
            steps = (1.0, -1.0, abs(bound), -abs(bound))
            yield from (round(bound + step) if field.value_kind == "int" else bound + step for step in steps)


# --- problems together


def problem_cases(subject: Subject) -> Iterator[Case]:
    """Several problems at once, misspelt names, rows in a list, and that no value is repeated."""
    yield _all_missing(subject)
    yield from _two_wrong(subject)
    yield from _misspelt(subject)
    yield from _row_in_list(subject)
    yield from _echoes(subject)


def _all_missing(subject: Subject) -> Case:
    names = subject.schema.names if subject.schema.image is None else (KEY,)
    spots = [Spot(name, "schema.missing_column") for name in names[:MAX_LISTED]]
    what = f"all {len(names)} columns" if len(names) <= MAX_LISTED else f"the first {MAX_LISTED} columns"
    request = post(subject.route, {})
    return input_refusal("every column missing", "an object without columns", request, spots, f"422 naming {what}")


def _wrong_cells(subject: Subject) -> dict[str, object]:
    """For columns that refuse values of another type, such a value."""
    found: dict[str, object] = {}
    for field in subject.own_columns:
        value = next((value for value in _OF_SEVERAL_TYPES if complaint(field, value) == "schema.wrong_type"), None)
        if value is not None:
            found[field.name] = value
    return found


def _two_wrong(subject: Subject) -> Iterator[Case]:
    wrong = dict(list(_wrong_cells(subject).items())[-2:])
    if len(wrong) == 2:
        request = post(subject.route, subject.example | wrong)
        spots = [Spot(name, "schema.wrong_type") for name in wrong]
        yield input_refusal("two problems at once", f"{ROW} with two values of another type", request, spots)


def _misspelt(subject: Subject) -> Iterator[Case]:
    row = subject.example
    name = subject.own_columns[-1].name
    written = next((name + end for end in ("x", "xx", "xy", "s") if name + end not in _taken(subject)), None)
    if written is None or suggest(written, [name]) != name:
        return
    renamed = {written if key == name else key: value for key, value in row.items()}
    spots = [Spot(written, "schema.unknown_column", suggestion=name), Spot(name, "schema.missing_column")]
    sends = f"{ROW} with `{name}` misspelt"
    yield input_refusal("a misspelt column", sends, post(subject.route, renamed), spots)


def _row_in_list(subject: Subject) -> Iterator[Case]:
    row = subject.example
    for name, value in list(_wrong_cells(subject).items())[:1]:
        request = post(subject.route, [row, row, {**row, name: value}, row])
        spots = [Spot(name, "schema.wrong_type", row=2)]
        yield input_refusal("a wrong row in a list", f"four rows, of which row 2 has a wrong `{name}`", request, spots)


def _echoes(subject: Subject) -> Iterator[Case]:
    row, route = subject.example, subject.route
    refusing = (field for field in subject.own_columns if not accepts(cell_checker(field), CANARY))
    if (field := next(refusing, None)) is not None:
        yield _echo("a wrong value", 422, post(route, {**row, field.name: CANARY}))
    unknown = next(name for name in ("another", "another1", "another2") if name not in _taken(subject))
    yield _echo("the value of an unknown column", 422, post(route, {**row, unknown: CANARY}))
    yield _echo("a broken body", 400, post_json(route, b'{"' + CANARY.encode()))


def _taken(subject: Subject) -> set[str]:
    return {*subject.schema.names, *subject.schema.unused}


def _echo(what: str, status: int, request: Request) -> Case:
    def judge(replies: Sequence[Reply]) -> str | None:
        (reply,) = replies
        if reply.status != status:
            return str(reply)
        return f"{status} that repeats it" if CANARY.encode() in reply.body else None

    return Case(f"no echo of {what}", f"a made-up text as {what}", f"{status} without that text", (request,), judge)
