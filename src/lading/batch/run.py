"""A whole run: files in, an output and what was set aside out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import msgspec

from lading import __version__
from lading.batch.chunk import Chunk, Part, decode_part
from lading.batch.columns import answer_names, arrow_types
from lading.batch.folder import PartsFolder
from lading.batch.header_check import ColumnCheck
from lading.batch.kinds import TEXT_KINDS, Kind, kind_written, require
from lading.batch.lanes import in_order
from lading.batch.output import FileOutput, StdoutOutput, rejects_path
from lading.batch.plan import Plan
from lading.batch.reading import Reading
from lading.batch.sources import Source, refuse_changed
from lading.batch.tally import Tally
from lading.batch.targets import Lane, Target
from lading.engine.answer_columns import AnswerColumns
from lading.errors import UsageError
from lading.schema.fields import Schema
from lading.schema.synthetic import draw_rows
from lading.schema.words import printable


class Wish(msgspec.Struct, frozen=True):
    """What is wanted of a run.

    Attributes:
        out: where to write; None is stdout.
        kind: of the output; None is told by its suffix, or on stdout by the inputs.
        columns: put through in front of the answers; None puts the model's inputs there.
        proba: add the probabilities.
        restart: begin anew, whatever was done before.
    """

    out: Path | None
    kind: Kind | None = None
    columns: tuple[str, ...] | None = None
    proba: bool = False
    restart: bool = False


class _Item(NamedTuple):
    """A chunk, and which of all it is."""

    place: int
    chunk: Chunk


class _Scored(NamedTuple):
    """A part as bytes, and whether this run made it."""

    data: bytes
    is_fresh: bool


Tell = Callable[[Tally], None]


def run(target: Target, sources: Sequence[Source], wish: Wish, *, stdout: BinaryIO, tell: Tell) -> Tally:
    """Score files; `tell` is called whenever something is done, and `stdout` written to where no file is named.

    Raises:
        UsageError: the run cannot be as it is wished.
        InputError: a file has other columns than the model takes.
        LadingError: it was cut off; what is done stays for the next run.
    """
    kind = _kind_of_output(wish, sources)
    _refuse_same(sources, wish.out)
    tally = Tally(size=sum(source.size for source in sources))
    with ExitStack() as stack:
        first = stack.enter_context(Reading(sources[0]))
        check = ColumnCheck(target.answering.schema, wish.columns)
        _check_all(check, sources, first)
        plan = _plan(target, wish, kind, first.header.types)
        folder = None
        output: FileOutput | StdoutOutput = StdoutOutput(stdout, plan)
        if wish.out is not None:
            folder = stack.enter_context(_folder(target, sources, wish, plan))
            output = FileOutput(wish.out, folder, plan)
            tally.resumed = len(folder.done)
        stack.callback(output.close)
        tell(tally)
        for item, part, is_fresh in _parts(target, plan, _items(sources, first, plan), folder):
            source = sources[item.chunk.file]
            first_row = tally.add(source, item.chunk, part, is_fresh=is_fresh)
            output.add(part.body, part.rejects, source.path, first_row)
            tell(tally)
        output.end()
    return tally


def _kind_of_output(wish: Wish, sources: Sequence[Source]) -> Kind:
    by_name = kind_written(wish.out.name) if wish.out is not None and wish.kind is None else None
    kind: Kind = wish.kind or by_name or ("csv" if sources[0].kind == "csv" else "jsonl")
    require(kind)
    if wish.out is None and kind not in TEXT_KINDS:
        raise UsageError(f"{kind} is not written to stdout", hint="-o FILE, or --to csv")
    return kind


def _refuse_same(sources: Sequence[Source], out: Path | None) -> None:
    """Nothing is written over what is read."""
    if out is None:
        return
    if out.is_dir():
        raise UsageError(f"{printable(str(out))} is a folder", hint="name a file in it")
    for path in (out, rejects_path(out)):
        if path.exists() and any(source.is_steady and path.samefile(source.path) for source in sources):
            raise UsageError(f"{printable(str(path))} is read and would be written", hint="write elsewhere: -o FILE")


def _check_all(check: ColumnCheck, sources: Sequence[Source], first: Reading) -> None:
    check.check(sources[0], first.header)
    for source in sources[1:]:
        with Reading(source) as reading:
            check.check(source, reading.header)


def _plan(target: Target, wish: Wish, kind: Kind, types: Mapping[str, Any]) -> Plan:
    schema = target.answering.schema
    if wish.proba and not schema.has_probabilities:
        raise UsageError(f"{target.name} gives no probabilities")
    # Nobody wants to have hundreds of pixels back.
    lead = wish.columns if wish.columns is not None else schema.names if schema.image is None else ()
    answers = answer_names(schema, proba=wish.proba) or _asked_names(target)
    twice = next((name for name in lead if lead.count(name) > 1 or name in answers), None)
    if twice is not None:
        where = "is a column of the answers too" if twice in answers else "is named twice"
        raise UsageError(f"`{printable(twice)}` {where}", hint="say which columns to put through: --columns NAME,NAME")
    inputs = (*schema.names, *(name for name in lead if name not in schema.names))
    plan = Plan(inputs, lead, answers, wish.proba, kind)
    if kind in TEXT_KINDS:
        return plan
    return msgspec.structs.replace(plan, arrow_schema=arrow_types(schema, plan, types))


def _asked_names(target: Target) -> tuple[str, ...]:
    """The columns of the answers to an example, of a model whose schema does not name them."""
    schema: Schema = target.answering.schema
    answer = target.answering.answer(draw_rows(schema.inputs, None, 1), proba=True)
    return tuple(AnswerColumns(schema).of(answer.predictions, answer.probabilities))


def _folder(target: Target, sources: Sequence[Source], wish: Wish, plan: Plan) -> PartsFolder:
    """The folder of the output, which says what the run is of: parts of another one are not mixed with its own."""
    assert wish.out is not None
    about = {
        "version": __version__,
        "model": target.identity,
        "inputs": [[source.path, source.kind, source.size, source.modified_ns] for source in sources],
        "options": [wish.columns, wish.proba, plan.kind, plan.answers],
    }
    is_resumable = all(source.is_steady for source in sources)
    return PartsFolder(wish.out, about, is_resumable=is_resumable, restart=wish.restart)


def _items(sources: Sequence[Source], first: Reading, plan: Plan) -> Iterator[_Item]:
    place = 0
    for number, source in enumerate(sources):
        with Reading(source, number) if number else first as reading:
            for chunk in reading.chunks(plan.inputs):
                yield _Item(place, chunk)
                place += 1
        refuse_changed(source)


def _parts(
    target: Target, plan: Plan, items: Iterator[_Item], folder: PartsFolder | None
) -> Iterator[tuple[_Item, Part, bool]]:
    """What comes of each chunk, in their order, and whether this run made it."""

    def keep(item: _Item, scored: _Scored) -> None:
        if folder is not None and scored.is_fresh:
            folder.keep(item.place, scored.data)

    few = list(islice(items, 2))
    with target.lanes(plan, is_alone=len(few) < 2) as lanes:
        scoring = [_unless_done(lane, folder) for lane in lanes]
        with closing(in_order(chain(few, items), scoring, keep)) as results:
            for item, scored in results:
                part = decode_part(scored.data)
                assert part is not None
                yield item, part, scored.is_fresh


def _unless_done(lane: Lane, folder: PartsFolder | None) -> Callable[[_Item], _Scored]:
    """Scores a chunk, unless that was done in an earlier run."""

    def score(item: _Item) -> _Scored:
        kept = folder.read(item.place) if folder is not None else None
        if kept is not None and decode_part(kept) is not None:
            return _Scored(kept, is_fresh=False)
        return _Scored(lane(item.chunk), is_fresh=True)

    return score
