"""A sample of training data: columns with the dtypes that pandas would give them, whatever they were read from.

CSV is read as `pandas.read_csv` reads it, without pandas: whole numbers are `int64`, whole numbers with gaps
`float64`, `True`/`False` are `bool`, and the usual words for missing are missing. So the model is given at serving
what it was given at training.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from lading.errors import BrokenInput, UsageError
from lading.schema.csv_text import MISSING_TEXTS, read_csv
from lading.schema.fitted import is_gap
from lading.schema.problems import suggest
from lading.schema.table import Array

_TRUTHS = {"True": True, "TRUE": True, "true": True, "False": False, "FALSE": False, "false": False}
# What `pandas.read_csv` takes for a number, once the texts for missing are gone.
_NUMBER = re.compile(r"[ \t]*[+-]?(?:(?:\d+[.]?\d*|[.]\d+)(?:e[+-]?\d+)?|inf|infinity)[ \t]*", re.ASCII | re.IGNORECASE)
_PANDAS_INDEX = re.compile(r"__index_level_\d+__")


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
    """The sample in a data frame, a mapping of columns, a list of objects, or an array (rows, columns).

    Raises:
        UsageError: it is none of these, has no rows, or two columns have the same name.
    """
    if hasattr(data, "columns") and hasattr(data, "iloc"):
        _refuse_twins([str(name) for name in data.columns])
        columns = {str(name): _pandas_column(data[name]) for name in data.columns}
    elif isinstance(data, Mapping):
        columns = {str(name): column_of_values(list(values)) for name, values in data.items()}
    elif isinstance(data, Sequence) and data and isinstance(data[0], Mapping):
        names = dict.fromkeys(name for row in data for name in row)
        columns = {str(name): column_of_values([row.get(name) for row in data]) for name in names}
    else:
        return _array_sample(data)
    lengths = {len(column.values) for column in columns.values()}
    if len(lengths) != 1 or 0 in lengths:
        raise UsageError("training data must be columns of equal length, with at least one row")
    return Sample(columns, lengths.pop())


def _refuse_twins(names: Sequence[str]) -> None:
    if len(set(names)) != len(names):
        raise UsageError("two columns of the data have the same name", hint="rename one of them")


def _array_sample(data: Any) -> Sample:
    try:
        array = np.asarray(data.toarray() if hasattr(data, "toarray") else data)
    except ValueError:
        raise UsageError("training data must be (rows, columns), got rows of different lengths") from None
    if array.ndim == 1 and array.dtype.kind in "OU":
        return Sample({"text": _numpy_column(array)}, len(array), is_named=False)
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
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BrokenInput("the file is not JSON", code="input.not_json") from None
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
        table = pyarrow.parquet.ParquetFile(pyarrow.BufferReader(data)).read()
    except (pyarrow.ArrowException, OSError):
        raise BrokenInput("the Parquet file is broken", code="input.not_parquet") from None
    _refuse_twins(table.column_names)
    names = [name for name in table.column_names if not _PANDAS_INDEX.fullmatch(name)]
    return {name: _arrow_column(table.column(name)) for name in names}


_READERS = {".csv": _read_csv_columns, ".json": _read_json_columns, ".parquet": _read_parquet_columns}


def _text_column(texts: Sequence[str]) -> Column:
    """A column of CSV, with the dtype that pandas would infer."""
    is_missing = np.array([text in MISSING_TEXTS for text in texts], dtype=bool)
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
    if not all(_NUMBER.fullmatch(text) for text in texts):
        return None
    for dtype in (np.int64, np.uint64):
        try:
            return np.array([int(text) for text in texts], dtype=dtype)
        except (ValueError, OverflowError):
            continue
    return np.array([float(text) for text in texts])


def column_of_values(values: Sequence[Any]) -> Column:
    """A column of plain Python or NumPy values, `None` and NaN being missing."""
    values = [value.item() if isinstance(value, np.number | np.bool_ | np.str_) else value for value in values]
    is_missing = np.array([is_gap(value) for value in values], dtype=bool)
    kinds = {type(value) for value, missing in zip(values, is_missing, strict=True) if not missing}
    if kinds == {bool}:
        return _boolean_column(values, is_missing)
    if kinds and kinds <= {int, float}:
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
    """A column of Parquet as `pandas.read_parquet` gives it."""
    if hasattr(column.type, "index_type"):  # a dictionary, which is how pandas writes categories
        categories = column.unify_dictionaries().chunk(0).dictionary.to_pylist() if column.num_chunks else []
        values = _objects(column.to_pylist())
        return Column(values, "category", np.array([is_gap(value) for value in values]), tuple(categories))
    try:
        return _numpy_column(column.to_numpy())
    except (TypeError, ValueError):
        return column_of_values(column.to_pylist())


def _objects(values: Sequence[Any]) -> Array:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
