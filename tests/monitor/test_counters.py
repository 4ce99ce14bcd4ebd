"""Counters: they add up over all slots, outlive their process, and never fail."""

import os
import threading

import pytest

from lading.monitor.counters import OTHER, SharedCounters
from lading.monitor.families import FAMILIES
from lading.monitor.reading import read
from lading.monitor.slots import MAX_LABEL_BYTES, Kind, Slot, Slots, release


def test_what_was_counted_adds_up(counters: SharedCounters):
    counters.add("rows", amount=3)
    counters.add("rows", amount=4)
    counters.add("warnings", "age", 2)
    counters.add("warnings", "plan")
    assert (counters.total("rows"), counters.total("warnings"), counters.total("warnings", "age")) == (7, 3, 2)


def test_what_was_never_counted_is_zero(counters: SharedCounters):
    assert counters.total("rows") == 0


def test_slots_are_summed_by_any_of_them(slots: Slots):
    workers = [SharedCounters(slots, position) for position in range(4)]
    for number, worker in enumerate(workers, 1):
        worker.add("warnings", "age", number)
        worker.observe("batch_rows", number)
    assert [worker.total("warnings", "age") for worker in workers] == [10] * 4
    total, *buckets = read(slots)["batch_rows"][""]
    assert (total, buckets[:4]) == (10, [1, 1, 2, 0])


def test_a_value_falls_in_the_first_bucket_that_holds_it(counters: SharedCounters):
    bounds = FAMILIES["batch_rows"].bounds
    for value in (0, 1, 1.5, 2, bounds[-1], bounds[-1] + 1):
        counters.observe("batch_rows", value)
    total, *buckets = read(counters.slots)["batch_rows"][""]
    assert len(buckets) == len(bounds) + 1
    assert (buckets[0], buckets[1], buckets[-2], buckets[-1]) == (2, 2, 1, 1)
    assert total == 4.5 + 2 * bounds[-1] + 1


def test_gauges_are_of_those_who_live(slots: Slots):
    first, second = SharedCounters(slots, 0), SharedCounters(slots, 1)
    first.set("in_flight", 9)
    first.set("in_flight", 2)
    second.set("in_flight", 3)
    assert first.total("in_flight") == 5
    release(slots, 0)
    assert second.total("in_flight") == 3


def test_what_every_worker_says_is_not_summed(slots: Slots):
    for position in range(3):
        SharedCounters(slots, position).set("golden_rows", 50)
    assert read(slots)["golden_rows"] == {"": [50.0]}


def test_the_next_owner_goes_on_from_what_was_counted(slots: Slots):
    before = SharedCounters(slots, 2, generation=1)
    before.add("rows", amount=5)
    before.observe("batch_rows", 5)
    before.set("in_flight", 1)
    after = SharedCounters(slots, 2, generation=2)
    assert after.total("in_flight") == 0
    after.add("rows", amount=2)
    after.observe("batch_rows", 2)
    after.set("in_flight", 4)
    assert (after.total("rows"), after.total("in_flight"), read(slots)["batch_rows"][""][0]) == (7, 4, 7)
    assert len(list(Slot(slots, 2).entries())) == 3
    assert (Slot(slots, 2).pid, Slot(slots, 2).generation) == (os.getpid(), 2)


def test_entries_that_this_version_does_not_know_are_left_alone(slots: Slots):
    slot = Slot(slots, 0)
    for name, kind, words in (
        ("unheard_of", Kind.COUNTER, 1),
        ("rows", Kind.GAUGE, 1),
        ("batch_rows", Kind.COUNTER, 3),
    ):
        slot.values[slot.append(kind, name, "", words)] = 9.0
    counters = SharedCounters(slots, 0)
    counters.add("rows")
    counters.observe("batch_rows", 2)
    assert (counters.total("rows"), counters.total("batch_rows"), counters.total("unheard_of")) == (1, 2, 0)


def test_several_threads_may_begin_numbers_of_their_own(counters: SharedCounters):
    def count(thread: int) -> None:
        start.wait(20)
        for number in range(300):
            counters.add("warnings", f"{thread} {number}", number)

    start = threading.Barrier(4)
    threads = [threading.Thread(target=count, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read(counters.slots)["warnings"] == {f"{t} {n}": [float(n)] for t in range(4) for n in range(300)}


# --- many labels, and full slots


def test_ten_thousand_columns_have_room(counters: SharedCounters):
    names = [f"column {number:053}" for number in range(10_000)]
    for name in names:
        counters.add("warnings", name)
    counters.add("warnings", names[-1])
    assert read(counters.slots)["warnings"] == {name: [1.0] for name in names[:-1]} | {names[-1]: [2.0]}


@pytest.fixture
def full(counters: SharedCounters) -> SharedCounters:
    """Counters in a slot that has no room for another column, however short its name is."""
    for number in range(1800):
        counters.add("warnings", f"{number} ".ljust(700, "x"))
    for number in range(200):
        counters.add("warnings", str(number))
    return counters


def test_a_full_slot_loses_nothing(full: SharedCounters):
    labels = read(full.slots)["warnings"]
    assert full.total("warnings") == 2000
    assert labels[OTHER] == [2000.0 - (len(labels) - 1)]
    assert labels[OTHER][0] > 100


def test_columns_leave_room_for_everything_else(full: SharedCounters):
    full.add("warnings", "0 ".ljust(700, "x"))
    for status in range(200, 600):
        full.add("requests", f"/predict {status}")
    full.observe("request_seconds", 0.5, "/predict")
    full.set("in_flight", 2)
    reading = read(full.slots)
    assert reading["warnings"]["0 ".ljust(700, "x")] == [2.0]
    assert reading["requests"] == {f"/predict {status}": [1.0] for status in range(200, 600)}
    assert reading["request_seconds"]["/predict"][0] == 0.5
    assert full.total("in_flight") == 2


def test_where_everything_else_is_too_much_too_it_is_other(full: SharedCounters):
    for number in range(10_000):
        full.add("refusals", str(number))
    full.observe("request_seconds", 0.5, "/predict")
    full.observe("request_seconds", 0.5, "/health")
    reading = read(full.slots)
    assert full.total("refusals") == 10_000
    assert reading["refusals"][OTHER][0] > 100
    assert {label: values[0] for label, values in reading["request_seconds"].items()} == {OTHER: 1.0}


def test_the_next_owner_of_a_full_slot_goes_on_too(full: SharedCounters):
    before = read(full.slots)["warnings"][OTHER][0]
    after = SharedCounters(full.slots, 0)
    after.add("warnings", "new")
    after.add("warnings", "1 ".ljust(700, "x"))
    assert read(full.slots)["warnings"][OTHER] == [before + 1]
    assert full.total("warnings") == 2002


def test_what_has_no_room_at_all_raises_nothing_and_is_not_read(full: SharedCounters):
    slot = Slot(full.slots, 0)
    for words in (200, 1):
        while slot.append(Kind.COUNTER, "unheard_of", "", words) is not None:
            pass
    before = read(full.slots)
    full.add("rows")
    full.observe("request_seconds", 20, "/predict")
    full.set("in_flight", 3)
    assert read(full.slots) == before


def test_a_label_that_is_too_long_is_other(counters: SharedCounters):
    counters.add("warnings", "x" * MAX_LABEL_BYTES)
    counters.add("warnings", "x" * (MAX_LABEL_BYTES + 1))
    counters.add("warnings", "ü" * MAX_LABEL_BYTES)
    assert read(counters.slots)["warnings"] == {"x" * MAX_LABEL_BYTES: [1.0], OTHER: [2.0]}
