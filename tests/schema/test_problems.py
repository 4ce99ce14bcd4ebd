"""Problems say where and what, never which value, and cost little however many they are."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.errors import InputError
from lading.schema.problems import (
    MAX_COMPARED,
    MAX_COUNTED,
    MAX_LISTED,
    Problem,
    Problems,
    pointer,
    presentable,
    suggest,
    type_name,
)


def resolve(document, spot):
    """What a JSON Pointer (RFC 6901, section 4) leads to."""
    for part in spot.split("/")[1:]:
        part = part.replace("~1", "/").replace("~0", "~")
        document = document[int(part) if isinstance(document, list) else part]
    return document


@given(st.lists(st.text(max_size=4) | st.integers(0, 3), max_size=4))
def test_a_pointer_leads_to_its_spot(parts):
    document = "here"
    for part in reversed(parts):
        document = [None] * part + [document] if isinstance(part, int) else {part: document}
    assert resolve(json.loads(json.dumps(document)), pointer(*parts)) == "here"


def test_slashes_and_tildes_are_escaped():
    assert pointer("a/b", "~1", 0) == "/a~1b/~01/0"
    assert pointer() == ""


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("petal lenght", "petal length"),
        ("PETAL LENGTH", "petal length"),
        ("petal_length", "petal length"),
        ("Age", "age"),
        ("ages", "age"),
        ("zip", None),
        ("", None),
        ("x" * 10_000, None),
    ],
)
def test_the_name_that_was_meant_is_suggested(name, meant):
    assert suggest(name, ["petal length", "petal width", "age", "größe"]) == meant


@pytest.mark.parametrize("name", ["age", "petal length (cm)", "a.b", "a-b/c%", "_x1", "A" * 64])
def test_a_plain_name_is_repeated(name):
    assert presentable(name) == name


@pytest.mark.parametrize(
    "name", ["", "1a", "a@b.org", "x" * 65, "a\n", "a\tb", "<b>", "é", "a,b", '"', "\x1b[2J", "a=b"]
)
def test_what_may_be_anything_is_not(name):
    assert presentable(name) is None


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (None, "null"),
        (True, "a boolean"),
        (1, "an integer"),
        (1.0, "a number"),
        ("", "a string"),
        ({}, "an object"),
        ([], "an array"),
    ],
)
def test_what_came_is_said_in_the_words_of_json(value, name):
    assert type_name(value) == name


def test_no_problem_raises_nothing():
    assert Problems().raise_any() is None


def test_problems_are_listed_up_to_a_bound_and_counted_beyond():
    problems, described = Problems(), []

    def describe(spot):
        described.append(spot)
        return Problem(pointer(spot), "code", "detail")

    for spot in range(MAX_LISTED + 50):
        assert problems.is_full == (spot >= MAX_LISTED)
        problems.add(describe, spot)
    problems.count(850)
    with pytest.raises(InputError, match="1000 problems with the input") as caught:
        problems.raise_any()
    assert caught.value.total == 1000
    assert [problem.pointer for problem in caught.value.problems] == [f"/{spot}" for spot in range(MAX_LISTED)]
    assert described == list(range(MAX_LISTED))


def test_checking_ends_where_counting_ends():
    problems = Problems()
    problems.count(MAX_COUNTED - 1)
    with pytest.raises(InputError, match=f"{MAX_COUNTED} problems"):
        problems.add(Problem, "", "code", "detail")


def test_one_problem_is_one():
    problems = Problems()
    problems.add(Problem, "", "code", "detail")
    with pytest.raises(InputError) as caught:
        problems.raise_any()
    assert caught.value.message == "1 problem with the input"
    assert str(caught.value).splitlines()[1:] == ["     detail"]


def test_names_are_compared_up_to_a_bound():
    problems = Problems()
    known = [f"pixel{position}" for position in range(MAX_COMPARED // 4)]
    suggestions = [problems.suggest("pixels1", known) for _ in range(6)]
    assert suggestions == ["pixel1"] * 4 + [None] * 2
    assert Problems().suggest("pixels1", [*known, *map(str, range(MAX_COMPARED))]) is None


def test_nothing_is_compared_for_problems_that_are_not_listed():
    problems = Problems()
    for _ in range(MAX_LISTED):
        problems.add(Problem, "", "code", "detail")
    assert problems.suggest("ages", ["age"]) is None
