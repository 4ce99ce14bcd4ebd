"""A table that pyarrow has read, such as a Parquet file's, as what rows are checked from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lading.schema.arrow.column import ArrowColumn
from lading.schema.arrow.stream import is_flat


class ArrowTable:
    """A `pyarrow.Table` whose buffers are what they say: read by pyarrow from a file, or validated in full.

    Attributes:
        names: of its columns, in its order.
        rows: how many there are.
    """

    def __init__(self, table: Any) -> None:
        self._table = table
        self.names: Sequence[str] = table.column_names
        self.rows: int = table.num_rows

    def is_taken(self, place: int) -> bool:
        """Whether a column is of numbers, booleans, texts, dates or gaps, or of a dictionary of these."""
        import pyarrow.types

        return is_flat(pyarrow.types, self._table.schema.field(place).type)

    def columns(self, places: Sequence[int]) -> list[ArrowColumn]:
        """These columns; the others are not looked at."""
        table = self._table.select(list(places)).unify_dictionaries()
        return [ArrowColumn([chunk for chunk in column.chunks if len(chunk)]) for column in table.columns]
