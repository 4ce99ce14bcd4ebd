import datetime
import enum
import functools
import math

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier

from lading.bundle.wrapped import MAX_DEPTH, MAX_ITEMS, MODEL_KEYS, find_model

MODEL = DummyClassifier()


def metadata_of(entries):
    return find_model({"model": MODEL, **entries})[2]


@pytest.mark.parametrize("key", MODEL_KEYS)
def test_the_model_is_found_under_each_key(key):
    assert find_model({key: MODEL, "author": "x"}) == (key, MODEL, {"author": "x"})


def test_a_bare_model_is_itself():
    assert find_model(MODEL) == (None, MODEL, {})


@pytest.mark.parametrize("loaded", [{"weights": MODEL}, {"model": "logistic"}, {"model": {"a": 1}}, {}, [MODEL], None])
def test_where_no_model_is_known_the_whole_is_given_back(loaded):
    key, model, metadata = find_model(loaded)
    assert (key, metadata) == (None, {})
    assert model is loaded


def test_a_key_that_only_describes_the_model_is_passed_over():
    key, model, metadata = find_model({"model": "logistic, second try", "clf": MODEL})
    assert (key, model) == ("clf", MODEL)
    assert metadata == {"model": "logistic, second try"}


def test_metadata_is_laid_flat():
    assert metadata_of({"metadata": {"author": "x"}}) == {"author": "x"}
    assert metadata_of({"accuracy": 0.9}) == {"accuracy": 0.9}


def test_an_entry_outside_of_metadata_wins():
    assert metadata_of({"metadata": {"version": 1, "author": "x"}, "version": 2}) == {
        "version": 2,
        "author": "x",
    }


def test_metadata_that_is_only_text_keeps_its_name():
    assert metadata_of({"metadata": "by hand"}) == {"metadata": "by hand"}


def test_numpy_scalars_become_plain():
    metadata = metadata_of({"a": np.float64(0.5), "b": np.int32(3), "c": np.bool_(True), "d": np.str_("x")})
    assert metadata == {"a": 0.5, "b": 3, "c": True, "d": "x"}
    assert [type(value) for value in metadata.values()] == [float, int, bool, str]


def test_numbers_that_are_not_finite_become_none():
    assert metadata_of({"a": math.nan, "b": np.float32("inf"), "c": [-math.inf]}) == {
        "a": None,
        "b": None,
        "c": [None],
    }


def test_what_json_cannot_carry_is_dropped():
    entries = {
        "when": datetime.date(2024, 1, 1),
        "array": np.zeros(2),
        "scaler": MODEL,
        "set": {1},
        "bytes": b"x",
        "big": 1 << 80,
        "broken": "\ud800",
        "list": [1, MODEL, "a"],
        7: "a number as key",
    }
    assert metadata_of(entries) == {"list": [1, "a"]}


def test_an_enumeration_of_texts_gives_its_text():
    color = enum.Enum("Color", {"RED": "red"}, type=str).RED
    metadata = metadata_of({"color": color, color: 1})
    assert metadata == {"color": "red", "red": 1}
    assert {type(name) for name in metadata} == {str}


def test_tuples_and_dictionaries_are_reduced_all_the_way_down():
    assert metadata_of({"a": {"b": (1, {"c": [None, True]})}}) == {"a": {"b": [1, {"c": [None, True]}]}}


def lists(depth, bottom):
    return functools.reduce(lambda inner, _: [inner], range(depth), bottom)


def test_what_is_too_deep_is_dropped():
    fits = {"levels": lists(MAX_DEPTH - 1, "bottom")}
    assert metadata_of(fits) == fits
    assert metadata_of({"levels": lists(MAX_DEPTH, "bottom")}) == {"levels": lists(MAX_DEPTH - 2, [])}


def test_a_list_that_is_too_long_is_dropped_whole_and_the_rest_stays():
    assert metadata_of({"long": [0] * MAX_ITEMS, "author": "x"}) == {"author": "x"}
    assert metadata_of({"fits": [0] * (MAX_ITEMS - 1)}) == {"fits": [0] * (MAX_ITEMS - 1)}


def test_lists_that_hold_each_other_end():
    loop: list[object] = [1]
    loop.append(loop)
    tree = ["x"] * 10
    for _ in range(20):
        tree = [tree] * 10
    assert metadata_of({"loop": loop, "tree": tree, "author": "x"})["loop"][0] == 1


def test_the_number_of_entries_is_bounded():
    assert len(metadata_of({str(number): number for number in range(MAX_ITEMS + 50)})) == MAX_ITEMS
