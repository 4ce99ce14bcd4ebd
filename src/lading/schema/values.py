"""Python data as the plain values that JSON would hold, so that every road in is checked by the same rules."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import numpy as np

from lading.schema.fitted import is_gap
from lading.schema.table import Row


def plain_rows(data: Any) -> Any:
    """A data frame, a mapping or list of rows, or an array as lists and objects of plain values; NaN is missing."""
    if hasattr(data, "columns") and hasattr(data, "to_dict"):
        return {
            "columns": [str(name) for name in data.columns],
            "data": [[plain(cell) for cell in row] for row in data.to_numpy(dtype=object).tolist()],
        }
    if isinstance(data, Mapping):
        return {str(name): plain(cell) for name, cell in data.items()}
    if hasattr(data, "toarray"):
        data = data.toarray()
    if isinstance(data, np.ndarray):
        array = data if data.ndim > 1 else data.reshape(-1, 1) if data.dtype.kind in "OU" else data.reshape(1, -1)
        return {"X": [[plain(cell) for cell in row] for row in array.tolist()]}
    rows = [plain_rows(row) if isinstance(row, Mapping) else plain(row) for row in data]
    return {"X": rows} if rows and not isinstance(rows[0], dict) else rows


def plain(cell: Any) -> Any:
    """One cell: NumPy scalars as Python's, moments as ISO 8601 text, NaN, NaT and NA as None."""
    if isinstance(cell, np.ndarray):
        cell = cell.tolist()
    if isinstance(cell, list | tuple):
        return [plain(part) for part in cell]
    if isinstance(cell, np.datetime64):
        return None if np.isnat(cell) else str(cell)
    if isinstance(cell, np.generic):
        return plain(cell.item())
    if is_gap(cell):
        return None
    if isinstance(cell, datetime | date):
        return cell.isoformat()
    return cell if isinstance(cell, bool | int | float | str | dict) else str(cell)


def plain_row(row: Row) -> list[Any]:
    """A checked row as JSON values."""
    return [plain(cell) for cell in row]
