"""A sample is what pandas makes of the same file: the model is given at serving what it was given at training."""

import csv
import datetime
import hashlib
import io
import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from lading.errors import BrokenInput, UsageError
from lading.schema.sample import Column, as_sample, column_of_values, read_sample

POOLS = [
    ["1", "2", "-3", "+5", "007", " 4", "9223372036854775807"],
    [
        "1",
        "2.5",
        "1e3",
        ".5",
        "5.",
        "-0.0",
        "0.1234567890123456789",
        "1e-320",
        "4.35",
        "1E22",
        " 1.5 ",
        "inf",
        "-Infinity",
    ],
    ["1", "", "NA", "3"],
    ["1.5", "nan", "null", "2"],
    ["True", "False", "TRUE", "false"],
    ["True", "", "False"],
    ["True", "1", "x"],
    ["2024-02-29", "2024-01-01T10:00"],
    [
        "x",
        "",
        "NA",
        "n/a",
        "é",
        "日本",
        "a,b",
        'a"b',
        "a\nb",
        " x ",
        "1",
        "1_000",
        "0x10",
        "１",
        "--1",
        "\u2028",
        " ",
        "NAN",
    ],
    ["", "NA", "<NA>"],
    ["18446744073709551615", "1"],
    ["１", "2"],
    ["\u00a01", "2"],
]


@st.composite
def tables(draw):
    height = draw(st.integers(1, 8))
    pools = draw(st.lists(st.sampled_from(POOLS), min_size=2, max_size=4))
    return [draw(st.lists(st.sampled_from(pool), min_size=height, max_size=height)) for pool in pools]


def as_text(columns, quoting=csv.QUOTE_MINIMAL):
    text = io.StringIO()
    names = [f"column {position}" for position in range(len(columns))]
    csv.writer(text, quoting=quoting).writerows([names, *zip(*columns, strict=True)])
    return text.getvalue().encode()


def is_as_in(frame, sample):
    """Whether each column has the dtype and the values that pandas gives it."""
    assert [*sample.columns] == [str(name) for name in frame.columns]
    assert sample.rows == len(frame)
    for name, column in sample.columns.items():
        series = frame[name]
        assert column.dtype == str(series.dtype)
        assert column.is_missing.tolist() == series.isna().tolist()
        present = series[series.notna()].astype(object).tolist()
        assert repr(column.values[~column.is_missing].tolist()) == repr(present)


