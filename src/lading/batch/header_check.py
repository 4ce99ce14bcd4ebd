"""Whether the columns of a file are what a model takes: told for the whole file, before its rows are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lading.batch.plan import accepting
from lading.batch.reading import Header
from lading.batch.sources import Source
from lading.errors import InputError, UsageError
from lading.schema.arrow.stream import is_flat
from lading.schema.decode import Decoder, Limits
from lading.schema.fields import Schema
from lading.schema.problems import Problem
from lading.schema.rows import RowChecker
from lading.schema.words import printable

_NAMELESS = "Unnamed: 0"
_OTHER_SEPARATORS = frozenset(";\t|")


class ColumnCheck:
    """Refuses files whose columns are not what the model takes; made once for all of them."""

    def __init__(self, schema: Schema, put_through: tuple[str, ...] | None) -> None:
        self._schema = schema
        self._put_through = put_through or ()
        self._accepting = accepting(schema, self._put_through)

    def check(self, source: Source, header: Header) -> None:
        """Nothing, where the columns fit.

        Raises:
            InputError: they do not; lists every problem.
            UsageError: a column is to be put through that the file does not have.
        """
        if header.names is None:
            return
        try:
            if header.example is not None:
                _check_example(self._accepting, header.example)
            else:
                RowChecker(self._accepting).arrays((), columns=header.names)
            self._check_types(header)
        except InputError as error:
            raise _named(error, source, header.names) from None
        missing = [name for name in self._put_through if name not in header.names]
        if missing:
            raise UsageError(f"{source.name} has no column `{printable(missing[0])}` to put through")

    def _check_types(self, header: Header) -> None:
        if not header.types:
            return
        import pyarrow.types

        wrong = [name for name in self._schema.names if not is_flat(pyarrow.types, header.types[name])]
        if wrong:
            raise InputError([_not_taken(name) for name in wrong])


def _not_taken(name: str) -> Problem:
    return Problem("", "schema.wrong_type", "is of an Arrow type that is not taken", column=name)


def _check_example(schema: Schema, example: Mapping[str, Any]) -> None:
    """Refuse names that are unknown, with those that are missing; what else is wrong is a matter of the row."""
    try:
        Decoder(schema, Limits()).value(dict(example))
    except InputError as error:
        problems = [each for each in error.problems if each.code in ("schema.unknown_column", "schema.missing_column")]
        if any(each.code == "schema.unknown_column" for each in problems):
            raise InputError(problems) from None


def _named(error: InputError, source: Source, names: Sequence[str]) -> InputError:
    """The error, saying which file is concerned and what may be done with columns that are not the model's."""
    noun = "problem" if error.total == 1 else "problems"
    error.message = f"{source.name} does not fit the model: {error.total} {noun} with its columns"
    unknown = [p.column for p in error.problems if p.code == "schema.unknown_column" and not p.suggestion and p.column]
    if names[:1] == [_NAMELESS]:
        error.hint = f"pandas writes its index so: df.to_csv(path, index=False), or --columns '{_NAMELESS}'"
    elif len(names) == 1 and _OTHER_SEPARATORS & set(names[0]):
        error.hint = "columns are separated by commas"
    elif unknown and len(unknown) == error.total:
        error.hint = f"put it through: --columns {','.join(map(_quoted, unknown))}"
    return error


def _quoted(name: str) -> str:
    return f"'{name}'" if " " in name else name
