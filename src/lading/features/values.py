"""Values of a store as cells of a request would be, and checked by the same rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from lading.bundle.lookups import Lookup
from lading.errors import FeaturesInvalid
from lading.schema.cells import Cell, Complaint, cell_checker, read_cell
from lading.schema.fields import Field
from lading.schema.table import Row
from lading.schema.values import plain


class RowReader:
    """Reads what a store has for one key; made once for a lookup.

    Args:
        lookup: says where the values come from: of Redis they are texts.
        fields: of the columns, in their order.
    """

    def __init__(self, lookup: Lookup, fields: Sequence[Field]) -> None:
        read = _read_text if lookup.hash else _as_json
        self._checks: list[tuple[Field, Callable[[Any], Cell]]] = [(field, cell_checker(field)) for field in fields]
        self._read = read

    def row(self, values: Sequence[Any]) -> Row:
        """The checked cells.

        Raises:
            FeaturesInvalid: one is not what its column takes; says which column, not which value.
        """
        cells = []
        for (field, check), value in zip(self._checks, values, strict=True):
            try:
                cells.append(check(self._read(field, value)))
            except Complaint as complaint:
                raise FeaturesInvalid(f"the store's `{field.name}` does not fit: {complaint}") from None
        return tuple(cells)


def _read_text(field: Field, value: str | None) -> object:
    return None if value is None else read_cell(field, value)


def _as_json(field: Field, value: Any) -> object:
    """What a driver gave, as JSON would have it."""
    kind = field.value_kind
    if isinstance(value, Decimal):
        value = float(value) if value.is_finite() else None
    if isinstance(value, bytes | memoryview):
        value = bytes(value).decode("utf-8", "replace")
    if kind == "bool" and type(value) is int and value in (0, 1):  # SQLite has no others
        return bool(value)
    if kind == "int" and isinstance(value, float) and value.is_integer():
        return int(value)
    return plain(value)
