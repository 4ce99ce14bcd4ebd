"""The numbers in Prometheus' text format, written by any process that has the memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from lading.monitor.counters import OTHER
from lading.monitor.families import FAMILIES, Family
from lading.monitor.reading import Reading, read
from lading.monitor.slots import Kind, Slot, Slots

if TYPE_CHECKING:
    from prometheus_client.core import Metric

_SUPERVISOR = "supervisor"


def exposition(slots: Slots) -> bytes:
    """All families in Prometheus' text format; those of which nothing is known yet without a sample."""
    # Not at the start: a process that is never asked, such as the supervisor, stays small.
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(slots))
    return generate_latest(registry)


@dataclass(frozen=True)
class _Collector:
    """What prometheus-client asks for the families."""

    slots: Slots

    def collect(self) -> Iterator[Metric]:
        reading = read(self.slots) | _of_the_service(self.slots)
        for family in FAMILIES.values():
            yield _metric(family, reading.get(family.name, {}))


def _of_the_service(slots: Slots) -> Reading:
    """What no worker counts, because it is about the workers."""
    live = {_worker(slot, slots): slot.pid for slot in slots if slot.pid}
    memory = {worker: _resident_bytes(pid) for worker, pid in live.items()}
    reading: Reading = {
        "workers": {"": [float(len(live.keys() - {_SUPERVISOR}))]},
        "process_memory_bytes": {worker: [float(size)] for worker, size in memory.items() if size is not None},
    }
    # One process alone has no generations.
    if slots.generation:
        reading["generation"] = {"": [float(slots.generation)]}
    if slots.generations_begun:
        reading["generations"] = {"": [float(slots.generations_begun)]}
        reading["generations_failed"] = {"": [float(slots.generations_failed)]}
    return reading


def _worker(slot: Slot, slots: Slots) -> str:
    """The worker's number. Among many, who is of no generation is no worker: it answers while there is none."""
    return str(slot.position) if slot.generation or slots.count == 1 else _SUPERVISOR


def _resident_bytes(pid: int) -> int | None:
    """The memory of a process; None where it has gone, or where there is no /proc."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):  # a process that is just ending has an empty file
        return None


def _metric(family: Family, readings: dict[str, list[float]]) -> Metric:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    name = family.exposed_name
    if family.kind is Kind.HISTOGRAM:
        histogram = HistogramMetricFamily(name, family.sentence, labels=family.labels)
        bounds = [*map(str, family.bounds), "+Inf"]
        for label, (total, *buckets) in sorted(readings.items()):
            upto = zip(bounds, accumulate(buckets), strict=True)
            histogram.add_metric(_label_values(family, label), list(upto), sum_value=total)
        return histogram
    kind = CounterMetricFamily if family.kind is Kind.COUNTER else GaugeMetricFamily
    metric = kind(name, family.sentence, labels=family.labels)
    for label, (value,) in sorted(readings.items()):
        metric.add_metric(_label_values(family, label), value)
    return metric


def _label_values(family: Family, label: str) -> list[str]:
    """A value for each label of the family; a full slot has only `other`."""
    count = len(family.labels)
    if not count:
        return []
    values = label.split(" ", count - 1)
    return values + [OTHER] * (count - len(values))
