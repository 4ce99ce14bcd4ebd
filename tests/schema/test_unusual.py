"""What training did not see is found, counted and never refused."""

import numpy as np
import pytest

from lading.schema.fields import Field, Interval, Output, Schema
from lading.schema.table import Table
from lading.schema.unusual import Warning, Watch

AGE = Field("age", seen=Interval(18, 90))
RANK = Field("rank", "int", "int64", seen=Interval(1, 3))
CITY = Field("city", "category", "str", nullable=True, categories=("Bonn", "Lyon"), closed=False)


def look(fields, rows):
    schema = Schema("regression", tuple(fields), (Output("prediction"),))
    return Watch(schema).look(Table.from_rows(schema.inputs, rows))


def warnings(fields, rows, part=slice(None)):
    return [warning for column in look(fields, rows) if (warning := column.within(part))]


@pytest.mark.parametrize("fields", [[AGE, RANK], [AGE, Field("other")], [AGE, Field("t", "text", "str")]])
def test_a_number_outside_of_what_was_seen_is_unusual(fields):
    others = {"rank": 2, "other": 1e9, "t": "x"}[fields[1].name]
    rows = [(18.0, others), (17.9, others), (90.0, others), (90.1, others)]
    (warning,) = warnings(fields, rows)
    assert warning == Warning("age", "range.outside_seen", "outside the range seen in training, 18 to 90", 2, 1)


def test_each_column_warns_by_itself():
    assert [w.column for w in warnings([AGE, RANK, CITY], [(1.0, 9, "Rome")])] == ["age", "rank", "city"]
    assert warnings([AGE, RANK, CITY], [(18.0, 3, "Bonn")]) == []


def test_a_category_that_was_not_seen_is_unusual():
    (warning,) = warnings([CITY], [("Bonn",), ("Rome",), ("Turin",)])
    assert warning == Warning("city", "category.unseen", "not among the categories seen in training", 2, 1)


def test_what_is_missing_is_not_unusual():
    age = Field("age", nullable=True, seen=Interval(18, 90))
    assert warnings([age, CITY], [(None, None)]) == []
    assert warnings([age], [(None,), (1.0,)])[0].rows == 1


def test_whole_categories_are_found_among_numbers_with_gaps():
    field = Field("size", "category", "int64", nullable=True, categories=(1, 2), closed=False)
    assert warnings([field], [(1,), (None,)]) == []
    assert warnings([field], [(3,), (None,)])[0].rows == 1


@pytest.mark.parametrize(
    "field",
    [
        Field("city", "category", "str", categories=("Bonn",)),
        Field("city", "category", "str", closed=False),
        Field("city", "category", "str", closed=False, domain=("Bonn",)),
        Field("city", "text", "str"),
        Field("when", "date", "str"),
    ],
)
def test_nothing_is_unusual_where_nothing_else_is_taken_or_nothing_is_known(field):
    assert look([field], [("Bonn",)]) == []


def test_a_declared_value_that_was_not_seen_is_unusual():
    field = Field("city", "category", "str", categories=("Bonn",), closed=False, domain=("Bonn", "Rome"))
    assert warnings([field], [("Bonn",)]) == []
    assert warnings([field], [("Rome",)])[0].code == "category.unseen"


@pytest.mark.parametrize("seen", [Interval(minimum=0), Interval(maximum=0), Interval()])
def test_an_open_range_has_no_end(seen):
    number = 1e308 if seen.minimum is not None else -1e308
    assert warnings([Field("x", seen=seen)], [(number,)]) == []


def test_a_request_is_told_of_its_own_rows():
    rows = [(20.0,), (1.0,), (20.0,), (20.0,), (2.0,), (3.0,)]
    parts = [warnings([AGE], rows, part) for part in (slice(0, 2), slice(2, 4), slice(4, 6))]
    assert [[(w.rows, w.first_row) for w in part] for part in parts] == [[(1, 1)], [], [(2, 0)]]


def test_a_column_of_half_precision_is_compared_as_it_was_seen():
    low, high = (float(np.float32(bound)) for bound in (0.1, 0.7))
    field = Field("x", dtype="float32", seen=Interval(low, high))
    assert warnings([field], [(0.1,), (0.7,), (low,), (high,)]) == []
