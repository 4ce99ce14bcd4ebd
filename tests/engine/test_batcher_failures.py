"""Callers leave, rows are bad, deadlines pass, the gate breaks: nobody else notices."""

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lading.engine import batcher as batcher_module
from lading.engine.answers import Fault
from lading.engine.job import Batch, CommitDone
from lading.errors import DeadlineExceeded, JournalUnavailable, NotReady, PredictionFailed

pytestmark = pytest.mark.anyio


def now() -> float:
    return asyncio.get_running_loop().time()


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not is_so():
            await asyncio.sleep(0)


# --- callers that leave


async def test_who_left_before_its_turn_never_reaches_the_model(bench: Any):
    bench = bench()
    gone, stays = bench.submit(1), bench.submit(2)
    gone.job.cancel()
    assert await stays.outcome() == [2]
    assert bench.model.batches == [[2]]
    assert gone.outcomes == []


async def test_where_all_left_the_model_is_not_asked_and_is_free_for_the_next(bench: Any):
    bench = bench()
    gone = [bench.submit(1), bench.submit(2)]
    for request in gone:
        request.job.cancel()
    await asyncio.sleep(0)
    assert await bench.submit(3).outcome() == [3]
    assert bench.model.batches == [[3]]


async def test_the_answer_for_who_left_while_the_model_worked_is_discarded(held: Any):
    bench = held()
    gone, stays = bench.submit(1), bench.submit(2)
    await bench.is_in_model()
    gone.job.cancel()
    bench.release()
    assert await stays.outcome() == [2]
    assert gone.outcomes == []


# --- deadlines


async def test_a_deadline_that_passed_in_the_queue_is_told_and_spares_the_model(bench: Any):
    bench = bench()
    late, fine = bench.submit(1, deadline=now() - 1), bench.submit(2, deadline=now() + 1000)
    assert await fine.outcome() == [2]
    error = await late.outcome()
    assert isinstance(error, DeadlineExceeded)
    assert error.message == "the deadline passed in the queue"
    assert bench.model.batches == [[2]]


async def test_a_deadline_passes_in_the_queue_while_the_model_is_stuck(held: Any):
    bench = held()
    bench.submit(1)
    await bench.is_in_model()
    error = await bench.submit(2, deadline=now() + 0.01).outcome()
    assert error.message == "the deadline passed in the queue"
    assert bench.model.batches == [[1]]


async def test_a_deadline_passes_in_the_model_while_it_is_stuck(held: Any):
    bench = held()
    late, patient = bench.submit(1, deadline=now() + 0.01), bench.submit(2)
    assert (await late.outcome()).message == "the deadline passed in the model"
    bench.release()
    assert await patient.outcome() == [2]
    assert len(late.outcomes) == 1


