"""A sample of training data: columns with the dtypes that pandas would give them, whatever they were read from.

CSV is read as `pandas.read_csv` reads it, without pandas: whole numbers are `int64`, whole numbers with gaps
`float64`, `True`/`False` are `bool`, and the usual words for missing are missing. So the model is given at serving
what it was given at training.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from lading.errors import BrokenInput, UsageError
from lading.schema.csv_text import read_csv
from lading.schema.problems import suggest
from lading.schema.table import Array

# The texts that `pandas.read_csv` takes for missing (its `na_values`).
_MISSING_TEXTS = frozenset(
    {"", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"}
    | {"<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"}
)
_TRUTHS = {"True": True, "TRUE": True, "true": True, "False": False, "FALSE": False, "false": False}


@dataclass(frozen=True)
class Column:
    """One column of a sample.

    Attributes:
        values: numbers, booleans or `datetime64` as they are; everything else as objects.
        dtype: the name of the dtype in the author's frame (`category` for pandas' categories).
        is_missing: where a value is missing.
        categories: pandas' categories, where the dtype is `category`.
        null: what stands in a column of objects where a value is missing.
    """

    values: Array
    dtype: str
    is_missing: Array
    categories: tuple[Any, ...] = ()
    null: Literal["nan", "none"] = "nan"


@dataclass(frozen=True)
class Sample:
    """Training data, column by column.

    Attributes:
        columns: by name, in the data's order.
        rows: how many.
        sha256: of the file, where it was read from one; it is recorded, the data are not.
        is_named: whether the names are the author's (an array has none).
    """

    columns: Mapping[str, Column]
    rows: int
    sha256: str | None = None
    is_named: bool = True

    def without(self, names: Iterable[str]) -> Sample:
        """The sample less some columns.

        Raises:
            UsageError: there is no column of that name; the message names the nearest.
        """
        for name in names:
            if name not in self.columns:
                raise UsageError(f"the data has no column `{name}`", hint=did_you_mean(name, self.columns))
        kept = {name: column for name, column in self.columns.items() if name not in set(names)}
        return Sample(kept, self.rows, self.sha256, self.is_named)


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """The hint that names the nearest known name."""
    meant = suggest(name, known)
    return f"did you mean `{meant}`?" if meant else None


def read_sample(path: Path) -> Sample:
    """The sample in a CSV, JSON (records or columns) or Parquet file.

    Raises:
        UsageError: there is no such file, or it is of another kind.
        BrokenInput: the file is empty or broken.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        known = ", ".join(_READERS)
        raise UsageError(f"{path.name} is of an unknown kind", hint=f"training data may be {known}")
    columns = reader(data)
    rows = len(next(iter(columns.values())).values) if columns else 0
    if rows < 1:
        raise BrokenInput(f"{path.name} has no rows", code="input.empty")
    return Sample(columns, rows, hashlib.sha256(data).hexdigest())


def as_sample(data: Any) -> Sample:
    """The sample in a data frame, a mapping of columns, a list of objects, or an array (rows, columns)."""
    if hasattr(data, "columns") and hasattr(data, "iloc"):
        columns = {str(name): _pandas_column(data[name]) for name in data.columns}
    elif isinstance(data, Mapping):
        columns = {str(name): column_of_values(list(values)) for name, values in data.items()}
    elif isinstance(data, Sequence) and data and isinstance(data[0], Mapping):
        columns = {str(name): column_of_values([row.get(name) for row in data]) for name in data[0]}
    else:
        return _array_sample(data)
    return Sample(columns, len(next(iter(columns.values())).values))


def _array_sample(data: Any) -> Sample:
    if hasattr(data, "toarray"):
        data = data.toarray()
    array = np.asarray(data)
    if array.ndim == 1 and array.dtype.kind in "OU":
        array = array.reshape(-1, 1)
    if array.ndim != 2 or not array.size:
        raise UsageError(f"training data must be (rows, columns), got the shape {array.shape}")
    columns = {f"x{position}": _numpy_column(array[:, position]) for position in range(array.shape[1])}
    return Sample(columns, len(array), is_named=False)


def _read_csv_columns(data: bytes) -> dict[str, Column]:
    header, *lines = read_csv(data)
    if len(set(header)) != len(header):
        raise BrokenInput("a column's name stands twice in the header", code="input.duplicate_key")
    cells = zip(*lines, strict=True) if lines else [()] * len(header)
    return {name: _text_column(texts) for name, texts in zip(header, cells, strict=True)}


