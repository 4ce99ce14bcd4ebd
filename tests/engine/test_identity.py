"""Whatever happens around it, each request gets its own answer: many callers, many rows, cancellations, bad rows."""

import asyncio
from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lading.engine.answers import Checked
from lading.engine.batcher import Batcher
from lading.engine.job import Batch, CommitDone, Outcome
from lading.errors import LadingError, PredictionFailed

CALLERS = 64


@dataclass(frozen=True)
class Plan:
    """What one caller does: after so many turns it sends rows, and after so many more it leaves."""

    waits: int
    rows: int
    bad: int | None
    leaves: int | None
    proba: bool


PLANS = st.lists(
    st.builds(
        Plan,
        waits=st.integers(0, 6),
        rows=st.integers(1, 5),
        bad=st.none() | st.none() | st.integers(0, 4),
        leaves=st.none() | st.none() | st.integers(0, 6),
        proba=st.booleans(),
    ),
    min_size=CALLERS,
    max_size=CALLERS,
)


class Crowd:
    """A batcher whose model answers a row, (caller, position, is_bad), with itself."""

    def __init__(self, seed: int) -> None:
        self._turns = seed
        self.seen: set[int] = set()
        self.batcher = Batcher(
            self._run, commit=self._commit, max_batch_rows=16, is_slow=lambda rows: (rows + seed) % 3 == 0
        )

    def _run(self, rows: Any, *, proba: bool) -> tuple[Checked, list[Any]]:
        self.seen |= {caller for caller, _, _ in rows}
        if any(is_bad for _, _, is_bad in rows):
            raise ValueError
        answers = [row[:2] for row in rows]
        return Checked(answers, answers if proba else None), []

    def _commit(self, batch: Batch, done: CommitDone) -> None:
        """The gate opens at once, or some turns later."""
        self._turns += 1
        self._later(self._turns % 3, done)

    def _later(self, turns: int, done: CommitDone) -> None:
        if turns == 0:
            done(None)
        else:
            asyncio.get_running_loop().call_soon(self._later, turns - 1, done)


async def call(crowd: Crowd, caller: int, plan: Plan) -> list[Outcome]:
    """Every outcome that a caller was given, until it had one or left."""
    outcomes: list[Outcome] = []
    came = asyncio.Event()

    def done(outcome: Outcome) -> None:
        outcomes.append(outcome)
        came.set()

    for _ in range(plan.waits):
        await asyncio.sleep(0)
    rows = [(caller, position, position == plan.bad) for position in range(plan.rows)]
    job = crowd.batcher.submit(rows, done, proba=plan.proba)
    if plan.leaves is None:
        await came.wait()
    else:
        for _ in range(plan.leaves):
            await asyncio.sleep(0)
        job.cancel()
    return outcomes


def check(caller: int, plan: Plan, outcomes: list[Outcome]) -> None:
    assert len(outcomes) == 1 or (plan.leaves is not None and outcomes == [])
    own = [(caller, position) for position in range(plan.rows)]
    for outcome in outcomes:
        if plan.bad is not None and plan.bad < plan.rows:
            assert isinstance(outcome, PredictionFailed)
            assert plan.rows == 1 or outcome.message.endswith(f"; row {plan.bad} is the first")
        else:
            assert not isinstance(outcome, LadingError)
            assert list(outcome.predictions) == own
            assert outcome.probabilities == (own if plan.proba else None)


@given(plans=PLANS, seed=st.integers(0, 5))
def test_each_of_many_callers_gets_its_own_answer_once(plans: list[Plan], seed: int):
    async def everybody() -> tuple[Crowd, list[list[Outcome]]]:
        crowd = Crowd(seed)
        async with asyncio.timeout(60):
            outcomes = await asyncio.gather(*(call(crowd, caller, plan) for caller, plan in enumerate(plans)))
        crowd.batcher.close()
        return crowd, outcomes

    crowd, outcomes = asyncio.run(everybody())
    for caller, (plan, own) in enumerate(zip(plans, outcomes, strict=True)):
        check(caller, plan, own)
        if plan.leaves == 0:
            assert caller not in crowd.seen
    assert crowd.batcher.queued_rows == 0
