"""Slots, and counters in them."""

import pytest

from lading.monitor.counters import SharedCounters
from lading.monitor.slots import Slots


@pytest.fixture
def slots() -> Slots:
    return Slots.create(4)


@pytest.fixture
def counters(slots: Slots) -> SharedCounters:
    return SharedCounters(slots, 0, generation=1)
