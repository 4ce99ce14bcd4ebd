"""Golden rows: the same at each packing, away from borders, and a changed model does not bring them back."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

import lading
from lading.engine.checking import answers_of, check_golden
from lading.engine.golden import COUNT, DRAWN, Golden, decode_golden, is_same, make_golden, real_rows, replay
from lading.errors import BundleError, CheckFailed
from lading.flavors.flavor import Predictions
from lading.schema.fields import Field, Interval, Output, Schema
from lading.schema.sample import as_sample
from lading.schema.table import Row

SCHEMA = Schema("classification", (Field("a", seen=Interval(-1, 1)), Field("b", example=2.0)), (Output("prediction"),))


def sign(rows: Sequence[Row]) -> tuple[list[Any], list[Any]]:
    """A model with its border at a = 0.5."""
    return ["high" if row[0] > 0.5 else "low" for row in rows], [{"high": row[0]} for row in rows]


def half(rows: Sequence[Row]) -> tuple[list[Any], None]:
    return [row[0] / 2 for row in rows], None


def test_golden_rows_are_the_same_each_time():
    assert msgspec.json.encode(make_golden(SCHEMA, None, sign)) == msgspec.json.encode(make_golden(SCHEMA, None, sign))


def test_there_are_as_many_as_wanted_and_they_come_back():
    golden = make_golden(SCHEMA, None, sign)
    assert len(golden.rows) == len(golden.predictions) == len(golden.probabilities or ()) == COUNT
    assert set(golden.predictions) == {"high", "low"}
    replay(golden, SCHEMA, sign)


def test_golden_rows_keep_away_from_the_border():
    def sharp(rows: Sequence[Row]) -> tuple[list[Any], None]:
        """Every fourth row or so stands within a thousandth of a border."""
        return [math.floor(row[0] * 250) for row in rows], None

    golden = make_golden(SCHEMA, None, sharp)
    assert len(golden.rows) > 0
    for a, _ in golden.rows:
        assert math.floor(a * 0.999 * 250) == math.floor(a * 250) == math.floor(a * 1.001 * 250)


def test_where_no_row_is_away_from_a_border_the_first_ones_are_better_than_none():
    golden = make_golden(SCHEMA, None, lambda rows: ([[row[0]] for row in rows], None))
    assert len(golden.rows) == COUNT


def test_a_column_of_few_values_is_never_moved_beside_them():
    seen: set[Any] = set()
    schema = Schema("unknown", (Field("a", domain=(0.0, 1.0)), Field("b", example=2.0)), (Output("prediction"),))

    def note(rows: Sequence[Row]) -> tuple[list[Any], None]:
        seen.update(row[0] for row in rows)
        return [0] * len(rows), None

    make_golden(schema, None, note)
    assert seen == {0.0, 1.0}


# --- replay


def test_one_changed_answer_is_caught_and_the_first_is_named():
    golden = make_golden(SCHEMA, None, sign)

    def changed(rows: Sequence[Row]) -> tuple[list[Any], list[Any]]:
        predictions, probabilities = sign(rows)
        return ["other" if row in (3, 7) else answer for row, answer in enumerate(predictions)], probabilities

    with pytest.raises(
        CheckFailed, match=f"(?m)^2 of {COUNT} golden rows have another answer than at packing, row 3 first$"
    ):
        replay(golden, SCHEMA, changed)


def test_a_changed_probability_is_caught():
    golden = make_golden(SCHEMA, None, sign)
    with pytest.raises(CheckFailed, match=f"^{COUNT} of"):
        replay(golden, SCHEMA, lambda rows: (sign(rows)[0], [{"high": row[0] + 0.001} for row in rows]))


def test_probabilities_that_are_not_given_any_more_are_caught():
    golden = make_golden(SCHEMA, None, sign)
    with pytest.raises(CheckFailed):
        replay(golden, SCHEMA, lambda rows: (sign(rows)[0], None))


@pytest.mark.parametrize(("factor", "is_kept"), [(1 + 1e-7, True), (1 - 9e-6, True), (1 + 2e-5, False), (-1, False)])
def test_numbers_come_back_within_the_tolerance(factor: float, is_kept: bool):
    golden = make_golden(SCHEMA, None, half)
    moved = lambda rows: ([number * factor for number in half(rows)[0]], None)  # noqa: E731
    if is_kept:
        replay(golden, SCHEMA, moved)
    else:
        with pytest.raises(CheckFailed):
            replay(golden, SCHEMA, moved)


@pytest.mark.parametrize(("difference", "is_kept"), [(9e-6, True), (2e-5, False)])
def test_probabilities_come_back_within_a_difference_however_tiny_they_are(difference: float, is_kept: bool):
    tiny = lambda rows: (sign(rows)[0], [{"high": 1e-9} for _ in rows])  # noqa: E731
    golden = make_golden(SCHEMA, None, tiny)
    moved = lambda rows: (sign(rows)[0], [{"high": 1e-9 + difference} for _ in rows])  # noqa: E731
    if is_kept:
        replay(golden, SCHEMA, moved)
    else:
        with pytest.raises(CheckFailed):
            replay(golden, SCHEMA, moved)


def test_rows_that_another_engine_answers_in_another_way_are_not_taken():
    picky = lambda rows: (["low" if row[0] > 0.8 else sign([row])[0][0] for row in rows], sign(rows)[1])  # noqa: E731
    golden = make_golden(SCHEMA, None, sign, other=picky)
    assert len(golden.rows) == COUNT
    assert max(row[0] for row in golden.rows) <= 0.8
    replay(golden, SCHEMA, picky)


def test_where_no_row_is_away_from_a_border_they_are_still_ones_that_both_answer_alike():
    restless = lambda rows: ([[row[0]] for row in rows], None)  # noqa: E731
    picky = lambda rows: ([[row[0] + (row[0] > 0)] for row in rows], None)  # noqa: E731
    golden = make_golden(SCHEMA, None, restless, other=picky)
    assert len(golden.rows) == COUNT
    assert all(row[0] <= 0 for row in golden.rows)


# --- rows of the data


def test_rows_of_the_data_are_taken_where_they_are_given():
    real = [(number / 100, 2.0) for number in range(-100, 100)]
    golden = make_golden(SCHEMA, None, sign, real=real)
    assert golden.kind == "real"
    assert set(golden.rows) <= set(real)
    assert make_golden(SCHEMA, None, sign).kind == "synthetic"


def test_rows_of_the_data_that_no_request_could_bring_are_left_out():
    fields = (Field("a", domain=Interval(0, 1)), Field("kind", "category", "str", categories=("x", "y")))
    schema = Schema("unknown", fields, (Output("prediction"),))
    sample = as_sample(
        [{"a": 0.5, "kind": "x"}, {"a": 2.0, "kind": "x"}, {"a": 0.1, "kind": "z"}, {"a": None, "kind": "y"}]
    )
    assert real_rows(schema, sample) == [(0.5, "x")]


def test_they_are_taken_from_all_of_the_data():
    rows = real_rows(SCHEMA, as_sample({"a": np.arange(1000.0), "b": np.ones(1000)}))
    assert len(rows) == DRAWN
    assert (rows[0][0], rows[-1][0]) == (0.0, 999.0)


def test_rows_that_do_not_fit_the_schema_are_refused():
    golden = Golden(rows=((1.0, "a"),), predictions=(1,))
    with pytest.raises(BundleError, match="do not fit the schema"):
        replay(golden, SCHEMA, sign)


@pytest.mark.parametrize(
    ("was", "now", "is_kept"),
    [
        (1.0, 1, True),
        (1, 1.0, False),
        (1, True, False),
        ("1", 1, False),
        (None, None, True),
        (0.0, 1e-9, True),
        (0.0, 1e-7, False),
        (1.0, float("nan"), False),
        ([1.0, 2.0], (1.0, 2.0), True),
        ([1.0, 2.0], [1.0], False),
        ({"a": 1.0}, {"a": 1.0, "b": 0.0}, False),
        ({"a": 1.0}, {"b": 1.0}, False),
        ({"a": [1.0]}, {"a": [1.0 + 1e-9]}, True),
    ],
    ids=str,
)
def test_what_counts_as_the_same(was: Any, now: Any, is_kept: bool):
    assert is_same(was, now) is is_kept


# --- in a bundle


def test_golden_rows_survive_their_file():
    golden = make_golden(SCHEMA, None, sign)
    assert decode_golden(msgspec.json.encode(golden)) == msgspec.convert(msgspec.to_builtins(golden), Golden)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b'{"rows": [[1]], "predictions": []}',
        b'{"rows": [], "predictions": [], "more": 1}',
        b"[" * 9999,
    ],
    ids=lambda data: data[:30],
)
def test_a_broken_file_of_golden_rows_is_a_broken_bundle(data: bytes):
    with pytest.raises(BundleError):
        decode_golden(data)


@dataclass(frozen=True)
class Swapped:
    """A predictor that takes one class for the other."""

    inner: Any

    def predict(self, table: Any, *, proba: bool) -> Predictions:
        answer = self.inner.predict(table, proba=proba)
        first, second = self.inner.classes[0]
        return Predictions(np.where(answer.prediction == first, second, first), answer.probabilities)


def test_a_bundle_brings_its_rows_back_and_a_changed_model_does_not(churn_path: Path):
    model = lading.load(churn_path)
    assert check_golden(model) == len(model.golden.rows) == COUNT
    with pytest.raises(CheckFailed, match=f"^{COUNT} of {COUNT}"):
        check_golden(replace(model, predictor=Swapped(model.predictor)))


def test_replay_asks_for_probabilities_where_the_bundle_has_some(churn_path: Path):
    model = lading.load(churn_path)
    _, probabilities = answers_of(model, proba=True)([(40.0, "pro", True)])
    assert probabilities is not None
    assert np.isclose(sum(probabilities[0].values()), 1)
