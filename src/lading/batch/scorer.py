"""Scores chunks: rows are checked as those of requests are, answered, and written; those that cannot be are set aside.

A chunk is decoded whole. Only where that fails, the rows that are wrong are looked for in ever smaller blocks; rows
that the model fails on are found in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from lading.batch.answering import Answering
from lading.batch.chunk import Chunk, Part, Reject, Seen
from lading.batch.columns import RowWriter
from lading.batch.plan import Plan, accepting
from lading.batch.rows import Places, Rows, rows_of
from lading.engine.answer_columns import AnswerColumns
from lading.engine.answers import Answer
from lading.errors import BrokenInput, InputError, LadingError, PredictionFailed, TooLarge
from lading.schema.decode import UNLIMITED, Decoder
from lading.schema.problems import Problem
from lading.schema.table import Row
from lading.schema.values import plain

_BLOCK_ROWS = 256
"""Rows of the blocks that are looked at where something is wrong: in most of these, all problems are listed."""
_SPLIT = 16
"""Parts of such a block, where that does not suffice."""
OF_THE_ROWS = (InputError, BrokenInput, TooLarge, PredictionFailed)
"""What is wrong with rows, and not with all that could come."""


@dataclass
class _Block:
    """Checked rows, where they stand among the rows of the file, and their answer or why there is none."""

    places: Places
    rows: Sequence[Row]
    answer: Answer | LadingError


@dataclass
class _Result:
    """What came of rows so far."""

    writer: RowWriter
    rejects: list[Reject] = field(default_factory=list)
    unusual: dict[tuple[str, str], int] = field(default_factory=dict)

    def reject(self, first: int, rows: Rows, place: int, errors: Sequence[Mapping[str, Any]]) -> None:
        told = _encode({"errors": errors, "input": rows.original(place)})
        why = ": ".join(filter(None, [errors[0].get("column"), errors[0]["detail"]]))
        self.rejects.append(Reject(first + place, told[1:], why))

    def warn(self, answer: Answer) -> None:
        for warning in answer.warnings:
            key = (warning.column, warning.detail)
            self.unusual[key] = self.unusual.get(key, 0) + warning.rows


class Scorer:
    """Scores the chunks of a run; made once for each process."""

    def __init__(self, answering: Answering, plan: Plan) -> None:
        self._answering = answering
        self._plan = plan
        self._schema = answering.schema
        self._decoder = Decoder(accepting(answering.schema, plan.lead), UNLIMITED)
        self._columns = AnswerColumns(answering.schema)

    def score(self, chunk: Chunk) -> Part:
        """What comes of a chunk.

        Raises:
            LadingError: of the chunk as a whole nothing can come.
        """
        result = _Result(RowWriter(self._plan))
        count = 0
        for rows in rows_of(chunk, self._plan.inputs):
            start = len(result.rejects)
            for places, checked in self._check(rows, range(rows.count), count, result):
                self._answer(rows, places, checked, count, result)
            result.rejects[start:] = sorted(result.rejects[start:], key=lambda reject: reject.row)
            count += rows.count
        unusual = [Seen(column, detail, number) for (column, detail), number in result.unusual.items()]
        return Part(count, result.writer.take(), result.rejects, unusual)

    def _check(self, rows: Rows, places: Places, first: int, result: _Result) -> Iterator[tuple[Places, Sequence[Row]]]:
        """The rows that fit, in blocks."""
        if not places:
            return
        try:
            checked = rows.decode(self._decoder, places)
        except (InputError, BrokenInput) as error:
            by_row = _errors_by_row(error, len(places))
        else:
            if len(checked) == len(places):
                yield places, checked
                return
            by_row = {0: [{"code": "input.broken", "detail": "not one row"}]} if len(places) == 1 else None
        if by_row is None:
            for part in _split(places):
                yield from self._check(rows, part, first, result)
            return
        for position, errors in by_row.items():
            result.reject(first, rows, places[position], errors)
        yield from self._check(rows, [place for at, place in enumerate(places) if at not in by_row], first, result)

    def _answer(self, rows: Rows, places: Places, checked: Sequence[Row], first: int, result: _Result) -> None:
        most = self._answering.most_rows
        parts = [(places[start : start + most], checked[start : start + most]) for start in range(0, len(places), most)]
        for blocks in self._answering.map(self._ask, parts):
            for block in blocks:
                if isinstance(block.answer, Answer):
                    self._write(rows, block, block.answer, result)
                else:
                    result.reject(first, rows, block.places[0], _errors(block.answer))

    def _ask(self, part: tuple[Places, Sequence[Row]]) -> list[_Block]:
        """The answers for rows, in blocks; a block without one is of one row."""
        places, checked = part
        try:
            return [_Block(places, checked, self._answering.answer(checked, proba=self._plan.proba))]
        except OF_THE_ROWS as error:
            if len(places) == 1:
                return [_Block(places, checked, error)]
        parts = zip(_split(places), _split(checked), strict=True)
        return [block for some in parts for block in self._ask(some)]

    def _write(self, rows: Rows, block: _Block, answer: Answer, result: _Result) -> None:
        result.warn(answer)
        answers = self._columns.of(answer.predictions, answer.probabilities)
        if tuple(answers) != self._plan.answers:
            raise LadingError("the answers have other columns than those of the first rows")
        lead = [self._lead(name, rows, block) for name in self._plan.lead]
        result.writer.write([*lead, *answers.values()])

    def _lead(self, name: str, rows: Rows, block: _Block) -> Any:
        """A column in front of the answers: of a table as it is there, of text what an input was read as."""
        if rows.are_typed or name not in self._schema.names:
            return rows.column(name, block.places)
        place = self._schema.names.index(name)
        cells = [row[place] for row in block.rows]
        return list(map(plain, cells)) if self._schema.inputs[place].kind == "date" else cells


def _split(values: Sequence[Any]) -> list[Any]:
    step = _BLOCK_ROWS if len(values) > _BLOCK_ROWS else -(-len(values) // _SPLIT)
    return [values[start : start + step] for start in range(0, len(values), step)]


def _errors_by_row(error: InputError | BrokenInput, count: int) -> dict[int, list[dict[str, Any]]] | None:
    """The errors by the positions of the rows that they are of; None where they are not told for each row."""
    if count == 1:
        return {0: _errors(error)}
    if not isinstance(error, InputError) or error.total > len(error.problems):
        return None
    by_row: dict[int, list[dict[str, Any]]] = {}
    for problem in error.problems:
        if problem.row is None:
            return None
        by_row.setdefault(problem.row, []).append(_told(problem))
    return by_row


def _errors(error: LadingError) -> list[dict[str, Any]]:
    """What is wrong with one row."""
    if isinstance(error, InputError):
        return [_told(problem) for problem in error.problems]
    return [{"code": error.code, "detail": error.message}]


def _told(problem: Problem) -> dict[str, Any]:
    """A problem without where it stands in a body, which nobody sent."""
    told: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(problem, row=None, pointer=""))
    told.pop("pointer")
    return told


_encode: Callable[[Any], bytes] = msgspec.json.Encoder(enc_hook=str).encode
