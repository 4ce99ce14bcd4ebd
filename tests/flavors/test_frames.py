"""The frame that a model gets: the names and dtypes of the one that it was fitted on, gaps included."""

import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from lading.errors import EnvironmentMismatch
from lading.flavors.frames import frame
from lading.schema.estimator import Learned
from lading.schema.learn import refine
from lading.schema.sample import as_sample
from lading.schema.table import Table

COLUMNS = {
    "float64": pd.Series([1.5, np.nan, 2.5]),
    "float32": pd.Series([1.5, np.nan, 2.5], dtype="float32"),
    "int64": pd.Series([1, 2, 3]),
    "int8": pd.Series([1, 2, 3], dtype="int8"),
    "bool": pd.Series([True, False, True]),
    "texts": pd.Series(["a", "b", "a"]),
    "texts with a gap": pd.Series(["a", np.nan, "a"]),
    "objects with None": pd.Series(["a", None, "a"], dtype=object),
    "booleans with None": pd.Series([True, None, False], dtype=object),
    "category": pd.Series(["a", None, "b"], dtype="category"),
    "category of numbers": pd.Series([1, 2, 1], dtype="category"),
    "Int64": pd.Series([1, None, 3], dtype="Int64"),
    "Float64": pd.Series([1.5, None, 3], dtype="Float64"),
    "boolean": pd.Series([True, None, False], dtype="boolean"),
    "string": pd.Series(["a", None, "b"], dtype="string"),
    "moments": pd.Series(pd.date_range("2024-02-28", periods=3, freq="36h")),
}


def served(original: pd.DataFrame) -> Any:
    """The frame again, after its rows went through the schema as requests do."""
    sample = as_sample(original)
    fields = refine(Learned((), named=False, wants="frame"), sample).fields
    cells = [
        [None if gap else value for gap, value in zip(c.is_missing, c.values, strict=True)]
        for c in sample.columns.values()
    ]
    return frame(Table.from_rows(fields, list(zip(*cells, strict=True))))


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_comes_back_with_its_dtype(name: str) -> None:
    original = pd.DataFrame({"column": COLUMNS[name], "other": [1.0, 2.0, 3.0]})
    assert_frame_equal(served(original), original)


def test_none_stays_none() -> None:
    original = pd.DataFrame({"column": COLUMNS["objects with None"]})
    assert served(original)["column"].tolist() == ["a", None, "a"]


def test_without_pandas_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(EnvironmentMismatch, match="pandas is not installed") as caught:
        frame(Table.from_rows((), []))
    assert caught.value.hint == 'pip install "lading[sklearn]"'
