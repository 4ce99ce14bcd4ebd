"""Rates: one quota for all processes, kept within a tenth, whatever the order in which they are asked."""

import gc
import timeit
from array import array
from collections import Counter, deque
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.access import rates as module
from lading.access.rates import Bucket, Rates
from lading.errors import RateLimited
from lading.settings import Rate

NOW = 1_800_000_000.0
"""The begin of a window of any length."""
SETS = 4
"""Of one row: two of callers, and two of addresses."""
FULL_SETS = 1023
"""As many as a server has."""


def memory(processes: int, sets: int = SETS) -> list[memoryview]:
    return [memoryview(array("q", bytes(8 * 32 * (1 + sets)))) for _ in range(processes)]


def workers(count: int, rows: list[memoryview] | None = None) -> list[Rates]:
    rows = memory(count) if rows is None else rows
    return [Rates(rows, own, b"secret") for own in range(count)]


def buckets(count: int, rate: Rate, who: str = "caller a") -> list[Bucket]:
    return [each.bucket(who, rate) for each in workers(count)]


def admitted(bucket: Bucket, requests: int, now: float) -> int:
    return sum(bucket.admit(now) for _ in range(requests))


# --- one process


@pytest.mark.parametrize("rate", [Rate(1, 1), Rate(10, 1), Rate(1000, 60), Rate(5, 3600)])
def test_so_many_are_let_in_and_no_more(rate: Rate):
    (bucket,) = buckets(1, rate)
    assert admitted(bucket, 2 * rate.requests, NOW) == rate.requests


def test_without_any_memory_a_process_counts_by_itself():
    bucket = Rates([], 0, b"").bucket("caller a", Rate(3, 1))
    assert admitted(bucket, 10, NOW) == 3


def test_what_was_let_in_is_past_when_a_window_is():
    (bucket,) = buckets(1, Rate(10, 1))
    assert admitted(bucket, 10, NOW) == 10
    assert [admitted(bucket, 10, NOW + 1.05 + part / 10) for part in range(10)] == [1] * 10
    assert admitted(bucket, 20, NOW + 9) == 10


def test_who_hammers_is_let_in_as_often_as_the_rate_says():
    (bucket,) = buckets(1, Rate(100, 1))
    counts = [sum(bucket.admit(NOW + second + i / 5000) for i in range(5000)) for second in range(10)]
    assert counts == [100] * 10


def test_what_is_refused_does_not_count():
    (bucket,) = buckets(1, Rate(10, 60))
    assert admitted(bucket, 100_000, NOW) == 10
    assert admitted(bucket, 1, NOW + 60 + 6.1) == 1


def test_each_caller_and_each_rate_has_a_count_of_its_own():
    (rates,) = workers(1)
    each = [("a", Rate(2, 1)), ("b", Rate(2, 1)), ("a", Rate(3, 1)), ("a", Rate(2, 60))]
    assert [admitted(rates.bucket(who, rate), 9, NOW) for who, rate in each] == [2, 2, 3, 2]


def test_to_look_whether_it_is_spent_counts_nothing():
    (bucket,) = buckets(1, Rate(2, 1))
    assert [bucket.is_spent(NOW) for _ in range(5)] == [False] * 5
    assert admitted(bucket, 5, NOW) == 2
    assert bucket.is_spent(NOW)
    assert not bucket.is_spent(NOW + 3)


def test_a_clock_that_is_set_back_refuses_nobody_for_long():
    (bucket,) = buckets(1, Rate(2, 1))
    assert admitted(bucket, 5, NOW) == 2
    assert admitted(bucket, 5, NOW - 86_400) == 2
    assert admitted(bucket, 5, NOW - 86_400) == 0


@pytest.mark.parametrize("now", [0.0, 2.0**34, 1e15, -5.0])
def test_a_clock_that_is_quite_wrong_counts_nevertheless(now: float):
    (bucket,) = buckets(1, Rate(2, 1))
    assert (admitted(bucket, 5, now), admitted(bucket, 5, now + 9)) == (2, 2)


# --- what a refusal says


