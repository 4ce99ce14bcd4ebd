"""What is told of a whole body at once is what is found when each byte is looked at."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.schema.fields import Field, Output, Schema
from lading.schema.quick import _CHUNK_BYTES, QuickJson, has_long_number
from lading.schema.strict import MAX_NUMBER_CHARS
from lading.schema.typed import TypedRows

LONG = re.compile(rb"-?[0-9]+(?:[.][0-9]+)?(?:[eE][+-]?[0-9]+)?")
NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,70})([.][0-9]{1,70})?([eE][+-]?[0-9]{1,70})?", fullmatch=True)


def quick(*fields):
    schema = Schema("regression", fields, (Output("prediction"),))
    return QuickJson(schema, TypedRows(schema.inputs))


@given(st.lists(NUMBERS, min_size=1, max_size=4), st.integers(0, 70))
def test_a_number_that_is_too_long_is_found_wherever_it_stands(numbers, offset):
    listed = ",".join(numbers).encode()
    body = b"[" + b"1," * offset + listed + b"]" + b" " * 5000
    is_there = any(len(number) > MAX_NUMBER_CHARS for number in LONG.findall(body))
    assert has_long_number(body) == has_long_number(listed) == is_there


@pytest.mark.parametrize("shift", range(-70, 8, 7))
def test_a_number_that_is_too_long_is_found_where_the_chunks_meet(shift):
    start = _CHUNK_BYTES + shift
    for length, is_long in ((MAX_NUMBER_CHARS, False), (MAX_NUMBER_CHARS + 1, True)):
        assert has_long_number(b" " * start + b"1" * length + b" " * 100) is is_long


@pytest.mark.parametrize("count", [1, 1000])
@pytest.mark.parametrize(
    ("line", "is_vouched_for"),
    [
        ('{"at":"2024-02-29T10:00:00","a":1}', True),
        ('{"at":"2024-02-29","a":1}', True),
        ('{"at":"2024-02-29T10:00:00","a":1,"a":2}', False),
        ('{"at":"2024-02-29T10:00","a":1,"a" : 2}', False),
        ('{"at":"2024-02-29T10\\u003a00","a":1}', True),
        ('{"at":"2024-02-29T10\\u003a00:00","a":1}', False),
    ],
)
def test_the_colons_of_texts_are_not_those_of_keys(line, is_vouched_for, count):
    body = f"[{','.join([line] * count)}]".encode()
    rows = quick(Field("at", "date", "str"), Field("a")).many(body)
    assert (rows is not None) is is_vouched_for


def test_lists_with_columns_are_put_into_the_order_of_the_schema():
    fields = Field("a"), Field("b", "int", "int64"), Field("c", "text", "str")
    body = b'{"columns":["c","a","b"],"index":[7,"x"],"data":[["t",0.5,1],["u",1,2]]}'
    assert quick(*fields).many(body) == [(0.5, 1, "t"), (1.0, 2, "u")]
