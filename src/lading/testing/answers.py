"""Cases of answers: of the right kind, with their ids, with probabilities, and as they were at packing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from lading.engine.golden import PROBABILITY_TOLERANCE, Golden, differing
from lading.remote.about import answer_key
from lading.remote.wire import Reply, Request, post
from lading.schema.fields import Output, Value
from lading.testing.case import Case
from lading.testing.subject import Subject

_IDS = (("x-request-id", "lading-check-17"), ("x-correlation-id", "lading-check-all"))
ROW = "the example row"


def answer_cases(subject: Subject) -> Iterator[Case]:
    """What rows that are as they should be are answered."""
    yield _one_row(subject)
    yield _ids(subject)
    if subject.schema.has_probabilities:
        yield _probabilities(subject)
    if subject.golden is not None:
        yield _golden(subject, subject.golden)


# --- of the right kind


def kind_in_words(output: Output) -> str:
    """What one prediction has to be."""
    words = {"BOOL": "a boolean", "INT64": "an integer", "FP64": "a number", "BYTES": "a string"}[output.datatype]
    if len(output.shape) > 1:
        return f"a list of {output.shape[1]}" if output.shape[1] >= 0 else "a list"
    if output.labels or output.classes:
        return "one of its labels" if output.labels else "one of its classes"
    return f"{words} within {output.range}" if output.range else words


def is_of_kind(output: Output, value: Any) -> bool:
    """Whether a value is what one prediction has to be."""
    if len(output.shape) > 1:
        width = output.shape[1]
        is_wide = isinstance(value, list) and (width < 0 or len(value) == width)
        return is_wide and all(_is_value(output, part) for part in value)
    names: Sequence[Value] = output.labels or output.classes
    if names:
        return any(type(value) is type(name) and value == name for name in names)
    return _is_value(output, value)


def _is_value(output: Output, value: Any) -> bool:
    kinds: dict[str, set[type]] = {"BOOL": {bool}, "INT64": {int}, "FP64": {int, float}, "BYTES": {str}}
    if type(value) not in kinds[output.datatype]:
        return False
    return output.range is None or isinstance(value, str) or value in output.range


def wrong_answers(subject: Subject, reply: Reply, rows: int, *, is_single: bool = False) -> str | None:
    """What is wrong with an answer for so many rows; None where nothing is."""
    if reply.status != 200:
        return str(reply)
    predictions = subject.predictions(reply, is_single=is_single)
    if predictions is None:
        return f"200 without `{answer_key(subject.schema, is_single=is_single)}`"
    if len(predictions) != rows:
        return f"200 with {len(predictions)} predictions"
    are_fine = all(is_of_kind(subject.output, prediction) for prediction in predictions)
    return None if are_fine else "200 with a prediction that is not of this kind"


def _one_row(subject: Subject) -> Case:
    def judge(replies: Sequence[Reply]) -> str | None:
        (reply,) = replies
        if wrong := wrong_answers(subject, reply, 1, is_single=True):
            return wrong
        return None if reply.headers.get("x-request-id") else "200 without the header x-request-id"

    key = answer_key(subject.schema, is_single=True)
    expects = f"200, an id, and as `{key}` {kind_in_words(subject.output)}"
    return Case("one row", f"{ROW} as an object", expects, (post(subject.route, subject.example),), judge)


def _ids(subject: Subject) -> Case:
    def judge(replies: Sequence[Reply]) -> str | None:
        (reply,) = replies
        if reply.status != 200:
            return str(reply)
        lost = [name for name, value in _IDS if reply.headers.get(name) != value]
        return f"200 with another {lost[0]}" if lost else None

    plain = post(subject.route, subject.example)
    request = Request(plain.method, plain.path, plain.body, plain.headers + _IDS)
    names = " and ".join(name for name, _ in _IDS)
    return Case("ids", f"{ROW} with {names}", "200 with the same", (request,), judge)


# --- probabilities


def _probabilities(subject: Subject) -> Case:
    output = next(output for output in subject.schema.outputs if output.name == "probabilities")
    is_shared = len(subject.output.shape) == 1
    names = set(output.columns)

    def judge(replies: Sequence[Reply]) -> str | None:
        (reply,) = replies
        if reply.status != 200:
            return str(reply)
        told = reply.object.get("probabilities")
        targets = told if isinstance(told, list) else [told]
        if names and (not isinstance(told, dict) or told.keys() != names):
            return "200 with probabilities that have other names"
        if not all(are_probabilities(target, has_sum=is_shared or not names) for target in targets):
            return "200 with probabilities that do not sum to 1" if is_shared else "200 with other numbers"
        return None

    expects = "200 and a probability for each class" + (", which sum to 1" if is_shared else "")
    request = post(f"{subject.route}?proba=1", subject.example)
    return Case("probabilities", f"{ROW} with proba=1", expects, (request,), judge)


def are_probabilities(target: Any, *, has_sum: bool) -> bool:
    """Whether these are numbers from 0 to 1 that, of the classes of one target, sum to 1."""
    numbers = list(target.values()) if isinstance(target, dict) else target
    if not isinstance(numbers, list) or not numbers or not all(map(is_number, numbers)):
        return False
    # Not 1e-6: a forest of some hundreds of trees, summed in 32 bits, may be further off.
    are_within = all(-PROBABILITY_TOLERANCE <= number <= 1 + PROBABILITY_TOLERANCE for number in numbers)
    return are_within and (not has_sum or math.isclose(sum(numbers), 1, abs_tol=PROBABILITY_TOLERANCE))


def is_number(value: object) -> bool:
    """Whether a JSON value is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


# --- golden rows


def _golden(subject: Subject, golden: Golden) -> Case:
    names, rows = subject.schema.names, golden.rows
    path = subject.route + ("?proba=1" if golden.probabilities is not None else "")
    step = max(1, 20_000 // len(names))
    parts = [rows[start : start + step] for start in range(0, len(rows), step)]
    requests = tuple(post(path, {"columns": names, "data": part}) for part in parts)

    def judge(replies: Sequence[Reply]) -> str | None:
        for reply, part in zip(replies, parts, strict=True):
            if wrong := wrong_answers(subject, reply, len(part)):
                return wrong
        predictions = _joined([subject.predictions(reply) for reply in replies])
        probabilities = _joined([reply.object.get("probabilities") for reply in replies])
        if golden.probabilities is not None and len(probabilities) != len(rows):
            return "200 without all the probabilities"
        wrong_rows = differing((golden.predictions, golden.probabilities), (predictions, probabilities))
        return f"another one for {len(wrong_rows)}, row {wrong_rows[0]} first" if wrong_rows else None

    expects = "for each the answer that it had at packing"
    return Case("golden rows", f"{len(rows)} golden rows", expects, requests, judge)


def _joined(parts: Sequence[Any]) -> list[Any]:
    return [value for part in parts if isinstance(part, list) for value in part]