@given(st.integers(1, 50), st.sampled_from([1, 60, 3600]), st.lists(st.floats(0, 4), max_size=60))
def test_a_refusal_says_when_the_next_is_let_in(requests: int, seconds: int, times: list[float]):
    (bucket,) = buckets(1, Rate(requests, seconds))
    now = NOW
    for time in sorted(times):
        now = NOW + time * seconds
        admitted(bucket, 3, now)
    admitted(bucket, 200, now)
    wait_s = bucket.refusal(now).retry_after_s
    assert 1 <= wait_s <= 2 * seconds
    assert not bucket.is_spent(now + wait_s + 1e-3)
    assert wait_s == 1 or bucket.is_spent(now + wait_s - 1e-3)


def test_a_refusal_names_the_rate():
    (bucket,) = buckets(1, Rate(100, 60))
    admitted(bucket, 101, NOW)
    error = bucket.refusal(NOW)
    assert isinstance(error, RateLimited)
    assert str(error) == "no more than 100 requests a minute"
    assert error.retry_after_s == pytest.approx(60)


def test_the_fields_of_a_refusal_are_those_of_the_draft():
    (bucket,) = buckets(1, Rate(100, 60))
    admitted(bucket, 101, NOW + 20)
    assert bucket.fields(NOW + 20.5) == {
        "RateLimit-Policy": '"default";q=100;w=60',
        "RateLimit": '"default";r=0;t=40',
    }


# --- several processes


def test_what_one_process_lets_in_the_others_know():
    one, other, third = buckets(3, Rate(10, 1))
    assert (admitted(one, 4, NOW), admitted(other, 4, NOW), admitted(third, 10, NOW)) == (4, 4, 2)


def test_who_ended_has_counted_nevertheless():
    rows = memory(2)
    one, other = (each.bucket("a", Rate(10, 60)) for each in workers(2, rows))
    assert admitted(one, 6, NOW) == 6
    one = Rates(rows, 0, b"secret").bucket("a", Rate(10, 60))
    assert admitted(one, 10, NOW + 1) == 4
    assert admitted(other, 10, NOW + 1) == 0


def offered(each: Sequence[Bucket], times: list[tuple[float, int]]) -> list[float]:
    """The times at which requests were let in, of those that were offered to these workers."""
    return [now for now, worker in sorted(times) if each[worker % len(each)].admit(now)]


@pytest.mark.parametrize("count", [1, 2, 8])
@pytest.mark.parametrize("rate", [Rate(100, 1), Rate(2000, 1), Rate(500, 60)])
def test_ten_times_the_quota_gets_the_quota(count: int, rate: Rate):
    step = rate.seconds / rate.requests / 10
    times = [(NOW + i * step, i) for i in range(10 * rate.requests * 5)]
    entered = offered(buckets(count, rate), times)
    windows = [sum(start <= now < start + rate.seconds for now in entered) for start in starts(rate, 5)]
    assert [abs(number - rate.requests) <= rate.requests / 10 for number in windows] == [True] * 5, windows


def starts(rate: Rate, windows: int) -> list[float]:
    return [NOW + window * rate.seconds for window in range(windows)]


BURSTS = st.lists(st.tuples(st.floats(0, 3), st.integers(0, 7), st.integers(1, 300)), min_size=1, max_size=40)


@given(BURSTS, st.integers(1, 8), st.sampled_from([40, 100, 1000]))
def test_no_bursts_get_more_than_a_tenth_above_the_quota(
    bursts: list[tuple[float, int, int]], count: int, requests: int
):
    each = buckets(count, Rate(requests, 1))
    entered: deque[tuple[float, int]] = deque()
    for time, worker, size in sorted(bursts):
        entered.append((NOW + time, admitted(each[worker % count], size, NOW + time)))
        for start in starts(Rate(requests, 1), 4):
            inside = sum(number for now, number in entered if start <= now < start + 1)
            assert inside <= requests + max(count - 1, requests / 10)


@given(BURSTS, st.integers(1, 8))
def test_who_stays_within_the_quota_is_never_refused(bursts: list[tuple[float, int, int]], count: int):
    each = buckets(count, Rate(1000, 1))
    left = 499  # in any two windows no more than this, so in no one either
    for time, worker, size in sorted(bursts):
        allowed = min(size, left)
        assert admitted(each[worker % count], allowed, NOW + time) == allowed
        left -= allowed


