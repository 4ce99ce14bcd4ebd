"""Parity: which differences between two models are found, which are forgiven, and in what words that is told."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from lading.engine.parity import TOLERANCE, Comparison, compare
from lading.engine.trials import Trial
from lading.flavors.flavor import Predictions
from lading.schema.estimator import Learned
from lading.schema.fields import Field
from lading.schema.table import Array, Table

FIELDS = (Field("a"),)
ROWS = Trial("rows of the data", Table.from_rows(FIELDS, [(float(number),) for number in range(10)]))


@dataclass
class Fake:
    """A predictor that gives what a test tells it."""

    label: Any
    proba: Any = None
    model: Any = None
    metadata: Any = ()
    class_name: str = "Fake"
    task: Any = "unknown"
    classes: Any = ()
    knows_inputs: bool = True

    @property
    def has_probabilities(self) -> bool:
        return self.proba is not None

    def learn(self) -> Learned:
        return Learned(FIELDS, named=True, wants="array")

    def predict(self, table: Table, *, proba: bool = False) -> Predictions:
        column = table.matrix[:, 0]
        return Predictions(self.label(column), (self.proba(column),) if proba and self.proba else ())


def even(column: Array) -> Array:
    return np.where(column % 2 == 0, "even", "odd")


def two(share: Any) -> Any:
    return lambda column: np.stack([share(column), 1 - share(column)], axis=1)


def compared(native: Fake, compiled: Fake, *trials: Trial) -> Comparison:
    return compare(native, compiled, trials or (ROWS,))


def test_the_same_answers_agree() -> None:
    fake = Fake(even, two(lambda column: column / 10))
    assert compared(fake, fake) == Comparison(rows=10)


def test_other_labels_are_counted_and_told() -> None:
    found = compared(Fake(even), Fake(lambda column: np.where(column < 3, "even", even(column))))
    assert found.reason == "1 of 10 rows of the data got another label"


def test_the_first_trial_that_fails_ends_the_comparison() -> None:
    found = compared(Fake(even), Fake(lambda column: np.where(column < 3, "even", even(column))), ROWS, ROWS)
    assert found.rows == 10


@pytest.mark.parametrize(("gap", "is_forgiven"), [(5e-7, True), (2e-6, False)])
def test_another_label_is_forgiven_only_where_the_native_model_wavers(gap: float, is_forgiven: bool) -> None:
    wavering = two(lambda column: np.full(len(column), 0.5 + gap / 2))
    found = compared(Fake(even, wavering), Fake(lambda column: np.full(len(column), "even"), wavering))
    assert (found.forgiven == 5, bool(found.reason)) == (is_forgiven, not is_forgiven)


class Decider:
    """An estimator with scores."""

    def __init__(self, scores: Any) -> None:
        self.scores = scores

    def fit(self) -> None: ...

    def get_params(self) -> None: ...

    def decision_function(self, matrix: Array) -> Array:
        given: Array = self.scores(matrix[:, 0])
        return given


@pytest.mark.parametrize(("margin", "forgiven"), [(40.0, 0), (5e-7, 5)])
def test_scores_are_asked_where_there_are_some_as_probabilities_saturate(margin: float, forgiven: int) -> None:
    tied = two(lambda column: np.full(len(column), 0.5))
    native = Fake(even, tied)
    native.model = Decider(lambda column: np.full(len(column), margin))
    found = compared(native, Fake(lambda column: np.full(len(column), "even"), tied))
    assert found.forgiven == forgiven
    assert bool(found.reason) is not bool(forgiven)


def test_scores_of_several_classes_are_compared_by_the_best_two() -> None:
    native = Fake(even)
    native.model = Decider(lambda column: np.tile([1.0, 9.0, 9.0 + 1e-7], (len(column), 1)))
    assert compared(native, Fake(lambda column: np.full(len(column), "even"))).forgiven == 5


def test_without_scores_and_probabilities_nothing_is_forgiven() -> None:
    found = compared(Fake(even), Fake(lambda column: np.full(len(column), "even")))
    assert (found.forgiven, found.reason) == (0, "5 of 10 rows of the data got another label")


@pytest.mark.parametrize(("difference", "is_fine"), [(0.9 * TOLERANCE, True), (1.1 * TOLERANCE, False)])
def test_probabilities_may_differ_by_the_tolerance(difference: float, is_fine: bool) -> None:
    share = lambda column: column / 20  # noqa: E731
    found = compared(Fake(even, two(share)), Fake(even, two(lambda column: share(column) + difference)))
    assert found.largest_difference == pytest.approx(difference)
    assert (found.reason == "") is is_fine


@pytest.mark.parametrize(
    ("moved", "is_fine"),
    [
        (lambda column: column * (1 + 9e-6), True),
        (lambda column: column * (1 + 2e-5), False),
        (lambda column: column + 3e-5, True),  # the median is 4.5, so also of 0 that is little
        (lambda column: column + 6e-5, False),
    ],
)
def test_numbers_may_differ_in_proportion_to_themselves_or_to_the_usual_one(moved: Any, is_fine: bool) -> None:
    assert (compared(Fake(lambda column: column), Fake(moved)).reason == "") is is_fine


def test_what_is_not_finite_has_to_be_the_same() -> None:
    odd = lambda column: np.where(column < 3, np.nan, np.where(column < 5, np.inf, column))  # noqa: E731
    assert compared(Fake(odd), Fake(odd)).reason == ""
    assert compared(Fake(odd), Fake(lambda column: np.where(column < 3, 0.0, odd(column)))).reason != ""
    assert compared(Fake(lambda column: column), Fake(odd)).reason != ""


def test_one_row_alone_has_to_get_what_it_gets_among_others() -> None:
    fickle = lambda column: np.full(len(column), "alone") if len(column) == 1 else even(column)  # noqa: E731
    assert (
        compared(Fake(even), Fake(fickle)).reason == "once compiled, a row gets another label alone than among others"
    )
    drifting = lambda column: column + (len(column) == 1)  # noqa: E731
    assert compared(Fake(lambda column: column), Fake(drifting)).reason.startswith("numbers differ")


def test_labels_of_another_type_are_found() -> None:
    numbers = lambda column: column.astype(np.int64)  # noqa: E731
    found = compared(Fake(numbers), Fake(lambda column: numbers(column).astype(bool)))
    assert found.reason == "the compiled model gives answers of another type"


def test_answers_of_another_shape_are_found() -> None:
    found = compared(Fake(lambda column: column), Fake(lambda column: column.reshape(-1, 1)))
    assert found.reason == "the compiled model gives answers of another shape"


def fail(column: Array) -> Array:
    raise ValueError("with words of its own")


@pytest.mark.parametrize(
    ("native", "compiled", "who"), [(even, fail, "once compiled"), (fail, even, "itself")], ids=["compiled", "native"]
)
def test_a_model_that_fails_is_a_reason(native: Any, compiled: Any, who: str) -> None:
    found = compared(Fake(native), Fake(compiled))
    assert found.reason == f"the model, {who}, fails on rows that it is tried on: ValueError"


def test_a_text_of_numpys_own_is_a_text() -> None:
    """Classes are such where they were made by `pandas.Series.map` without pyarrow."""
    own = lambda column: np.array([np.str_(label) for label in even(column)], dtype=object)  # noqa: E731
    assert compared(Fake(own), Fake(even)).reason == ""
