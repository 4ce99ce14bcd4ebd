"""The reference counts every row of a sample, and holds none."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.schema.fields import Field
from lading.schema.reference import BINS, MAX_COUNTED, Reference, make_reference
from lading.schema.sample import as_sample

NUMBERS = st.floats(-1e300, 1e300) | st.integers(-5, 5).map(float)


def reference_of(field, values):
    return make_reference((field,), as_sample({field.name: values})).columns[0]


@given(st.lists(NUMBERS | st.none(), min_size=1, max_size=60).filter(lambda values: set(values) != {None}))
def test_numbers_are_counted_in_bins_that_are_ordered(values):
    numbers = [value for value in values if value is not None]
    column = reference_of(Field("x"), values)
    assert (column.rows, column.missing) == (len(values), values.count(None))
    assert sum(column.counts) + column.missing == column.rows
    assert len(column.edges) == len(column.counts) + 1 <= BINS + 1
    assert list(column.edges) == sorted(column.edges)
    assert (column.edges[0], column.edges[-1]) == (min(numbers), max(numbers))


@given(st.lists(st.sampled_from(["a", "b", None]) | st.text(max_size=2), min_size=1))
def test_categories_are_counted_the_most_frequent_first(values):
    column = reference_of(Field("x", "category", "str"), values)
    assert sum(column.counts) + column.others + column.missing == column.rows == len(values)
    assert list(column.counts) == sorted(column.counts, reverse=True)
    assert dict(zip(column.values, column.counts, strict=True)) == {
        value: values.count(value) for value in {*values} - {None}
    }


def test_bins_hold_about_as_many_rows_each():
    column = reference_of(Field("x"), np.random.default_rng(0).normal(size=1000))
    assert set(column.counts) == {100}


def test_a_value_that_is_most_of_a_column_has_a_bin_of_its_own():
    column = reference_of(Field("x"), [0.0] * 90 + list(map(float, range(1, 11))))
    assert column.counts[0] >= 90
    assert len(column.edges) < BINS + 1


@pytest.mark.parametrize("value", [0.0, -1.5, 1e300])
def test_a_column_of_one_value_has_one_bin(value):
    column = reference_of(Field("x"), [value] * 5)
    assert (column.edges, column.counts) == ((value, value), (5,))


def test_a_column_without_values_has_none():
    column = reference_of(Field("x"), [None, None])
    assert (column.rows, column.missing, column.edges, column.counts) == (2, 2, (), ())


def test_infinite_numbers_are_in_the_outer_bins():
    column = reference_of(Field("x"), [-math.inf, 1.0, 2.0, 3.0, math.inf])
    assert (column.edges[0], column.edges[-1], sum(column.counts)) == (1.0, 3.0, 5)
    assert all(map(math.isfinite, column.edges))


def test_rare_categories_are_counted_together():
    values = [f"v{position}" for position in range(MAX_COUNTED + 50)] + ["v7"] * 3
    column = reference_of(Field("x", "category", "str"), values)
    assert (column.values[0], column.counts[0], len(column.values), column.others) == ("v7", 4, MAX_COUNTED, 50)


def test_booleans_are_counted():
    column = reference_of(Field("x", "bool", "bool"), [True, False, True])
    assert (column.values, column.counts) == ((True, False), (2, 1))


@pytest.mark.parametrize("kind", ["text", "date"])
def test_nothing_of_texts_and_dates_is_kept(kind):
    column = reference_of(Field("x", kind, "str"), ["2024-02-29", "2024-03-01", None])
    assert msgspec.to_builtins(column) == {"name": "x", "rows": 3, "missing": 1}


def test_a_reference_is_json_and_comes_back_the_same():
    sample = as_sample({"n": [1.5, 2.5], "c": ["a", None], "b": [True, False]})
    fields = Field("n"), Field("c", "category", "str"), Field("b", "bool", "bool")
    reference = make_reference(fields, sample)
    assert [column.name for column in reference.columns] == ["n", "c", "b"]
    assert msgspec.json.decode(msgspec.json.encode(reference), type=Reference) == reference
