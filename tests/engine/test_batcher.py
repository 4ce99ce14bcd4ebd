"""Who goes through the model together, and that each gets its own."""

import asyncio
import threading
from typing import Any

import numpy as np
import pytest

from lading.engine.answers import Fault
from lading.engine.pace import Pace
from lading.errors import PredictionFailed, QueueFull

pytestmark = pytest.mark.anyio


async def test_a_request_goes_at_once_when_the_model_is_free(bench: Any):
    bench = bench()
    assert await bench.submit(7).outcome() == [7]
    assert bench.model.batches == [[7]]


async def test_requests_of_one_turn_go_together(bench: Any):
    bench = bench()
    requests = [bench.submit(1), bench.submit(2, 3), bench.submit(4)]
    assert await bench.outcomes(*requests) == [[1], [2, 3], [4]]
    assert bench.model.batches == [[1, 2, 3, 4]]


async def test_what_comes_while_the_model_works_goes_together_up_to_the_limit(held: Any):
    bench = held(max_batch_rows=4)
    first = bench.submit(1)
    await bench.is_in_model()
    others = [bench.submit(number) for number in range(2, 8)]
    bench.release()
    assert await bench.outcomes(first, *others) == [[number] for number in range(1, 8)]
    assert bench.model.batches == [[1], [2, 3, 4, 5], [6, 7]]


async def test_a_batch_is_full_at_the_limit_and_not_beyond(bench: Any):
    bench = bench(max_batch_rows=4)
    await bench.outcomes(bench.submit(1, 2), bench.submit(3, 4), bench.submit(5, 6, 7), bench.submit(8, 9))
    assert bench.model.batches == [[1, 2, 3, 4], [5, 6, 7], [8, 9]]


async def test_a_request_larger_than_a_batch_goes_by_itself(bench: Any):
    bench = bench(max_batch_rows=3)
    requests = [bench.submit(1), bench.submit(2, 3, 4, 5), bench.submit(6)]
    assert await bench.outcomes(*requests) == [[1], [2, 3, 4, 5], [6]]
    assert bench.model.batches == [[1], [2, 3, 4, 5], [6]]


async def test_answers_are_given_in_the_order_of_the_requests(bench: Any):
    bench = bench()
    order: list[int] = []
    for number in range(10):
        bench.batcher.submit([(number,)], lambda outcome: order.append(outcome.predictions[0]))
    await bench.submit(10).outcome()
    assert order == list(range(10))


async def test_the_answer_never_comes_from_within_the_submission(bench: Any):
    bench = bench()
    request = bench.submit(1)
    assert request.outcomes == []
    await request.outcome()


async def test_a_caller_may_submit_again_while_it_takes_its_answer(bench: Any):
    bench = bench()
    again: list[Any] = []
    bench.batcher.submit([(1,)], lambda outcome: again.append(bench.submit(2)))
    await bench.submit(3).outcome()
    assert await again[0].outcome() == [2]


async def test_a_slow_batch_runs_in_a_thread_and_a_fast_one_inline(bench: Any):
    bench = bench(is_slow=lambda rows: rows > 1)
    threads: list[str] = []
    bench.model.pause = lambda: threads.append(threading.current_thread().name)
    await bench.submit(1).outcome()
    await bench.submit(2, 3).outcome()
    assert threads == [threading.current_thread().name, "lading-model"]


async def test_the_loop_is_free_while_a_slow_model_works(held: Any):
    bench = held()
    request = bench.submit(1)
    await bench.is_in_model()
    assert request.outcomes == []
    bench.release()
    assert await request.outcome() == [1]


async def test_a_batch_that_fails_is_looked_through_in_a_thread(bench: Any):
    bench = bench()
    bench.model.bad = {3: PredictionFailed("no")}
    threads: list[str] = []
    bench.model.pause = lambda: threads.append(threading.current_thread().name)
    outcomes = await bench.outcomes(*[bench.submit(number) for number in range(8)])
    assert [outcome for outcome in outcomes if isinstance(outcome, list)] == [[n] for n in range(8) if n != 3]
    assert threads[0] == threading.current_thread().name
    assert set(threads[1:]) == {"lading-model"}


# --- for how long it has been busy


async def test_it_is_busy_for_as_long_as_a_batch_is_in_the_model(held: Any):
    bench = held()
    assert bench.batcher.busy_s == 0.0
    clock = asyncio.get_running_loop().time
    start = clock()
    request = bench.submit(1)
    await bench.is_in_model()
    first = bench.batcher.busy_s
    assert 0 < first < bench.batcher.busy_s <= clock() - start
    bench.release()
    await request.outcome()
    assert bench.batcher.busy_s == 0.0


