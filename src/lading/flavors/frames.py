"""A table as the pandas frame that a model was fitted on: the same names, the same dtypes."""

from __future__ import annotations

from typing import Any

import numpy as np

from lading.errors import EnvironmentMismatch
from lading.schema.fields import Field
from lading.schema.table import Array, Table


def frame(table: Table) -> Any:
    """The frame (`pandas.DataFrame`) of a table.

    Raises:
        EnvironmentMismatch: pandas is not installed.
    """
    try:
        import pandas
    except ImportError:
        hint = 'pip install "lading[sklearn]"'
        raise EnvironmentMismatch("the model wants a pandas frame, and pandas is not installed", hint=hint) from None
    columns = {field.name: _series(field, table.columns[field.name], pandas) for field in table.fields}
    return pandas.DataFrame(columns, copy=True)


def _series(field: Field, column: Array, pandas: Any) -> Any:
    if field.dtype == "category":
        # Outside of its categories pandas knows only missing.
        known = frozenset(field.categories)
        cells = [cell if cell in known else None for cell in column.tolist()]
        return pandas.Categorical(cells, categories=list(field.categories))
    if field.dtype == "object" or (field.nullable and field.null == "none"):
        # Left to itself, pandas 3 makes its own texts of a column of objects, and NaN of None.
        return pandas.Series(column, dtype=object)
    if field.dtype == "str" or _is_numpy(field.dtype):
        return column
    return pandas.array([None if cell != cell else cell for cell in column.tolist()], dtype=field.dtype)


def _is_numpy(dtype: str) -> bool:
    try:
        np.dtype(dtype)
    except TypeError:
        return False
    return True
