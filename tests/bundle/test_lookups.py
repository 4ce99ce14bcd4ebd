"""Lookups are declared with the model, refused where they do not fit it, and say what requests bring."""

from typing import Any

import pytest

import lading
from lading.bundle.declared import read_declared
from lading.bundle.lookups import Lookup, check_lookups, request_schema
from lading.errors import SettingsError, UsageError
from lading.flavors.linear import LinearFile
from lading.schema.fields import Field, Output, Schema

SCHEMA = Schema(
    "regression",
    (Field("rooms"), Field("crime", nullable=True), Field("score"), Field("town", "text", "str")),
    (Output("prediction"),),
    ("id", "note"),
)
SQL = "SELECT id, crime, score FROM t WHERE id IN (:keys)"


def lookup(**said: Any) -> Lookup:
    return Lookup(**({"key": "id", "columns": ("crime", "score"), "sql": SQL} | said))


def test_requests_bring_keys_in_place_of_columns():
    schema = request_schema(SCHEMA, {"a": lookup(), "b": lookup(key="town", columns=("rooms",))})
    assert schema.names == ("id", "town")
    assert schema.unused == ("note",)
    assert schema.inputs[1] is SCHEMA.inputs[3]
    assert request_schema(SCHEMA, {}) is SCHEMA


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"columns": ("crim",)}, "`crim` is not an input of the model"),
        ({"columns": ("crime", "crime")}, "`crime` is looked up twice"),
        ({"columns": ()}, "names no columns"),
        ({"key": "rooms"}, "the key `rooms` is an input of the model too, and there not text"),
        ({"key": "crime"}, "the key `crime` is an input"),
        ({"key": "town", "columns": ("town",)}, "the key `town` is looked up itself"),
        ({"key": ""}, "the name of the key is empty"),
        ({"key": "a\nb"}, "holds control characters"),
        ({"sql": ""}, "has either `sql` or `hash`"),
        ({"hash": "h:{key}"}, "has either `sql` or `hash`"),
        ({"sql": "SELECT 1"}, "`:keys` stands once"),
        ({"sql": f"{SQL} OR x IN (:keys)"}, "`:keys` stands once"),
        ({"sql": "SELECT x::keys, :keysets FROM t"}, "`:keys` stands once"),
        ({"sql": "", "hash": "district"}, "the hash has `{key}` in its name"),
        ({"missing": "null"}, "`score` is never null"),
        ({"cache_s": -1.0}, "`cache_s` is a number of seconds"),
        ({"cache_s": float("inf")}, "`cache_s` is a number of seconds"),
        ({"example": 5}, "the example of the key is not of its kind, text"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(said: Any, words: str):
    with pytest.raises(UsageError) as caught:
        check_lookups(SCHEMA, {"district": lookup(**said)})
    assert words in caught.value.message
    assert "\n" not in caught.value.message


def test_lookups_that_do_not_fit_one_another_are_refused():
    with pytest.raises(UsageError, match="`score` is looked up twice"):
        check_lookups(SCHEMA, {"a": lookup(), "b": lookup(key="other", columns=("score",))})
    with pytest.raises(UsageError, match="the key `id` has two kinds"):
        check_lookups(SCHEMA, {"a": lookup(columns=("crime",)), "b": lookup(columns=("score",), kind="int")})
    with pytest.raises(UsageError, match="the key `town` is looked up itself"):
        check_lookups(SCHEMA, {"a": lookup(key="town"), "b": lookup(columns=("town",))})
    with pytest.raises(UsageError, match="a lookup's name"):
        check_lookups(SCHEMA, {"a b": lookup()})


def test_an_unknown_word_of_a_lookup_is_refused_with_the_one_that_was_meant():
    with pytest.raises(SettingsError, match=r"unknown key `colums` in \[features.district\]") as caught:
        read_declared({"features": {"district": {"key": "id", "colums": []}}})
    assert caught.value.hint == "did you mean `columns`?"
    with pytest.raises(SettingsError, match="missing required field `key`"):
        read_declared({"features": {"district": {"columns": []}}})


def test_a_lookup_that_does_not_fit_is_refused_at_packing(tmp_path: Any):
    model = LinearFile("lading.linear/1", ("x",), coef=((1.0,),), intercept=(0.0,))
    features = {"d": {"key": "id", "columns": ["y"], "sql": SQL}}
    with pytest.raises(UsageError, match="`y` is not an input of the model"):
        lading.pack(model, path=tmp_path / "m.lading", features=features)
