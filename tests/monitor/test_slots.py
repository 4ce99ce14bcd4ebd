"""The shared memory: whole at any instant, readable whatever is in it, and refused where it is something else."""

import math
import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.errors import EnvironmentMismatch, UsageError
from lading.monitor.exposition import exposition
from lading.monitor.reading import read
from lading.monitor.slots import RATES_BYTES, SLOT_BYTES, Kind, Slot, Slots, release


def test_a_new_memory_is_empty_and_costs_next_to_nothing():
    slots = Slots.create(64)
    assert [slot.pid for slot in slots] == [0] * 64
    assert read(slots) == {}
    assert os.fstat(slots.fd).st_blocks * 512 <= 16384 < 64 * SLOT_BYTES


@pytest.mark.parametrize("has_memfd", [True, False])
def test_who_attaches_sees_what_is_written_later(monkeypatch: pytest.MonkeyPatch, has_memfd: bool):
    if not has_memfd:
        monkeypatch.delattr(os, "memfd_create", raising=False)
    slots = Slots.create(3)
    attached = Slots.attach(slots.fd)
    slots.generation, slots.generations_begun, slots.generations_failed = 7, 8, 1
    Slot(slots, 2).take(4242, 7)
    assert (attached.count, attached.generation) == (3, 7)
    assert (attached.generations_begun, attached.generations_failed) == (8, 1)
    assert [(slot.pid, slot.generation) for slot in attached] == [(0, 0), (0, 0), (4242, 7)]


def test_the_descriptor_is_closed_with_the_last_that_holds_it():
    slots = Slots.create(1)
    fd, attached = slots.fd, Slots.attach(slots.fd)
    del slots
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
    Slot(attached, 0).take(1, 1)


def test_what_was_appended_is_read_in_its_order(slots: Slots):
    slot = Slot(slots, 1)
    places = [slot.append(Kind.COUNTER, "a", "", 1), slot.append(Kind.HISTOGRAM, "b", "ü", 3)]
    entries = list(Slot(Slots.attach(slots.fd), 1).entries())
    assert [(entry.kind, entry.name, entry.label, entry.words) for entry in entries] == [
        (Kind.COUNTER, "a", "", 1),
        (Kind.HISTOGRAM, "b", "ü", 3),
    ]
    assert [entry.first for entry in entries] == places


def test_a_free_slot_keeps_its_counts_and_no_gauges(slots: Slots):
    slot = Slot(slots, 0)
    counter, gauge = slot.append(Kind.COUNTER, "rows", "", 1), slot.append(Kind.GAUGE, "in_flight", "", 1)
    slot.take(4242, 1)
    slot.values[counter] = slot.values[gauge] = 5.0
    release(slots, 0)
    assert (slot.pid, slot.values[counter], slot.values[gauge]) == (0, 5.0, 0.0)


def test_a_new_owner_has_no_gauges_of_the_last_one(slots: Slots):
    slot = Slot(slots, 0)
    gauge = slot.append(Kind.GAUGE, "in_flight", "", 1)
    slot.take(4242, 1)
    slot.values[gauge] = 5.0
    slot.take(4243, 2)
    assert (slot.pid, slot.generation, slot.values[gauge]) == (4243, 2, 0.0)


def test_an_entry_leaves_as_much_room_as_it_is_told_to(slots: Slots):
    slot = Slot(slots, 0)
    while slot.append(Kind.COUNTER, "warnings", "x" * 1000, 1, leave_words=300) is not None:
        pass
    last = slot.append(Kind.HISTOGRAM, "batch_rows", "", 250)
    assert last + 250 + 2 <= len(slot.values)
    assert slot.append(Kind.HISTOGRAM, "batch_rows", "", 250) is None
    assert list(slot.entries())[-1].first == last
    assert list(Slot(slots, 1).entries()) == []


def test_what_a_killed_process_had_not_published_is_overwritten(slots: Slots):
    slot = Slot(slots, 0)
    slot.append(Kind.COUNTER, "rows", "", 1)
    first = slot.append(Kind.COUNTER, "batches", "", 1)
    for index in range(first + 3, first + 40):
        slot.values[index] = math.nan
    place = slot.append(Kind.HISTOGRAM, "batch_rows", "", 20)
    assert list(slot.values[place : place + 20]) == [0.0] * 20
    assert [entry.name for entry in slot.entries()] == ["rows", "batches", "batch_rows"]


def test_an_entry_that_is_not_to_be_seen_yet_ends_the_reading(slots: Slots):
    slot = Slot(slots, 0)
    slot.append(Kind.COUNTER, "rows", "", 1)
    first = slot.append(Kind.COUNTER, "batches", "", 1)
    entry, slot.values[first - 1] = slot.values[first - 1], 0.0
    assert [entry.name for entry in slot.entries()] == ["rows"]
    slot.values[first - 1] = entry
    assert [entry.name for entry in slot.entries()] == ["rows", "batches"]


