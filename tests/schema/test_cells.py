"""One cell: what each kind takes and refuses, in JSON and as text."""

import math
from datetime import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.schema.cells import (
    Complaint,
    accepts,
    cell_checker,
    expectation,
    is_date,
    list_values,
    number_bounds,
    numpy_dtype,
    parse_date,
    read_cell,
)
from lading.schema.fields import Field, Interval

FIELDS = {
    "bool": Field("x", "bool", "bool"),
    "int": Field("x", "int", "int64"),
    "float": Field("x"),
    "text": Field("x", "text", "str"),
    "date": Field("x", "date", "str"),
    "category": Field("x", "category", "str", categories=("a", "b")),
}


def complaint(field, value):
    with pytest.raises(Complaint) as caught:
        cell_checker(field)(value)
    return caught.value


@pytest.mark.parametrize(
    ("kind", "taken"),
    [
        ("bool", [True, False]),
        ("int", [0, -1, 2**63 - 1, -(2**63)]),
        ("float", [0, 1.5, -0.0, 1e308, 5e-324, 2**70]),
        ("text", ["", "a", "é\0", " "]),
        ("date", ["2024-02-29", "2024-02-29T10:00", "0001-01-01", "9999-12-31T23:59:59.999999Z"]),
        ("category", ["a", "b"]),
    ],
)
def test_a_kind_takes_its_own(kind, taken):
    check = cell_checker(FIELDS[kind])
    assert [check(value) for value in taken] == taken
    assert {type(check(value)) for value in taken} == {type(check(taken[0]))}


@pytest.mark.parametrize("kind", FIELDS)
def test_a_kind_takes_no_other(kind):
    taken = {"bool": {bool}, "int": {int}, "float": {int, float}}.get(kind, {str})
    for value in (True, 1, 1.5, "2024-02-29", [1], {}, None, [], {"a": 1}):
        if type(value) not in taken:
            assert complaint(FIELDS[kind], value).code in ("schema.wrong_type", "schema.null")


@pytest.mark.parametrize("kind", FIELDS)
def test_null_is_taken_only_where_it_may_be(kind):
    field = FIELDS[kind]
    words = complaint(field, None)
    assert (words.code, words.got, words.detail) == ("schema.null", "null", f"expected {expectation(field)}, got null")
    nullable = Field("x", kind, field.dtype, nullable=True, categories=field.categories)
    assert cell_checker(nullable)(None) is None


@pytest.mark.parametrize(
    ("value", "got"),
    [(True, "a boolean"), (1, "an integer"), (1.5, "a number"), ([1], "an array"), ({}, "an object")],
)
def test_a_complaint_says_the_kind_that_came_never_the_value(value, got):
    words = complaint(FIELDS["text"], value)
    assert (words.code, words.detail, words.got) == ("schema.wrong_type", f"expected string, got {got}", got)


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 10**400, -(10**400)])
def test_numbers_are_finite(value):
    assert complaint(FIELDS["float"], value).code == "schema.not_finite"


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [
        ("int64", -(2**63), 2**63 - 1),
        ("int8", -128, 127),
        ("uint8", 0, 255),
        ("UInt16", 0, 2**16 - 1),
        ("Int32", -(2**31), 2**31 - 1),
        ("int16[pyarrow]", -(2**15), 2**15 - 1),
        ("uint64", 0, 2**63 - 1),
        ("float64", -(2**63), 2**63 - 1),
    ],
)
def test_whole_numbers_fit_their_dtype(dtype, low, high):
    field = Field("x", "int", dtype)
    assert number_bounds(field) == (low, high)
    assert [cell_checker(field)(value) for value in (low, high)] == [low, high]
    assert {complaint(field, value).code for value in (low - 1, high + 1)} == {"schema.too_large"}


def test_what_a_column_of_bytes_could_not_hold_says_its_bounds():
    assert complaint(Field("x", "int", "uint8"), 300).detail == "expected an integer from 0 to 255"
    assert complaint(FIELDS["int"], 2**63).detail == "expected an integer of 64 bits"


@pytest.mark.parametrize(("dtype", "bits"), [("float16", 16), ("float32", 32), ("Float32", 32), ("float64", 64)])
def test_numbers_fit_their_dtype(dtype, bits):
    field = Field("x", dtype=dtype)
    greatest = float(np.finfo(dtype.lower()).max)
    assert cell_checker(field)(greatest) == greatest
    for value in (math.nextafter(greatest, math.inf), -math.inf):
        assert complaint(field, value).detail == f"expected a finite number of {bits} bits"