@given(tables(), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
def test_csv_is_read_as_pandas_reads_it(tmp_path_factory, columns, quoting):
    path = tmp_path_factory.mktemp("csv") / "data.csv"
    path.write_bytes(as_text(columns, quoting))
    is_as_in(pd.read_csv(path), read_sample(path))


@pytest.mark.parametrize("pool", POOLS)
def test_each_kind_of_csv_column_is_read_as_pandas_reads_it(tmp_path, pool):
    path = tmp_path / "data.CSV"
    path.write_bytes(as_text([pool, pool[::-1]]))
    is_as_in(pd.read_csv(path), read_sample(path))


def test_gaps_in_csv_are_nan_in_every_dtype(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("text,number,truth\nx,1,True\n,,\n")
    columns = read_sample(path).columns.values()
    assert all(math.isnan(column.values[1]) and column.null == "nan" for column in columns)


def test_one_long_text_does_not_make_the_others_long(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("a\n" + "x\n" * 10_000 + "y" * 1_000_000 + "\n")
    # As texts of one width these would be 40 GB.
    assert read_sample(path).columns["a"].values[-1] == "y" * 1_000_000


@pytest.fixture(scope="module")
def frame():
    return pd.DataFrame(
        {
            "int": [1, 2, 3],
            "small": np.array([1, 2, 255], dtype="uint8"),
            "float": [0.5, math.nan, -1e300],
            "half": np.array([0.1, 0.2, 0.3], dtype="float32"),
            "bool": [True, False, True],
            "truth": pd.Series([True, None, False], dtype=object),
            "text": ["a", None, "é"],
            "words": pd.array(["a", None, "b"], dtype="string"),
            "when": pd.to_datetime(["2024-02-29 00:00", None, "2024-03-01 10:00"]),
            "kind": pd.Categorical(["x", None, "y"], categories=["y", "x", "z"]),
            "grade": pd.Categorical([1, 2, 1]),
            "Int": pd.array([1, None, 3], dtype="Int64"),
            "boolean": pd.array([True, None, False], dtype="boolean"),
            "Float": pd.array([0.5, None, 1], dtype="Float64"),
        }
    )


def test_a_frame_is_taken_as_it_is(frame):
    sample = as_sample(frame)
    assert [column.dtype for column in sample.columns.values()] == [
        *("int64", "uint8", "float64", "float32", "bool", "object", "str", "string", str(frame["when"].dtype)),
        *("category", "category", "Int64", "boolean", "Float64"),
    ]
    for name, column in sample.columns.items():
        assert column.is_missing.tolist() == frame[name].isna().tolist()
        present = frame[name].dropna().astype(object).tolist()
        if name != "when":
            assert column.values[~column.is_missing].tolist() == present
    assert sample.columns["kind"].categories == ("y", "x", "z")
    assert sample.columns["when"].values[0] == np.datetime64("2024-02-29")


def test_a_frame_of_moments_with_a_zone_is_in_utc():
    when = pd.to_datetime(["2024-02-29T10:00+02:00"])
    column = as_sample(pd.DataFrame({"when": when})).columns["when"]
    assert column.values[0] == np.datetime64("2024-02-29T08:00")
    assert column.dtype == str(column.values.dtype)


def test_parquet_is_read_as_pandas_reads_it(frame, tmp_path):
    path = tmp_path / "data.parquet"
    frame.set_axis([7, 8, 9]).to_parquet(path)
    sample, plain = read_sample(path), ["int", "small", "float", "half", "bool", "when", "kind", "grade"]
    read = pd.read_parquet(path)
    assert [*sample.columns] == [*read.columns]
    for name in [*plain, "text", "truth"]:
        assert sample.columns[name].dtype == str(read[name].dtype)
        assert sample.columns[name].is_missing.tolist() == read[name].isna().tolist()
    assert sample.columns["kind"].categories == ("y", "x", "z")
    assert sample.columns["kind"].values.tolist() == ["x", None, "y"]
    assert sample.columns["when"].values[0] == np.datetime64("2024-02-29")


def test_parquet_of_days_and_moments_may_have_gaps(tmp_path):
    import pyarrow
    import pyarrow.parquet

    path, day = tmp_path / "data.parquet", datetime.date(2024, 2, 29)
    pyarrow.parquet.write_table(pyarrow.table({"day": [day, None], "n": [1, None], "none": [None, None]}), path)
    columns = read_sample(path).columns
    assert columns["day"].values[0] == np.datetime64("2024-02-29")
    assert columns["day"].is_missing.tolist() == columns["n"].is_missing.tolist() == [False, True]
    assert (columns["n"].dtype, columns["none"].is_missing.all()) == ("float64", True)


def test_parquet_with_two_columns_of_one_name_is_refused(tmp_path):
    import pyarrow
    import pyarrow.parquet

    path = tmp_path / "data.parquet"
    table = pyarrow.Table.from_arrays([pyarrow.array([1]), pyarrow.array([2])], names=["a", "a"])
    pyarrow.parquet.write_table(table, path)
    with pytest.raises(UsageError, match="same name"):
        read_sample(path)


@pytest.mark.parametrize(
    "data",
    [
        [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}],
        {"a": [1, 2], "b": ["x", "y"]},
    ],
)
def test_json_is_records_or_columns(tmp_path, data):
    path = tmp_path / "data.json"
    path.write_text(json.dumps(data))
    sample = read_sample(path)
    assert {name: (column.dtype, column.values.tolist()) for name, column in sample.columns.items()} == {
        "a": ("int64", [1, 2]),
        "b": ("str", ["x", "y"]),
    }
    assert sample.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_records_need_not_all_have_every_key():
    columns = as_sample([{"a": 1}, {"b": "x", "a": 2.5}, {"c": True}]).columns
    assert [*columns] == ["a", "b", "c"]
    assert columns["a"].values.tolist()[:2] == [1.0, 2.5]
    assert columns["b"].is_missing.tolist() == [True, False, True]
    assert (columns["b"].null, columns["c"].dtype) == ("none", "object")


@pytest.mark.parametrize(
    ("values", "dtype", "null"),
    [
        ([1, 2], "int64", "nan"),
        ([1, None], "float64", "nan"),
        ([1, 2.5], "float64", "nan"),
        ([np.int8(1), np.float32(2)], "float64", "nan"),
        ([True, False], "bool", "nan"),
        ([np.True_, None], "object", "none"),
        ([True, math.nan], "object", "nan"),
        ([True, 1], "str", "nan"),
        (["a", None], "str", "none"),
        (["a", math.nan], "str", "nan"),
        ([np.str_("a"), "b"], "str", "nan"),
        ([pd.NA, "a"], "str", "nan"),
        ([pd.NaT, None], "str", "none"),
    ],
)
def test_plain_values_have_the_dtype_that_holds_them(values, dtype, null):
    column = column_of_values(values)
    assert (column.dtype, column.null) == (dtype, null)
    assert column.is_missing.tolist() == [pd.isna(value) for value in values]
    assert not any(isinstance(value, np.generic) for value in column.values.tolist())


@pytest.mark.parametrize("array", [np.array([[1.5, 2.0], [3.0, math.nan]]), csr_array([[1.5, 0], [0, 1.0]])])
def test_the_columns_of_an_array_have_no_names(array):
    sample = as_sample(array)
    assert [*sample.columns] == ["x0", "x1"]
    assert (sample.rows, sample.is_named) == (2, False)
    assert {column.dtype for column in sample.columns.values()} == {"float64"}


def test_an_array_of_objects_has_a_dtype_for_each_column():
    array = np.array([["a", 1, None], ["b", 2, 0.5]], dtype=object)
    assert [column.dtype for column in as_sample(array).columns.values()] == ["str", "int64", "float64"]


@pytest.mark.parametrize("texts", [["good", "bad"], np.array(["good", "bad"]), np.array(["good", "bad"], dtype=object)])
def test_texts_alone_are_one_column(texts):
    sample = as_sample(texts)
    assert {name: column.values.tolist() for name, column in sample.columns.items()} == {"text": ["good", "bad"]}
    assert not sample.is_named


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (np.arange(3.0), "got the shape"),
        (np.zeros((2, 2, 2)), "got the shape"),
        (np.empty((0, 3)), "got the shape"),
        ([], "got the shape"),
        (5, "got the shape"),
        ([[1, 2], [3]], "different lengths"),
        ({"a": [1, 2], "b": [1]}, "equal length"),
        ({"a": []}, "at least one row"),
        ({}, "at least one row"),
        ([{}], "at least one row"),
        (pd.DataFrame({"a": []}), "at least one row"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "same name"),
        (pd.DataFrame([[1, 2]], columns=["1", 1]), "same name"),
    ],
)
def test_what_is_no_table_is_refused(data, reason):
    with pytest.raises(UsageError, match=reason):
        as_sample(data)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("data.csv", b"", "the CSV is empty"),
        ("data.csv", b"a,b\n", "data.csv has no rows"),
        ("data.csv", b"a,a\n1,2\n", "stands twice"),
        ("data.csv", b"\xff\xfe", "not UTF-8"),
        ("data.csv", b"a,b\n1\n", "CSV row 0"),
        ("data.json", b"", "not JSON"),
        ("data.json", b"{", "not JSON"),
        ("data.json", b'["\xff"]', "not JSON"),
        ("data.json", b"[" * 100_000, "not JSON"),
        ("data.json", b"5", "expected a list of objects"),
        ("data.json", b"[1]", "expected a list of objects"),
        ("data.json", b'{"a": 1}', "expected a list of objects"),
        ("data.json", b"[]", "no rows"),
        ("data.json", b"{}", "no rows"),
        ("data.parquet", b"", "the Parquet file is broken"),
        ("data.parquet", b"PAR1" * 10, "the Parquet file is broken"),
    ],
)
def test_a_broken_file_is_refused(tmp_path, name, content, reason):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BrokenInput, match=reason):
        read_sample(path)


def test_json_columns_are_equally_long(tmp_path):
    path = tmp_path / "data.json"
    path.write_text('{"a": [1, 2], "b": [1]}')
    with pytest.raises(UsageError, match="equal length"):
        read_sample(path)


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "data.xlsx"
    path.write_bytes(b"PK")
    with pytest.raises(UsageError, match=r"data\.xlsx is of an unknown kind") as caught:
        read_sample(path)
    assert caught.value.hint == "training data may be .csv, .json, .parquet"


@pytest.mark.parametrize("name", ["absent.csv", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path, name):
    with pytest.raises(UsageError, match="cannot read"):
        read_sample(tmp_path / name)


def test_columns_can_be_left_out():
    sample = as_sample({"a": [1], "target": [2]})
    assert [*sample.without(["target"]).columns] == ["a"]
    with pytest.raises(UsageError, match="the data has no column `targt`") as caught:
        sample.without(["targt"])
    assert caught.value.hint == "did you mean `target`?"


def test_an_empty_column_is_of_floats(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("a,b\n,1\n,2\n")
    column: Column = read_sample(path).columns["a"]
    assert (column.dtype, column.is_missing.all()) == ("float64", True)
