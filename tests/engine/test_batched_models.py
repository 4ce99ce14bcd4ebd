"""What real models answer does not depend on who else is in the batch."""

import asyncio
import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lading
from lading.engine.answers import Answer
from lading.engine.batcher import Batcher
from lading.engine.model import Model
from lading.errors import PredictionFailed
from lading.schema.synthetic import draw_rows
from lading.schema.table import Row, Table


async def batched(model: Model, requests: Sequence[Sequence[Row]], *, proba: bool) -> list[Any]:
    """The outcomes of requests that go through a model together; half of them ask for probabilities."""
    batches: list[int] = []

    def run(rows: Any, *, proba: bool) -> Any:
        batches.append(len(rows))
        return model.run(rows, proba=proba)

    loop = asyncio.get_running_loop()
    batcher = Batcher(run)
    futures = [loop.create_future() for _ in requests]
    for position, (rows, future) in enumerate(zip(requests, futures, strict=True)):
        batcher.submit(rows, future.set_result, proba=proba and position % 2 == 0)
    outcomes = await asyncio.wait_for(asyncio.gather(*futures), 60)
    assert batches == [sum(map(len, requests))]
    return outcomes


def assert_same(one: Any, other: Any) -> None:
    """Numbers within 1e-12, everything else exactly."""
    if isinstance(one, dict):
        assert list(one) == list(other)
        one, other = list(one.values()), list(other.values())
    if isinstance(one, list | tuple):
        assert len(one) == len(other)
        for part, counterpart in zip(one, other, strict=True):
            assert_same(part, counterpart)
    elif isinstance(one, float):
        assert math.isclose(one, other, rel_tol=1e-12, abs_tol=1e-12)
    else:
        assert (type(one), one) == (type(other), other)


def cut(rows: list[Row]) -> list[list[Row]]:
    """Requests of 1, 2, 3, 1, 2, 3 … rows."""
    cuts = itertools.takewhile(lambda start: start < len(rows), itertools.accumulate(itertools.cycle([0, 1, 2, 3])))
    starts = sorted(set(cuts))
    return [rows[start:stop] for start, stop in itertools.pairwise([*starts, len(rows)])]


def compare(model: Model, rows: list[Row]) -> None:
    requests = cut(rows)
    proba = model.schema.has_probabilities
    together = asyncio.run(batched(model, requests, proba=proba))
    for position, (request, outcome) in enumerate(zip(requests, together, strict=True)):
        is_asked = proba and position % 2 == 0
        alone = [model.answer_rows([row], proba=is_asked) for row in request]
        assert isinstance(outcome, Answer)
        assert_same(list(outcome.predictions), [answer.predictions[0] for answer in alone])
        expected = [answer.probabilities[0] for answer in alone if answer.probabilities] if is_asked else []
        assert_same(list(outcome.probabilities or []), expected)


def test_batched_equals_alone(case: Any):
    compare(case.model, case.rows)


def test_batched_equals_the_estimator_itself(case: Any):
    inside = case.estimator.predict(np.array(case.rows, dtype=float))
    together = asyncio.run(batched(case.model, [[row] for row in case.rows], proba=False))
    assert_same([outcome.predictions[0] for outcome in together], inside.tolist())


def test_batched_equals_alone_for_mixed_columns_with_missing_values(churn_path: Path):
    model = lading.load(churn_path)
    rows = draw_rows(model.schema.inputs, model.reference, 60, seed=1)
    assert any(None in row for row in rows)
    compare(model, rows)


def test_a_table_is_answered_alone_and_beside_rows_as_its_rows_are(churn_path: Path):
    model = lading.load(churn_path)
    rows = draw_rows(model.schema.inputs, model.reference, 60, seed=1)
    table = Table.from_rows(model.schema.inputs, rows)
    expected = model.answer_rows(rows, proba=True)
    assert_same(model.answer_rows(table, proba=True).probabilities, expected.probabilities)
    first, *others = asyncio.run(batched(model, [table, rows[:1], table], proba=True))
    assert_same(first.probabilities, expected.probabilities)
    assert [outcome.predictions for outcome in others] == [expected.predictions[:1], expected.predictions]


def test_of_a_table_the_first_row_that_fails_is_named(churn_path: Path):
    model = lading.load(churn_path)
    good, bad = (40.0, "pro", True), (40.0, "unheard of", True)
    table = Table.from_rows(model.schema.inputs, [good] * 5 + [bad, good, bad])
    (outcome,) = asyncio.run(batched_with_failures(model, [table]))
    assert outcome.message == "the model failed on this input (ValueError); row 5 is the first"


def test_the_warnings_of_a_batch_reach_only_whose_rows_they_concern(churn_path: Path):
    model = lading.load(churn_path)
    old, usual = (200.0, "pro", True), (40.0, "pro", True)
    outcomes = asyncio.run(batched(model, [[usual], [usual, old, old], [usual]], proba=False))
    assert [len(outcome.warnings) for outcome in outcomes] == [0, 1, 0]
    (warning,) = outcomes[1].warnings
    assert (warning.column, warning.rows, warning.first_row) == ("age", 2, 1)


def test_a_row_that_a_real_model_cannot_take_fails_alone(churn_path: Path):
    model = lading.load(churn_path)
    good, bad = (40.0, "pro", True), (40.0, "unheard of", True)
    outcomes = asyncio.run(batched_with_failures(model, [[row] for row in (good, bad, good, bad, good)]))
    assert [isinstance(outcome, PredictionFailed) for outcome in outcomes] == [False, True, False, True, False]


async def batched_with_failures(model: Model, requests: Sequence[Sequence[Row]]) -> list[Any]:
    loop = asyncio.get_running_loop()
    batcher = Batcher(model.run)
    futures = [loop.create_future() for _ in requests]
    for rows, future in zip(requests, futures, strict=True):
        batcher.submit(rows, future.set_result)
    return await asyncio.wait_for(asyncio.gather(*futures), 60)


@pytest.mark.parametrize("proba", [False, True])
def test_an_answer_without_a_batch_is_refused_for_the_same_reasons(churn_path: Path, proba: bool):
    model = lading.load(churn_path)
    with pytest.raises(PredictionFailed, match=r"^the model failed on this input \(ValueError\)$"):
        model.answer_rows([(40.0, "unheard of", True)], proba=proba)