def test_nobody_else_is_refused_for_a_caller_who_hammers():
    each = workers(4)
    rate = Rate(50, 1)
    for i in range(5000):
        each[i % 4].bucket("caller a", rate).admit(NOW + i / 1000)
        if i % 25 == 0:
            assert each[i // 25 % 4].bucket("caller b", rate).admit(NOW + i / 1000)


# --- memory


def flood(rates: Rates, count: int, now: float) -> None:
    for number in range(count):
        assert rates.bucket(f"address {number}", Rate(1, 1)).admit(now)


def test_where_no_cell_is_free_a_process_counts_by_itself():
    rates, other = workers(2)
    flood(rates, 500, NOW)
    late = rates.bucket("address late", Rate(5, 1))
    assert admitted(late, 9, NOW) == 5
    assert admitted(other.bucket("address late", Rate(5, 1)), 9, NOW) == 5
    # That of the other had room in memory, so this one sees it.
    assert admitted(late, 9, NOW + 1.65) == 2


def test_when_cells_are_free_again_all_count_together_again():
    rates, other = workers(2)
    flood(rates, 500, NOW)
    late = rates.bucket("address late", Rate(10, 60))
    assert admitted(late, 4, NOW) == 4
    assert admitted(late, 3, NOW + 3) == 3
    assert admitted(other.bucket("address late", Rate(10, 60)), 9, NOW + 3) == 3


def test_a_cell_that_was_given_to_somebody_else_is_not_written_by_who_had_it():
    (rates,) = workers(1, memory(1, sets=2))
    idle = rates.bucket("address idle", Rate(5, 1))
    assert admitted(idle, 5, NOW) == 5
    others = [rates.bucket(f"address {number}", Rate(5, 1)) for number in range(8)]
    assert [admitted(each, 9, NOW + 10) for each in others] == [5] * 8
    assert admitted(idle, 9, NOW + 10) == 5
    assert [admitted(each, 9, NOW + 10) for each in others] == [0] * 8


def test_cells_of_long_windows_are_kept_while_those_of_short_ones_pass():
    (rates,) = workers(1, memory(1, sets=2))
    slow = rates.bucket("address slow", Rate(5, 3600))
    assert admitted(slow, 5, NOW + 10) == 5
    for second in range(20, 60, 2):
        flood(rates, 20, NOW + second)
    assert admitted(slow, 5, NOW + 60) == 0
    assert slow._cell[0] == slow._key == next(key for key in rates._row[64:96:4].tolist() if key == slow._key)


def test_a_flood_of_addresses_takes_no_more_memory_than_there_is():
    (rates,) = workers(1)
    flood(rates, 3 * module._MAX_KNOWN, NOW)
    gc.collect()
    assert len(rates._addresses.known) == len(rates._addresses.held) <= module._MAX_KNOWN
    assert len(rates._addresses.known) > module._MAX_KNOWN - module._FORGOTTEN


def is_at_hand(rates: Rates, bucket: Bucket) -> bool:
    return any(bucket is each for half in (rates._addresses, rates._callers) for each in half.known.values())


def test_a_bucket_that_somebody_holds_is_the_same_after_a_flood():
    (rates,) = workers(1)
    held = rates.bucket("address a", Rate(10, 60))
    assert admitted(held, 4, NOW) == 4
    flood(rates, module._MAX_KNOWN + 10, NOW)
    assert not is_at_hand(rates, held)
    again = rates.bucket("address a", Rate(10, 60))
    assert again is held
    assert admitted(again, 10, NOW) == 6


def test_who_is_forgotten_in_a_flood_has_a_cell_still():
    (rates,) = workers(1)
    assert admitted(rates.bucket("address a", Rate(10, 60)), 4, NOW) == 4
    flood(rates, module._MAX_KNOWN + 10, NOW)
    assert ("address a", Rate(10, 60)) not in rates._addresses.known
    assert admitted(rates.bucket("address a", Rate(10, 60)), 10, NOW) == 6


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("sets", [2, FULL_SETS])
def test_no_flood_of_addresses_changes_the_quota_of_a_caller(processes: int, sets: int):
    each = workers(processes, memory(processes, sets))
    entered = Counter[str]()
    for part in range(3):
        for number in range(part * 10_000, (part + 1) * 10_000):
            each[number % processes].bucket(f"address {number}", Rate(10, 3600)).admit(NOW)
        for who in ("early", "late")[: part + 1]:
            for rates in each:
                entered[who] += admitted(rates.bucket(who, Rate(10, 3600), is_caller=True), 4, NOW + part)
    assert entered == {"early": 10, "late": 10 if processes == 2 else 8}


def test_callers_and_addresses_have_sets_of_their_own():
    (rates,) = workers(1, memory(1, sets=2))
    for number in range(100):
        assert rates.bucket(f"caller {number}", Rate(1, 1), is_caller=True).admit(NOW)
    assert all(rates._row[32:64:4].tolist())
    assert not any(rates._row[64:])
    flood(rates, 100, NOW)
    assert all(rates._row[64::4].tolist())


def test_an_address_with_the_name_of_a_caller_is_another():
    (rates,) = workers(1)
    each = [rates.bucket("a", Rate(2, 1), is_caller=is_caller) for is_caller in (True, False)]
    assert [admitted(bucket, 5, NOW) for bucket in each] == [2, 2]


def test_to_look_takes_no_cell_before_anything_counts():
    one, other = workers(2)
    assert not any(one.bucket(f"address {number}", Rate(2, 60)).is_spent(NOW) for number in range(100))
    assert not any(one._row[32:])
    bucket = one.bucket("address 7", Rate(2, 60))
    assert bucket.admit(NOW)
    assert sum(map(bool, one._row[32::4])) == 1
    assert admitted(other.bucket("address 7", Rate(2, 60)), 5, NOW) == 1


def test_who_looks_sees_what_was_counted_before_and_elsewhere():
    rows = memory(2)
    one, other = (each.bucket("address a", Rate(4, 60)) for each in workers(2, rows))
    assert (admitted(one, 2, NOW), admitted(other, 2, NOW)) == (2, 2)
    assert Rates(rows, 0, b"secret").bucket("address a", Rate(4, 60)).is_spent(NOW)


def test_who_counts_without_a_cell_is_not_forgotten_before_who_counts_nothing():
    (rates,) = workers(1)
    flood(rates, 100, NOW)
    assert admitted(rates.bucket("address late", Rate(10, 3600)), 4, NOW) == 4
    for number in range(1000, 1000 + 2 * module._MAX_KNOWN):
        assert not rates.bucket(f"address {number}", Rate(10, 3600)).is_spent(NOW + 1)
    flood(rates, 100, NOW + 10)
    assert admitted(rates.bucket("address late", Rate(10, 3600)), 20, NOW + 10) == 6


def test_where_all_count_those_are_forgotten_who_are_furthest_from_their_rate():
    (rates,) = workers(1)
    for number in range(3 * module._MAX_KNOWN):
        assert rates.bucket(f"address {number}", Rate(10, 3600)).admit(NOW)
        if number == 100:
            assert admitted(rates.bucket("address late", Rate(10, 3600)), 4, NOW) == 4
    assert rates.bucket("address late", Rate(10, 3600)).loss(NOW) == 0.4
    assert admitted(rates.bucket("address late", Rate(10, 3600)), 20, NOW) == 6


def test_what_was_counted_two_windows_ago_is_nothing_to_lose():
    (rates,) = workers(1)
    flood(rates, 100, NOW)
    bucket = rates.bucket("address late", Rate(4, 60))
    assert admitted(bucket, 3, NOW) == 3
    assert [bucket.loss(NOW + passed) for passed in (0, 60, 120)] == [0.75, 0.75, 0]


def test_nobody_who_does_not_know_the_secret_can_tell_where_a_cell_is():
    keys = {Rates([], 0, secret)._hash("caller a", Rate(1, 1)) for secret in (b"", b"a", b"b")}
    assert len(keys) == 3


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=96, max_size=96), st.booleans())
def test_nonsense_in_the_memory_fails_nobody(words: list[int], is_caller: bool):
    rows = memory(2, sets=2)
    for row in rows:
        row[:] = array("q", words)
    bucket = Rates(rows, 0, b"").bucket("caller a", Rate(5, 1), is_caller=is_caller)
    assert admitted(bucket, 9, NOW) == 5


# --- time


def best_s(work: Callable[[], object]) -> float:
    return min(timeit.repeat(work, number=20_000, repeat=5)) / 20_000


def test_to_let_in_takes_next_to_no_time():
    bucket, *_ = buckets(8, Rate(1_000_000, 1))
    bucket.admit(NOW)
    assert best_s(lambda: bucket.admit(NOW)) < 2e-6  # 0.2 µs on an idle machine