@pytest.mark.parametrize("name", ["str", "category", "nonsense", "datetime64[ns, UTC]", "", "boolean", "f8,(", "0:"])
def test_a_dtype_that_numpy_does_not_have_is_no_number(name):
    assert numpy_dtype(name).kind not in "iuf"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "2024-02-29",
            "2024-02-29T10:00",
            "2024-02-29 10:00:59",
            "2024-02-29T10:00:59.1",
            "2024-02-29T10:00:59.123456",
        ),
        *("2024-02-29T10:00Z", "2024-02-29T10:00:00+05:30", "2024-02-29T10:00-12:00", "0001-01-01", "9999-12-31"),
    ],
)
def test_a_date_is_read_as_pandas_and_python_read_it(text):
    expected = pd.Timestamp(text)
    if expected.tz:
        expected = expected.tz_convert("UTC").tz_localize(None)
    assert is_date(text)
    assert parse_date(text) == expected.to_pydatetime()


@pytest.mark.parametrize(
    "text",
    [
        *(
            "2023-02-29",
            "2024-13-01",
            "2024-00-10",
            "2024-1-1",
            "20240229",
            "2024-02",
            "24-02-29",
            "12024-01-01",
            "now",
        ),
        *("2024-02-29T", "2024-02-29T25:00", "2024-02-29T10:60", "2024-02-29T10", "2024-02-29T10:00:00.1234567"),
        *("2024-02-29T10:00+25:00", "2024-02-29T10:00+0530", "2024-W09-4", "2024-060", " 2024-02-29", "2024-02-29\n"),
        *("２０２４-02-29", "0000-01-01", "10000-01-01", "-2024-02-29", "0001-01-01T00:00+01:00", "NaT", "", "null"),
    ],
)
def test_what_is_not_a_date_is_refused(text):
    assert not is_date(text)
    assert complaint(FIELDS["date"], text).detail == "expected an ISO 8601 date such as 2024-02-29"


@given(st.datetimes())
def test_every_moment_is_a_date(moment):
    assert parse_date(moment.isoformat()) == moment


def test_a_model_of_moments_gets_moments_in_utc():
    check = cell_checker(Field("x", "date", "datetime64[us]"))
    assert check("2024-02-29T01:30+02:00") == datetime(2024, 2, 28, 23, 30)


@pytest.mark.parametrize("text", ["1677-12-31", "2262-01-01", "9999-12-31"])
def test_a_moment_fits_64_bits_of_nanoseconds(text):
    assert complaint(Field("x", "date", "datetime64[ns]"), text).detail == "expected a date from 1678 to 2261"
    assert cell_checker(Field("x", "date", "datetime64[us]"))(text) == parse_date(text)


def test_only_the_values_of_a_domain_are_taken():
    field = Field("x", "int", "int64", domain=(1, 2))
    words = complaint(field, 3)
    assert (words.code, words.detail, words.got) == ("schema.not_allowed", "not one of 1, 2", "an integer")
    assert accepts(cell_checker(field), 2)


@pytest.mark.parametrize(
    ("example", "text", "cell"),
    [
        ("2024-02-29", "2024-02-29T01:30+02:00", "2024-02-28T23:30:00"),
        ("2024-02-29", "2024-02-29 01:30:00Z", "2024-02-29T01:30:00"),
        ("2024-02-29", "2024-02-29T01:30", "2024-02-29T01:30"),
        ("2024-02-29T00:00:00Z", "2024-02-29T01:30+02:00", "2024-02-29T01:30+02:00"),
        (None, "2024-02-29T01:30+02:00", "2024-02-29T01:30+02:00"),
    ],
)
def test_a_text_of_a_date_has_an_offset_only_where_those_of_training_had_one(example, text, cell):
    assert cell_checker(Field("x", "date", "str", example=example))(text) == cell


def test_the_domain_of_a_date_binds_moments_too():
    field = Field("x", "date", "datetime64[ns]", domain=("2024-02-29",))
    assert cell_checker(field)("2024-02-29") == cell_checker(field)("2024-02-29T00:00:00Z") == datetime(2024, 2, 29)
    assert cell_checker(Field("x", "date", "str", domain=("2024-02-29",)))("2024-02-29") == "2024-02-29"
    assert complaint(field, "2024-03-01").code == "schema.not_allowed"


def test_a_domain_goes_before_the_categories():
    field = Field("x", "category", "str", categories=("a", "b"), domain=("b",))
    assert complaint(field, "a").detail == "not one of b"


def test_an_open_category_takes_what_training_did_not_see():
    assert cell_checker(Field("x", "category", "str", categories=("a",), closed=False))("z") == "z"


def test_categories_are_of_their_own_kind():
    for categories, good, bad in (((1, 2), 1, "1"), ((1.5, 2.0), 2, "2.0"), ((True,), True, 1), (("1",), "1", 1)):
        field = Field("x", "category", "object", categories=categories)
        assert cell_checker(field)(good) == good
        assert complaint(field, bad).code == "schema.wrong_type"


