"""What is allowed but was not seen in training: it warns, in the answer and in a counter, and is never refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import le
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from lading.schema.fields import Field, Schema
from lading.schema.table import Array, Table

Mask = npt.NDArray[np.bool_]

_FEW = 40


class Warning(msgspec.Struct, frozen=True):
    """One column of a request that holds what training did not.

    Attributes:
        column: its name.
        code: `range.outside_seen` or `category.unseen`.
        detail: for people.
        rows: in how many rows of the request.
        first_row: the first of them, from 0.
    """

    column: str
    code: str
    detail: str
    rows: int
    first_row: int


@dataclass(frozen=True, slots=True)
class Unusual:
    """One column of a batch: which of its rows hold what training did not."""

    field: Field
    mask: Mask

    def within(self, rows: slice) -> Warning | None:
        """The warning for one request's rows of the batch, if it needs one."""
        mask = self.mask[rows]
        if not mask.any():
            return None
        code, detail = _words(self.field)
        return Warning(self.field.name, code, detail, int(mask.sum()), int(mask.argmax()))


def _words(field: Field) -> tuple[str, str]:
    if field.kind == "category":
        return "category.unseen", "not among the categories seen in training"
    return "range.outside_seen", f"outside the range seen in training, {field.seen}"


class Watch:
    """Finds what is unusual in a table; made once from the schema."""

    def __init__(self, schema: Schema) -> None:
        self._numbers = [(index, field) for index, field in enumerate(schema.inputs) if field.seen is not None]
        self._categories = [
            (field, frozenset(field.categories))
            for field in schema.inputs
            if field.kind == "category" and field.categories and field.values != field.categories
        ]
        seen = [field.seen for _, field in self._numbers if field.seen is not None]
        self._low = np.array([-np.inf if s.minimum is None else s.minimum for s in seen])
        self._high = np.array([np.inf if s.maximum is None else s.maximum for s in seen])
        self._lows, self._highs = self._low.tolist(), self._high.tolist()
        self._covers_all = len(self._numbers) == len(schema.inputs)
        self._is_plain = not self._categories and (self._covers_all or not self._numbers)

    def is_usual(self, row: Sequence[Any]) -> bool:
        """Whether every number of a row was seen, as far as that can be told without a table.

        Raises:
            TypeError: a cell is missing.
        """
        return self._is_plain and all(map(le, self._lows, row)) and all(map(le, row, self._highs))

    def look(self, table: Table) -> list[Unusual]:
        """The columns with something unusual; most tables have none."""
        numbers = list(self._look_at_numbers(table)) if self._numbers else []
        return [*numbers, *self._look_at_categories(table)] if self._categories else numbers

    def _look_at_numbers(self, table: Table) -> Iterator[Unusual]:
        if self._covers_all:
            numbers = table.matrix
        else:
            columns = [table.columns[field.name].astype(np.float64) for _, field in self._numbers]
            numbers = np.stack(columns, axis=1)
        if self._is_usual(numbers):
            return
        outside = (numbers < self._low) | (numbers > self._high)
        for position in np.flatnonzero(outside.any(axis=0)):
            yield Unusual(self._numbers[position][1], outside[:, position])

    def _is_usual(self, numbers: Array) -> bool:
        """Whether every number was seen; a gap is as unusual as anything else here, and looked at again."""
        if len(numbers) == 1 and len(self._lows) <= _FEW:  # quicker than to begin with NumPy
            cells = numbers[0].tolist()
            return all(map(le, self._lows, cells)) and all(map(le, cells, self._highs))
        return not ((numbers < self._low) | (numbers > self._high)).any()

    def _look_at_categories(self, table: Table) -> Iterator[Unusual]:
        for field, known in self._categories:
            cells = table.columns[field.name].tolist()
            strange = {cell for cell in set(cells) - known if cell is not None and cell == cell}
            if strange:
                yield Unusual(field, np.array([cell in strange for cell in cells], dtype=bool))