def _read_json_columns(data: bytes) -> dict[str, Column]:
    try:
        value = msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        raise BrokenInput(f"not JSON: {error}", code="input.not_json") from None
    is_records = isinstance(value, list) and all(isinstance(row, dict) for row in value)
    is_columns = isinstance(value, dict) and all(isinstance(column, list) for column in value.values())
    if not is_records and not is_columns:
        raise BrokenInput("expected a list of objects or an object of lists", code="input.shape")
    return dict(as_sample(value).columns) if value else {}


def _read_parquet_columns(data: bytes) -> dict[str, Column]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        hint = 'pip install "lading[parquet]"'
        raise UsageError("reading Parquet needs pyarrow, which is not installed", hint=hint) from None
    try:
        table = pyarrow.parquet.read_table(pyarrow.BufferReader(data))
    except (pyarrow.ArrowException, OSError):
        raise BrokenInput("the Parquet file is broken", code="input.not_parquet") from None
    return {name: _arrow_column(table.column(name)) for name in table.column_names}


_READERS = {".csv": _read_csv_columns, ".json": _read_json_columns, ".parquet": _read_parquet_columns}


def _text_column(texts: Sequence[str]) -> Column:
    """A column of CSV, with the dtype that pandas would infer."""
    is_missing = np.array([text.strip() in _MISSING_TEXTS for text in texts], dtype=bool)
    present = [text for text, missing in zip(texts, is_missing, strict=True) if not missing]
    if present and all(text in _TRUTHS for text in present):
        values = [_TRUTHS.get(text, math.nan) for text in texts]
        return _boolean_column(values, is_missing)
    numbers = _numbers(present)
    if numbers is None:
        gaps: list[Any] = [math.nan if missing else text for text, missing in zip(texts, is_missing, strict=True)]
        return Column(_objects(gaps), "str", is_missing)
    if not is_missing.any():
        return Column(numbers, str(numbers.dtype), is_missing)
    values_with_gaps = np.full(len(texts), np.nan)
    values_with_gaps[~is_missing] = numbers
    return Column(values_with_gaps, "float64", is_missing)


def _numbers(texts: Sequence[str]) -> Array | None:
    for dtype in (np.int64, np.float64):
        if any("_" in text for text in texts):
            return None
        try:
            return np.array(texts, dtype=str).astype(dtype)
        except (ValueError, OverflowError):
            continue
    return None


def column_of_values(values: Sequence[Any]) -> Column:
    """A column of plain Python or NumPy values, `None` and NaN being missing."""
    is_missing = np.array([value is None or value != value for value in values], dtype=bool)
    present = [value for value, missing in zip(values, is_missing, strict=True) if not missing]
    if all(isinstance(value, bool | np.bool_) for value in present) and present:
        return _boolean_column(values, is_missing)
    if present and all(isinstance(value, int | float | np.number) for value in present):
        array = np.array([np.nan if missing else value for value, missing in zip(values, is_missing, strict=True)])
        return Column(array, str(array.dtype), is_missing)
    return Column(_objects(values), "str", is_missing, null=_null(values))


def _boolean_column(values: Sequence[Any], is_missing: Array) -> Column:
    if is_missing.any():
        return Column(_objects(values), "object", is_missing, null=_null(values))
    return Column(np.array(values, dtype=bool), "bool", is_missing)


def _null(values: Sequence[Any]) -> Literal["nan", "none"]:
    return "none" if any(value is None for value in values) else "nan"


def _numpy_column(array: Array) -> Column:
    if array.dtype.kind in "biuf":
        is_missing = np.isnan(array) if array.dtype.kind == "f" else np.zeros(len(array), dtype=bool)
        return Column(array, str(array.dtype), is_missing)
    if array.dtype.kind == "M":
        return Column(array, str(array.dtype), np.isnat(array))
    return column_of_values(array.tolist())


def _pandas_column(series: Any) -> Column:
    dtype = str(series.dtype)
    if dtype == "category":
        categories = tuple(series.cat.categories.tolist())
        return Column(_objects(series.tolist()), dtype, series.isna().to_numpy(), categories)
    if isinstance(series.dtype, np.dtype) and series.dtype.kind != "O":
        return _numpy_column(series.to_numpy())
    if dtype.startswith("datetime64"):
        moments = series.dt.tz_convert("UTC").dt.tz_localize(None)
        return _numpy_column(moments.to_numpy())
    if dtype in ("object", "str"):
        return column_of_values(series.astype(object).tolist())
    plain = column_of_values(series.astype(object).where(series.notna(), math.nan).tolist())
    return replace(plain, dtype=dtype)


def _arrow_column(column: Any) -> Column:
    values = column.to_pylist()
    try:
        return _numpy_column(column.to_numpy()) if column.null_count == 0 else column_of_values(values)
    except (TypeError, ValueError):
        return column_of_values(values)


def _objects(values: Sequence[Any]) -> Array:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