async def test_an_answer_that_comes_just_after_its_deadline_is_too_late(held: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(batcher_module, "SWEEP_S", 1000)
    bench = held()
    deadline = now() + 0.001
    late = bench.submit(1, deadline=deadline)
    await bench.is_in_model()
    await until(lambda: now() > deadline)
    bench.release()
    assert (await late.outcome()).message == "the deadline passed in the model"


async def test_a_deadline_passes_while_the_batch_is_recorded(bench: Any):
    gate: list[CommitDone] = []
    bench = bench(commit=lambda batch, done: gate.append(done))
    late, patient = bench.submit(1, deadline=now() + 0.01), bench.submit(2)
    assert (await late.outcome()).message == "the deadline passed while it was recorded"
    gate[0](None)
    assert await patient.outcome() == [2]
    assert len(late.outcomes) == 1


async def test_a_caller_may_submit_again_when_it_is_told_that_it_is_late(held: Any):
    bench = held()
    bench.submit(1)
    await bench.is_in_model()
    again: list[Any] = []
    for _ in range(3):
        bench.batcher.submit([(2,)], lambda outcome: again.append(bench.submit(3)), deadline=now() + 0.01)
    await until(lambda: len(again) == 3)
    bench.release()
    assert await bench.outcomes(*again) == [[3], [3], [3]]


# --- bad rows


@pytest.mark.parametrize("bad", [{0}, {49}, {7, 8}, {3, 17, 31}, set(range(0, 50, 2)), set(range(50))], ids=len)
async def test_bad_rows_of_a_batch_fail_alone(bench: Any, bad: set[int]):
    bench = bench()
    bench.model.bad = {number: PredictionFailed("no") for number in bad}
    requests = [bench.submit(number) for number in range(50)]
    for number, outcome in enumerate(await bench.outcomes(*requests)):
        assert isinstance(outcome, PredictionFailed) if number in bad else outcome == [number]
    assert bench.model.batches[0] == list(range(50))


@pytest.mark.parametrize("first", range(7))
async def test_of_a_request_with_many_rows_the_first_bad_one_is_named(bench: Any, first: int):
    bench = bench()
    bench.model.bad = {number: PredictionFailed("no") for number in (10 + first, 17)}
    good, bad = bench.submit(1, 2), bench.submit(*range(10, 18))
    assert await good.outcome() == [1, 2]
    error = await bad.outcome()
    assert error.message == f"no; row {first} is the first"


async def test_a_row_that_may_not_leave_is_named_too(bench: Any):
    bench = bench()
    bench.model.faults = lambda numbers: [Fault(np.array(numbers) > 5, "output.not_finite", "not finite")]
    good, single, several = bench.submit(1), bench.submit(6), bench.submit(2, 3, 7, 8)
    outcomes = await bench.outcomes(good, single, several)
    assert outcomes[0] == [1]
    assert [error.message for error in outcomes[1:]] == ["not finite", "not finite; row 2 is the first"]


async def test_a_request_whose_rows_each_go_well_alone_fails_without_a_row(bench: Any):
    bench = bench()

    def run(rows: Any, *, proba: bool) -> Any:
        if len(rows) > 1:
            raise PredictionFailed("too many")
        return original(rows, proba=proba)

    original, bench.batcher._run = bench.batcher._run, run
    assert (await bench.submit(1, 2).outcome()).message == "too many"


@pytest.mark.parametrize("kind", [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError])
@pytest.mark.parametrize("is_slow", [False, True])
async def test_whatever_a_model_raises_is_told_without_its_words_and_the_next_is_served(
    bench: Any, kind: type[BaseException], is_slow: bool
):
    bench = bench(is_slow=lambda rows: is_slow)
    bench.model.bad = {1: kind("a secret")}
    bad, good = bench.submit(1), bench.submit(2)
    error = await bad.outcome()
    assert (type(error), error.code) == (PredictionFailed, "model.failed")
    assert "secret" not in error.message
    assert isinstance(error.__cause__, kind)
    assert await good.outcome() == [2]
    assert await bench.submit(3).outcome() == [3]


# --- callbacks


async def test_a_callback_that_raises_hurts_nobody(bench: Any, caplog: pytest.LogCaptureFixture):
    bench = bench()
    before = bench.submit(1)
    bench.batcher.submit([(2,)], lambda outcome: 1 / 0)
    after = bench.submit(3)
    assert await bench.outcomes(before, after) == [[1], [3]]
    assert [record.getMessage() for record in caplog.records] == ["a caller failed while it took its answer"]


# --- the gate


async def test_the_gate_is_given_each_batch_with_contexts_and_outcomes(bench: Any):
    batches: list[Batch] = []

    def commit(batch: Batch, done: CommitDone) -> None:
        batches.append(batch)
        done(None)

    bench = bench(commit=commit)
    bench.model.bad = {2: PredictionFailed("no")}
    await bench.outcomes(bench.submit(1, context="a"), bench.submit(2, context="b"))
    await bench.submit(3, context="c").outcome()
    assert [[job.context for job in batch.jobs] for batch in batches] == [["a", "b"], ["c"]]
    assert batches[0].outcomes[0].predictions == [1]
    assert isinstance(batches[0].outcomes[1], PredictionFailed)


async def test_no_answer_leaves_before_the_gate_opens_and_the_next_batch_goes_on(bench: Any):
    gate: list[CommitDone] = []
    bench = bench(commit=lambda batch, done: gate.append(done))
    first = bench.submit(1)
    await until(lambda: len(gate) == 1)
    second = bench.submit(2)
    await until(lambda: len(gate) == 2)
    assert (first.outcomes, second.outcomes) == ([], [])
    gate[1](None)
    assert await second.outcome() == [2]
    assert first.outcomes == []
    gate[0](None)
    assert await first.outcome() == [1]


async def test_the_gate_may_open_later_from_the_loop(bench: Any):
    bench = bench(commit=lambda batch, done: asyncio.get_running_loop().call_soon(done, None))
    assert await bench.outcomes(bench.submit(1), bench.submit(2)) == [[1], [2]]


def broken(batch: Batch, done: CommitDone) -> None:
    raise OSError("disk full of secrets")


def refusing(batch: Batch, done: CommitDone) -> None:
    done(OSError("disk full of secrets"))


@pytest.mark.parametrize("commit", [broken, refusing])
async def test_what_could_not_be_recorded_is_not_answered(bench: Any, commit: Any, caplog: pytest.LogCaptureFixture):
    bench = bench(commit=commit)
    bench.model.bad = {2: PredictionFailed("no")}
    for error in await bench.outcomes(bench.submit(1), bench.submit(2)):
        assert isinstance(error, JournalUnavailable)
        assert error.message == "the decision could not be recorded"
    assert caplog.messages == ["a batch could not be recorded: OSError"]


def twice(batch: Batch, done: CommitDone) -> None:
    done(None)
    done(OSError())


def done_and_broken(batch: Batch, done: CommitDone) -> None:
    done(None)
    raise OSError


@pytest.mark.parametrize("commit", [twice, done_and_broken])
async def test_the_first_word_of_the_gate_counts(bench: Any, commit: Any, caplog: pytest.LogCaptureFixture):
    bench = bench(commit=commit)
    request = bench.submit(1)
    assert await request.outcome() == [1]
    assert await bench.submit(2).outcome() == [2]
    assert len(request.outcomes) == 1
    assert caplog.messages == ["a batch was committed twice"] * 2


# --- the end


async def test_closing_refuses_what_waits_and_leaves_the_batch_in_the_model_to_end(held: Any):
    bench = held()
    running = bench.submit(1)
    await bench.is_in_model()
    waiting = [bench.submit(2), bench.submit(3)]
    bench.batcher.close()
    for error in await bench.outcomes(*waiting):
        assert isinstance(error, NotReady)
    bench.release()
    assert await running.outcome() == [1]
    assert bench.model.batches == [[1]]


async def test_closing_twice_or_unused_is_nothing(bench: Any):
    bench = bench()
    bench.batcher.close()
    bench.batcher.close()
    assert bench.batcher.queued_rows == 0


# --- event loops


def test_a_batch_that_its_loop_did_not_outlive_does_not_block_the_next_loop(held: Any, bench: Any):
    async def leave() -> Any:
        bench = held()
        bench.submit(1)
        bench.submit(2, 3)
        await bench.is_in_model()
        return bench

    left = asyncio.run(leave())
    left.model.pause = lambda: None

    async def come() -> None:
        assert await left.submit(4, deadline=now() + 1000).outcome() == [4]
        assert left.batcher.queued_rows == 0

    asyncio.run(come())
    assert left.model.batches[-1] == [4]


async def test_two_loops_at_a_time_are_refused(bench: Any):
    bench = bench()
    await bench.submit(1).outcome()

    async def elsewhere() -> None:
        bench.submit(2)

    with pytest.raises(RuntimeError, match="one event loop"):
        await asyncio.to_thread(asyncio.run, elsewhere())
