"""How long a batch will take, from a few measurements."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from lading.engine.pace import Pace, measure

ROWS = [(float(row),) for row in range(11)]


class Clock:
    """A clock that a model moves on: so much for each row and so much to begin with, plus noise."""

    def __init__(self, base_s: float, row_s: float, noise: Sequence[float] = (0.0,)) -> None:
        self.now_s = 100.0
        self.asked: list[int] = []
        self._cost: Callable[[int], float] = lambda rows: base_s + row_s * rows
        self._noise = noise

    def run(self, rows: Sequence[Any]) -> None:
        self.now_s += self._cost(len(rows)) + self._noise[len(self.asked) % len(self._noise)]
        self.asked.append(len(rows))

    def __call__(self) -> float:
        return self.now_s


def test_the_line_goes_through_both_measurements():
    clock = Clock(0.002, 0.0005)
    pace = measure(clock.run, ROWS, clock=clock)
    assert pace.seconds(1) == pytest.approx(0.0025)
    assert pace.seconds(1000) == pytest.approx(0.502)


def test_the_best_of_a_few_runs_counts():
    clock = Clock(0.002, 0.0005, noise=(0.5, 0.0, 0.3))
    assert measure(clock.run, ROWS, clock=clock).seconds(1) == pytest.approx(0.0025)


def test_more_rows_never_count_as_quicker():
    clock = Clock(0.02, -0.001)
    pace = measure(clock.run, ROWS, clock=clock)
    assert pace.seconds(10_000) >= pace.seconds(1) > 0


def test_one_row_is_enough_to_measure():
    clock = Clock(0.002, 0.0005)
    assert measure(clock.run, ROWS[:1], clock=clock).seconds(1) == pytest.approx(0.0025)


def test_a_model_that_is_slow_for_one_row_is_not_asked_for_all():
    clock = Clock(0.0, 4.0)
    pace = measure(clock.run, ROWS, clock=clock)
    assert set(clock.asked) == {1}
    assert pace.seconds(11) == pytest.approx(44.0)


def test_one_that_is_slow_however_many_rows_it_gets_may_have_many():
    clock = Clock(0.5, 0.0)
    pace = measure(clock.run, ROWS, clock=clock)
    assert clock.asked == [1, 1, 1, 4]
    assert (pace.seconds(100), pace.batch_rows) == (pytest.approx(0.5), math.inf)


def test_after_a_hiccup_the_next_batch_sets_it_right():
    pace = Pace(0.01, 0.0)
    pace.note(1, 8.0)
    assert pace.seconds(1) == pytest.approx(8.0)
    pace.note(1, 0.01)
    assert pace.seconds(1) == pytest.approx(0.01)


# --- what batches teach


def test_a_batch_that_took_very_long_is_believed_at_once():
    pace = Pace(0.001, 0.0)
    pace.note(10, 5.0)
    assert pace.seconds(1) == pytest.approx(5.0)


def test_one_batch_that_was_interrupted_changes_nothing():
    pace = Pace(0.001, 0.0)
    for seconds in (0.001, 0.05, 0.001, 0.001, 0.001, 0.05, 0.001):
        pace.note(10, seconds)
    assert pace.seconds(1) == pytest.approx(0.001)


@pytest.mark.parametrize("seconds", [0.02, 0.0001])
def test_several_batches_are_believed(seconds: float):
    pace = Pace(0.001, 0.0)
    for _ in range(5):
        pace.note(10, seconds)
    assert pace.seconds(1) == pytest.approx(seconds)


def test_where_nothing_was_known_the_first_batch_is_what_is_known():
    pace = Pace(math.inf, 0.0)
    pace.note(10, 0.5)
    assert pace.seconds(1) == pace.seconds(100) == 0.5


def test_no_batch_is_ever_thought_to_take_less_than_nothing():
    pace = Pace(0.001, 0.01)
    for _ in range(300):
        pace.note(1000, 0.0)
    assert pace.seconds(0) == 0.0


def test_a_batch_ends_where_more_rows_only_make_others_wait():
    assert Pace(0.0, 0.01).batch_rows == 25
    assert Pace(2.0, 0.01).batch_rows == 200
    assert Pace(2.0, 0.0).batch_rows == math.inf


def test_what_is_not_known_makes_nobody_wait():
    assert Pace(math.inf, 0.0).wait_s(10) == 0
    assert Pace(1.0, 0.5).wait_s(10) == 6