@pytest.mark.parametrize(
    ("interval", "inside", "outside"),
    [
        (Interval(0, 1), [0, 0.5, 1], [-0.1, 1.1]),
        (Interval(minimum=0), [0, 1e300], [-5e-324]),
        (Interval(maximum=0), [0, -1e300], [5e-324]),
    ],
)
def test_an_interval_is_closed(interval, inside, outside):
    check = cell_checker(field := Field("x", domain=interval))
    assert [check(value) for value in inside] == inside
    assert {complaint(field, value).code for value in outside} == {"schema.out_of_domain"}


@pytest.mark.parametrize(
    ("field", "words"),
    [
        (FIELDS["bool"], "boolean"),
        (FIELDS["date"], "ISO 8601 date"),
        (Field("x", seen=Interval(0, 214)), "number, seen 0 to 214"),
        (Field("x", nullable=True), "number or null"),
        (Field("x", "int", domain=Interval(0, 1234567), seen=Interval(1, 2)), "integer, 0 to 1234567"),
        (Field("x", domain=Interval(minimum=0.5)), "number, at least 0.5"),
        (Field("x", domain=Interval(maximum=-1)), "number, at most -1"),
        (FIELDS["category"], "one of a, b"),
        (Field("x", "category", "str", nullable=True, categories=("a", "b")), "one of a, b or null"),
        (Field("x", "category", "str", categories=("a", "b"), closed=False), "string, seen a, b"),
        (Field("x", nullable=True, seen=Interval(0, 1)), "number or null, seen 0 to 1"),
    ],
)
def test_what_is_expected_is_said_in_a_few_words(field, words):
    assert expectation(field) == words


def test_many_values_are_shortened():
    assert list_values(tuple(range(12))) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11"
    assert list_values(tuple(range(15))).endswith(", 11 and 3 more")


@pytest.mark.parametrize(
    ("kind", "text", "cell"),
    [
        *(("int", " 12 ", 12), ("int", "+5", 5), ("int", "-0", 0), ("int", "007", 7), ("int", "1.5", 1.5)),
        *(
            ("float", "1", 1),
            ("float", ".5", 0.5),
            ("float", "5.", 5.0),
            ("float", "1e3", 1000.0),
            ("float", "1E-3", 0.001),
        ),
        *(("bool", "true", True), ("bool", "FALSE", False), ("bool", "1", True), ("bool", " 0", False)),
        *(("date", " 2024-02-29 ", "2024-02-29"), ("text", " a ", " a "), ("text", "1", "1"), ("text", "NA", "NA")),
        *(("category", "a", "a"), ("category", " a", " a")),
    ],
)
def test_a_text_stands_for_a_cell(kind, text, cell):
    read = read_cell(FIELDS[kind], text)
    assert (type(read), read) == (type(cell), cell)


@pytest.mark.parametrize("kind", ["bool", "int", "float"])
@pytest.mark.parametrize(
    "text", ["abc", "1_000", "0x10", "inf", "nan", "１", "1,5", "--1", "1e", "9" * 65, "yes", "NA"]
)
def test_a_text_that_stands_for_none_is_left_as_it_is(kind, text):
    assert read_cell(FIELDS[kind], text) == text
    assert complaint(FIELDS[kind], text).code == "schema.wrong_type"


@pytest.mark.parametrize("kind", FIELDS)
def test_no_text_is_missing(kind):
    assert read_cell(FIELDS[kind], "") is None


@pytest.mark.parametrize("word", ["NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "<NA>", "#N/A", " NA "])
def test_the_usual_words_are_missing_where_values_may_be(word):
    for kind in ("bool", "int", "float", "date", "category"):
        field = Field("x", kind, FIELDS[kind].dtype, nullable=True, categories=FIELDS[kind].categories)
        assert read_cell(field, word) is None


def test_a_word_that_is_a_value_is_not_missing():
    assert read_cell(Field("x", "text", "str", nullable=True), "None") == "None"
    assert read_cell(Field("x", "category", "str", nullable=True, categories=("NA", "EU")), "NA") == "NA"


@given(value=st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63 - 1))
def test_a_number_is_read_as_it_was_written(value):
    assert repr(cell_checker(FIELDS["float"])(read_cell(FIELDS["float"], repr(value)))) == repr(float(value))


@given(data=st.data(), field=...)
def test_whatever_comes_is_taken_or_complained_of(data, field: Field):
    anything = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.none()) | st.just({})
    value = data.draw(anything)
    check = cell_checker(field)
    taken = accepts(check, value)
    assert not isinstance(value, list | dict) or not taken
    assert not taken or check(value) is None or isinstance(check(value), bool | int | float | str | datetime)
