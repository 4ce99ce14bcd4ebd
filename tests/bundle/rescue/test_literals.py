import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.bundle.rescue.literals import MAX_ITEMS, write_literal

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.tuples(inner)
        | st.dictionaries(st.text(), inner, max_size=3)
        | st.sets(st.integers())
        | st.frozensets(st.text())
    ),
)


@given(PLAIN)
def test_plain_data_come_back_the_same(value):
    text = write_literal(value)
    assert "\n" not in text
    assert repr(eval(text)) == repr(value) or eval(text) == value


@pytest.mark.parametrize(
    "value", [np.float32(0.1), np.int64(-3), np.bool_(True), np.arange(3), np.array(2.5), np.zeros(0)]
)
def test_numbers_of_numpy_come_back_the_same(value):
    got = eval(write_literal(value), {"numpy": np})
    assert type(got) is type(value)
    assert got.dtype == value.dtype
    assert np.array_equal(got, value)


class Text(str):
    __slots__ = ()

    def __repr__(self):
        return "print('called')"


CIRCLE: list = []
CIRCLE.append(CIRCLE)
NOT_PLAIN = [
    float("nan"),
    [float("inf")],
    Text("a"),
    {1: object()},
    CIRCLE,
    list(range(MAX_ITEMS + 1)),
    1 << 5000,
    print,
]
NOT_PLAIN += [np.array([np.nan]), np.array(["a"]), np.array([object()]), np.zeros((0, 3)), np.datetime64("2020"), 1j]


@pytest.mark.parametrize("value", NOT_PLAIN, ids=range(len(NOT_PLAIN)))
def test_what_is_more_than_plain_data_is_not_written(value):
    assert write_literal(value) is None