@given(st.binary(min_size=1, max_size=600), st.integers(0, 800))
def test_a_slot_full_of_nonsense_is_read_without_failing(nonsense: bytes, offset: int):
    slots = Slots.create(1)
    slot = Slot(slots, 0)
    for number in range(20):
        slot.append(Kind.COUNTER, "warnings", str(number), 1)
    os.pwrite(slots.fd, nonsense, 128 + offset)  # the owner and its published words
    os.pwrite(slots.fd, nonsense, 4096 + 8 * 256 + offset)  # the first entries
    assert b"lading_rows_total" in exposition(slots)


# --- rates, and the secret


def test_the_rates_of_a_slot_are_its_own_and_read_by_all(slots: Slots):
    words = [slot.rates for slot in slots]
    assert {len(each) * each.itemsize for each in words} == {RATES_BYTES}
    for position, each in enumerate(words):
        each[0], each[-1] = position + 1, -position - 1
    attached = [slot.rates for slot in Slots.attach(slots.fd)]
    assert [(each[0], each[1], each[-1]) for each in attached] == [(1, 0, -1), (2, 0, -2), (3, 0, -3), (4, 0, -4)]
    assert read(slots) == {}


def test_what_is_in_the_rates_outlives_their_owner(slots: Slots):
    slot = Slot(slots, 1)
    slot.take(4242, 1)
    slot.rates[7] = 5
    release(slots, 1)
    slot.take(4243, 2)
    assert slot.rates[7] == 5


def test_a_full_table_leaves_the_rates_alone(slots: Slots):
    slot = Slot(slots, len(list(slots)) - 1)
    while slot.append(Kind.COUNTER, "warnings", "x" * 1000, 100) is not None:
        pass
    assert not any(any(each.rates) for each in slots)


def test_the_secret_is_random_and_known_to_who_attaches(slots: Slots):
    assert len(slots.secret) == 32
    assert Slots.attach(slots.fd).secret == slots.secret
    assert len({slots.secret, Slots.create(4).secret, bytes(32)}) == 3


# --- what is refused


def test_a_slot_that_is_not_there_is_refused(slots: Slots):
    for position in (-1, 4):
        with pytest.raises(UsageError, match=f"expected a slot from 0 to 3, got {position}"):
            Slot(slots, position)


def _attach_copy(tmp_path: Path, *, size: int | None = None, at: int = 0, word: bytes = b"") -> None:
    """Attach a file that is a memory of two slots but for its size or for a word of its header."""
    slots = Slots.create(2)
    header = bytearray(os.pread(slots.fd, 4096, 0))
    header[at : at + len(word)] = word
    path = tmp_path / "copy"
    path.write_bytes(header)
    with path.open("r+b") as file:
        os.truncate(file.fileno(), os.fstat(slots.fd).st_size if size is None else size)
        Slots.attach(file.fileno())


def test_a_whole_copy_is_attached(tmp_path: Path):
    _attach_copy(tmp_path)


BYTES = SLOT_BYTES + RATES_BYTES


@pytest.mark.parametrize("size", [0, 10, 4096, 4096 + BYTES, 4096 + 2 * BYTES - 1, 4096 + 2 * SLOT_BYTES])
def test_a_memory_of_another_size_is_refused(tmp_path: Path, size: int):
    with pytest.raises(UsageError, match="expected the memory of counters behind descriptor"):
        _attach_copy(tmp_path, size=size)


@pytest.mark.parametrize("count", [-1, 0, 3, 2**62])
def test_a_memory_that_says_another_number_of_slots_is_refused(tmp_path: Path, count: int):
    with pytest.raises(UsageError, match=f"for {count} slots"):
        _attach_copy(tmp_path, at=16, word=struct.pack("=q", count))


def test_a_memory_of_another_version_is_refused_with_what_to_do(tmp_path: Path):
    with pytest.raises(EnvironmentMismatch, match="expected counters of layout 2, got 99") as raised:
        _attach_copy(tmp_path, at=8, word=struct.pack("=q", 99))
    assert raised.value.hint == "stop the service and start it again"


def test_a_pipe_and_a_closed_descriptor_are_refused():
    ends = os.pipe()
    with pytest.raises(UsageError, match="expected the memory of counters"):
        Slots.attach(ends[0])
    for end in ends:
        os.close(end)
    with pytest.raises(UsageError, match="Bad file descriptor"):
        Slots.attach(ends[0])
