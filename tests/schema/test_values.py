"""Python data becomes the plain values that JSON would hold."""

import datetime
import decimal
import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from scipy.sparse import csr_array

from lading.schema.decode import Decoder
from lading.schema.fields import Field, Output, Schema
from lading.schema.synthetic import draw_rows
from lading.schema.values import plain, plain_row, plain_rows

DAY = datetime.date(2024, 2, 29)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        (None, None),
        (math.nan, None),
        (np.float32("nan"), None),
        (pd.NA, None),
        (pd.NaT, None),
        (np.datetime64("NaT"), None),
        (True, True),
        (np.True_, True),
        (np.int8(5), 5),
        (np.uint64(2**64 - 1), 2**64 - 1),
        (np.float32(0.5), 0.5),
        (math.inf, math.inf),
        ("x", "x"),
        (np.str_("x"), "x"),
        (DAY, "2024-02-29"),
        (datetime.datetime(2024, 2, 29, 10, tzinfo=datetime.UTC), "2024-02-29T10:00:00+00:00"),
        (pd.Timestamp("2024-02-29T10:00"), "2024-02-29T10:00:00"),
        (np.datetime64("2024-02-29"), "2024-02-29"),
        (np.datetime64("2024-02-29T10:00:00"), "2024-02-29T10:00:00"),
        ([np.int64(1), (math.nan, "x")], [1, [None, "x"]]),
        (np.array([[1, 2]]), [[1, 2]]),
        (decimal.Decimal("1.50"), "1.50"),
        ({"a": 1}, {"a": 1}),
    ],
)
def test_a_cell_becomes_what_json_would_hold(cell, value):
    assert (type(plain(cell)), plain(cell)) == (type(value), value)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (np.array([[1.5, math.nan]]), {"X": [[1.5, None]]}),
        (np.array([1.0, 2.0]), {"X": [[1.0, 2.0]]}),
        (np.array(["a", "b"]), {"X": [["a"], ["b"]]}),
        (np.array([["a", 1]], dtype=object), {"X": [["a", 1]]}),
        (csr_array([[0, 2]]), {"X": [[0, 2]]}),
        ([[1, None]], {"X": [[1, None]]}),
        ([np.array([1, 2]), np.array([3, 4])], {"X": [[1, 2], [3, 4]]}),
        ([1, 2.5], {"X": [1, 2.5]}),
        (((1, 2),), {"X": [[1, 2]]}),
        ({"a": np.int64(1), "b": pd.NaT}, {"a": 1, "b": None}),
        ([{"a": 1}, {"a": math.nan}], [{"a": 1}, {"a": None}]),
        ([], []),
        (pd.DataFrame({"a": [1, 2], 5: ["x", None]}), {"columns": ["a", "5"], "data": [[1, "x"], [2, None]]}),
        (pd.DataFrame({"a": pd.array([1, None], dtype="Int64")}), {"columns": ["a"], "data": [[1], [None]]}),
        (pd.DataFrame({"a": pd.Categorical(["x", None])}), {"columns": ["a"], "data": [["x"], [None]]}),
    ],
)
def test_data_becomes_one_of_the_shapes_of_a_body(data, value):
    assert repr(plain_rows(data)) == repr(value)


def test_every_way_to_hold_the_same_rows_gives_the_same_rows():
    fields = Field("n", "int", "int64"), Field("x", nullable=True), Field("t", "text", "str")
    decoder = Decoder(Schema("regression", fields, (Output("prediction"),)))
    frame = pd.DataFrame({"t": ["a", "b"], "n": [1, 2], "x": [0.5, math.nan]})
    ordered = frame[["n", "x", "t"]]
    ways = [frame, frame.to_dict("records"), ordered.to_numpy(dtype=object), ordered.to_numpy(dtype=object).tolist()]
    for data in ways:
        assert list(decoder.value(plain_rows(data)).rows) == [(1, 0.5, "a"), (2, None, "b")]


@given(schema=...)
def test_checked_rows_are_plain_json_and_come_back_the_same(schema: Schema):
    rows = draw_rows(schema.inputs, None, 3)
    lines = [plain_row(row) for row in rows]
    assert json.loads(json.dumps(lines, allow_nan=False)) == lines
    assert repr(list(Decoder(schema).value({"X": lines}).rows)) == repr(rows)
