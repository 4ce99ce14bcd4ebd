"""The exposition: Prometheus' own parser reads every sample of it."""

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from lading.monitor.counters import OTHER, SharedCounters
from lading.monitor.exposition import exposition
from lading.monitor.families import FAMILIES
from lading.monitor.slots import Slot, Slots

Labels = tuple[tuple[str, str], ...]
ABOUT_PROCESSES = ("lading_workers", "lading_process_memory_bytes")


def families(slots: Slots) -> list[Metric]:
    """The families of an exposition as Prometheus reads them."""
    return list(text_string_to_metric_families(exposition(slots).decode()))


def samples(slots: Slots) -> dict[tuple[str, Labels], float]:
    """Its samples, (name, labels) to value, but for those about the processes."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families(slots)
        for sample in family.samples
        if sample.name not in ABOUT_PROCESSES
    }


def about_processes(slots: Slots) -> dict[str, dict[str, float]]:
    """Workers, and memory by worker."""
    return {
        family.name: {"".join(sample.labels.values()): sample.value for sample in family.samples}
        for family in families(slots)
        if family.name in ABOUT_PROCESSES
    }


def test_prometheus_reads_every_sample_with_its_labels(slots: Slots, counters: SharedCounters):
    counters.add("rows", amount=7)
    counters.add("batches")
    counters.add("requests", "/predict 200", 2)
    counters.add("requests", "/predict 422")
    counters.add("failures", "model.failed")
    SharedCounters(slots, 3).add("refusals", "queue_full", 5)
    counters.set("in_flight", 4)
    counters.set("model_info", 1, "iris 1.0.0 onnx")
    assert samples(slots) == {
        ("lading_rows_total", ()): 7,
        ("lading_batches_total", ()): 1,
        ("lading_requests_total", (("route", "/predict"), ("status", "200"))): 2,
        ("lading_requests_total", (("route", "/predict"), ("status", "422"))): 1,
        ("lading_failures_total", (("code", "model.failed"),)): 1,
        ("lading_refusals_total", (("code", "queue_full"),)): 5,
        ("lading_in_flight", ()): 4,
        ("lading_model_info", (("engine", "onnx"), ("name", "iris"), ("version", "1.0.0"))): 1,
    }


def test_a_histogram_counts_upwards(slots: Slots, counters: SharedCounters):
    for seconds in (0.0001, 0.004, 0.004, 99.0):
        counters.observe("request_seconds", seconds, "/predict")
    read = samples(slots)
    upto = {
        dict(labels)["le"]: value for (name, labels), value in read.items() if name == "lading_request_seconds_bucket"
    }
    assert [upto[bound] for bound in ("0.0001", "0.0025", "0.005", "10.0", "+Inf")] == [1, 1, 3, 3, 4]
    assert read["lading_request_seconds_count", (("route", "/predict"),)] == 4
    assert read["lading_request_seconds_sum", (("route", "/predict"),)] == pytest.approx(99.0081)


@given(st.lists(st.text(), min_size=1, unique=True))
def test_a_column_of_any_name_is_a_label_that_prometheus_reads(names: list[str]):
    slots = Slots.create(1)
    counters = SharedCounters(slots, 0)
    for name in names:
        counters.add("warnings", name)
    assert samples(slots) == {("lading_warnings_total", (("column", name),)): 1 for name in names}


def test_half_of_a_surrogate_pair_becomes_a_question_mark(slots: Slots, counters: SharedCounters):
    for name in ("a\ud800", "a\udfff", "a?"):
        counters.add("warnings", name)
    assert samples(slots) == {("lading_warnings_total", (("column", "a?"),)): 3}
    assert SharedCounters(slots, 0).total("warnings", "a?") == 3


def test_other_stands_for_each_label(slots: Slots, counters: SharedCounters):
    counters.add("requests", OTHER)
    assert samples(slots) == {("lading_requests_total", (("route", OTHER), ("status", OTHER))): 1}


def test_every_family_is_told_before_anything_was_counted(slots: Slots):
    told = {family.name: (family.type, family.documentation) for family in families(slots)}
    assert told == {
        family.exposed_name.removesuffix("_total"): (family.kind.name.lower(), family.sentence)
        for family in FAMILIES.values()
    }
    assert samples(slots) == {}


def test_generations_are_told_where_there_are_some(slots: Slots):
    slots.generation, slots.generations_begun, slots.generations_failed = 3, 5, 2
    assert samples(slots) == {
        ("lading_generation", ()): 3,
        ("lading_generations_total", ()): 5,
        ("lading_generations_failed_total", ()): 2,
    }


# --- about processes


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="there is no /proc")
def test_the_memory_of_every_process_is_told_that_lives(slots: Slots):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for position, pid in enumerate((os.getpid(), gone.pid, os.getppid())):
        Slot(slots, position).take(pid, 1)
    told = about_processes(slots)
    assert told["lading_workers"] == {"": 3}
    assert told["lading_process_memory_bytes"].keys() == {"0", "2"}
    assert 10e6 < told["lading_process_memory_bytes"]["0"] < 10e9


def test_a_process_that_is_alone_is_a_worker():
    slots = Slots.create(1)
    SharedCounters(slots, 0)
    assert about_processes(slots)["lading_workers"] == {"": 1}


def test_who_only_stands_by_is_no_worker(slots: Slots):
    SharedCounters(slots, 0)
    SharedCounters(slots, 1, generation=1)
    told = about_processes(slots)
    assert told["lading_workers"] == {"": 1}
    assert told["lading_process_memory_bytes"].keys() <= {"supervisor", "1"}
