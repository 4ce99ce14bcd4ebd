"""Synthetic rows look like training, are nobody's, and are always accepted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.schema.cells import accepts, cell_checker
from lading.schema.fields import Field, Interval, Schema
from lading.schema.reference import ColumnReference, Reference, make_reference
from lading.schema.rows import RowChecker
from lading.schema.sample import as_sample
from lading.schema.synthetic import draw_rows, example_row, example_value
from lading.schema.values import plain_row


@st.composite
def references(draw, schema, rows_of):
    """A reference for the schema: of rows that it accepts, or none."""
    rows = draw(st.lists(rows_of(schema), max_size=4))
    return make_reference(schema.inputs, as_sample(rows)) if rows else None


@given(data=st.data(), schema=...)
def test_drawn_rows_are_accepted(data, schema: Schema, rows_of):
    reference = data.draw(references(schema, rows_of))
    rows = draw_rows(schema.inputs, reference, 20, seed=data.draw(st.integers(0, 2**32)))
    checked = RowChecker(schema).arrays([plain_row(row) for row in rows])
    assert repr(checked) == repr(rows)


@given(schema=...)
def test_the_example_is_accepted(schema: Schema):
    row = example_row(schema.inputs)
    assert [*row] == [*schema.names]
    assert RowChecker(schema).object(row)


@given(data=st.data(), schema=...)
def test_the_same_seed_draws_the_same_rows(data, schema: Schema, rows_of):
    reference = data.draw(references(schema, rows_of))
    first, again = (draw_rows(schema.inputs, reference, 5, seed=7) for _ in range(2))
    assert repr(first) == repr(again)


def test_another_seed_draws_other_rows():
    assert draw_rows((Field("x"),), None, 5, seed=1) != draw_rows((Field("x"),), None, 5, seed=2)


def drawn(field, reference=None, count=2000):
    reference = Reference((reference,)) if reference else None
    return [cell for (cell,) in draw_rows((field,), reference, count)]


def test_numbers_are_drawn_from_the_bins():
    reference = ColumnReference("x", 100, edges=(0.0, 1.0, 100.0), counts=(90, 10))
    numbers = np.array(drawn(Field("x"), reference))
    assert numbers.min() >= 0
    assert numbers.max() <= 100
    assert (numbers <= 1).mean() == pytest.approx(0.9, abs=0.03)


def test_a_column_of_one_value_is_drawn_as_that_value():
    assert set(drawn(Field("x"), ColumnReference("x", 5, edges=(2.5, 2.5), counts=(5,)))) == {2.5}


def test_categories_are_drawn_by_their_frequency_and_every_one_can_be():
    field = Field("x", "category", "str", categories=("a", "b", "never"))
    cells = drawn(field, ColumnReference("x", 100, values=("a", "b"), counts=(80, 17)))
    assert {*cells} == {"a", "b", "never"}
    assert cells.count("a") / len(cells) == pytest.approx(0.81, abs=0.03)


def test_missing_values_are_drawn_by_their_share_where_they_may_be():
    reference = ColumnReference("x", 100, 40, edges=(0.0, 1.0), counts=(60,))
    share = drawn(Field("x", nullable=True), reference).count(None) / 2000
    assert share == pytest.approx(0.4, abs=0.04)
    assert None not in drawn(Field("x"), reference)
    assert 0.02 < drawn(Field("x", nullable=True)).count(None) / 2000 < 0.08


def test_an_open_interval_bounds_on_its_own_side_only():
    reference = ColumnReference("x", 100, edges=(-10.0, 0.0, 80.0), counts=(10, 90))
    numbers = drawn(Field("x", domain=Interval(minimum=0)), reference)
    assert min(numbers) == 0
    assert max(numbers) > 70


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", "uint64", "Int16"])
def test_whole_numbers_stay_within_their_dtype(dtype):
    field = Field("x", "int", dtype)
    numbers = drawn(field, ColumnReference("x", 2, edges=(-1e19, 1e19), counts=(2,)), 50)
    assert all(accepts(cell_checker(field), number) for number in numbers)
    assert {type(number) for number in numbers} == {int}


def test_without_a_reference_numbers_are_drawn_from_the_range_seen_or_around_the_example():
    seen = drawn(Field("x", seen=Interval(5, 6), example=100.0))
    assert (min(seen) >= 5, max(seen) <= 6) == (True, True)
    around = drawn(Field("x", example=100.0))
    assert np.mean(around) == pytest.approx(100, abs=3)
    assert np.std(around) == pytest.approx(25, abs=3)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (Field("x", example=2.5), 2.5),
        (Field("x"), 1.0),
        (Field("x", "int", "int64"), 1),
        (Field("x", "bool", "bool"), True),
        (Field("x", "text", "str"), "text"),
        (Field("x", "date", "str"), "2024-02-29"),
        (Field("x", "category", "str", categories=("a", "b")), "a"),
        (Field("x", "category", "str", categories=("a", "b"), domain=("b",)), "b"),
        (Field("x", "category", "int64", categories=(1, 20), closed=False, domain=Interval(minimum=5)), 20),
        (Field("x", example=5.0, domain=Interval(10, 20)), 15.0),
        (Field("x", "int", "int64", example=5, domain=Interval(9.5, 20)), 10),
        (Field("x", domain=Interval(maximum=-10)), -15.0),
        (Field("x", "int", "int8", domain=Interval(-1000.0, 0.0)), -128),
        (Field("x", dtype="float16", domain=Interval(60000.0, 1e9)), 65504.0),
        (Field("x", domain=(3.0, 4.0), example=7.0), 3.0),
        (Field("x", "text", "str", example=0.0), "text"),
        (Field("x", "int", "int64", example=0.5), 1),
        (Field("x", "int", "int8", example=300), 1),
        (Field("x", "date", "datetime64[ns]", example="9999-01-01"), "2024-02-29"),
    ],
)
def test_the_example_is_the_own_one_or_the_simplest_that_is_allowed(field, value):
    assert (type(example_value(field)), example_value(field)) == (type(value), value)