async def test_each_batch_begins_anew(held: Any):
    bench = held()
    requests = [bench.submit(1)]
    await bench.is_in_model()
    requests.append(bench.submit(2))
    start = asyncio.get_running_loop().time()
    bench.release(1)
    await bench.is_in_model()
    assert 0 < bench.batcher.busy_s <= asyncio.get_running_loop().time() - start
    bench.release(1)
    await bench.outcomes(*requests)


@pytest.mark.parametrize("fails", [False, True])
async def test_it_is_busy_inline_too_and_free_again_whatever_happened(bench: Any, fails: bool):
    bench = bench()
    bench.model.bad = {1: PredictionFailed("no")} if fails else {}
    seen: list[float] = []
    bench.model.pause = lambda: seen.append(bench.batcher.busy_s)
    await bench.submit(1).outcome()
    assert min(seen) > 0
    assert bench.batcher.busy_s == 0.0


# --- probabilities


async def test_only_who_asked_gets_probabilities(bench: Any):
    bench = bench()
    plain, asked = bench.submit(1), bench.submit(2, proba=True)
    await bench.outcomes(plain, asked)
    assert bench.model.batches == [[1, 2]]
    assert plain.outcomes[0].probabilities is None
    assert asked.outcomes[0].probabilities == [{"of": 2}]


async def test_a_fault_of_the_probabilities_concerns_only_who_asked(bench: Any):
    bench = bench()
    bench.model.faults = lambda numbers: [Fault(np.array(numbers) < 3, "output.not_finite", "no", True)]
    plain, asked, fine = bench.submit(1), bench.submit(2, proba=True), bench.submit(3, proba=True)
    outcomes = await bench.outcomes(plain, asked, fine)
    assert (outcomes[0], outcomes[2]) == ([1], [3])
    assert isinstance(outcomes[1], PredictionFailed)


# --- a bound


async def test_more_than_may_wait_is_refused_and_what_waits_is_answered(held: Any):
    bench = held(max_queue_rows=3)
    first = bench.submit(1)
    await bench.is_in_model()
    waiting = [bench.submit(2, 3), bench.submit(4)]
    with pytest.raises(QueueFull, match="more than 3 rows wait"):
        bench.submit(5)
    assert bench.batcher.queued_rows == 3
    bench.release()
    assert await bench.outcomes(first, *waiting) == [[1], [2, 3], [4]]


async def test_who_would_hardly_be_in_time_behind_what_waits_is_refused(held: Any):
    bench = held(pace=Pace(0.0, 1.0))
    now = asyncio.get_running_loop().time()
    first = bench.submit(1, deadline=now + 1000)
    await bench.is_in_model()
    waiting = bench.submit(2, 3, 4, deadline=now + 1000)
    with pytest.raises(QueueFull, match="longer than this request has time"):
        bench.submit(5, deadline=now + 5)
    patient = bench.submit(6, deadline=now + 1000)
    bench.release()
    assert await bench.outcomes(first, waiting, patient) == [[1], [2, 3, 4], [6]]


async def test_behind_nothing_that_waits_nobody_is_refused(held: Any):
    bench = held(pace=Pace(0.0, 1000.0))
    now = asyncio.get_running_loop().time()
    first = bench.submit(1, deadline=now + 5)
    await bench.is_in_model()
    second = bench.submit(2, deadline=now + 1000)
    bench.release()
    assert await bench.outcomes(first, second) == [[1], [2]]


async def test_rows_that_take_long_go_in_small_batches(held: Any):
    bench = held(pace=Pace(0.0, 0.1))
    first = bench.submit(0)
    await bench.is_in_model()
    others = [bench.submit(number) for number in range(1, 6)]
    bench.release()
    assert await bench.outcomes(first, *others) == [[number] for number in range(6)]
    assert bench.model.batches == [[0], [1, 2], [3, 4], [5]]


async def test_there_is_room_again_when_the_queue_was_taken(bench: Any):
    bench = bench(max_queue_rows=1)
    await bench.submit(1).outcome()
    assert bench.batcher.queued_rows == 0
    assert await bench.submit(2).outcome() == [2]


async def test_a_request_larger_than_the_queue_is_taken_when_nothing_waits(bench: Any):
    bench = bench(max_queue_rows=2)
    assert await bench.submit(1, 2, 3).outcome() == [1, 2, 3]


async def test_who_left_makes_room_while_the_model_still_works(held: Any):
    bench = held(max_queue_rows=1)
    bench.submit(1)
    await bench.is_in_model()
    bench.submit(2).job.cancel()
    async with asyncio.timeout(20):
        while bench.batcher.queued_rows:
            await asyncio.sleep(0)
    second = bench.submit(3)
    bench.release()
    assert await second.outcome() == [3]
    assert bench.model.batches == [[1], [3]]
