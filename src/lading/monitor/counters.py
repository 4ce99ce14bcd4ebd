"""What one process counts, in its slot of the shared memory."""

from __future__ import annotations

import os
import threading
from bisect import bisect_left
from collections.abc import Sequence

from lading.monitor.families import FAMILIES, Family
from lading.monitor.reading import fits, read
from lading.monitor.slots import Kind, Slot, Slots

OTHER = "other"
"""The label under which a full slot counts."""
_LEFT_BY_MODELS_WORDS = 16_384
"""What labels of models leave free in a slot for all others, which are few: routes, statuses, error codes."""
_LEFT_WORDS = 1024
"""What these leave free for `other`."""


class SharedCounters:
    """Counts in a slot that belongs to this process; keeps the protocol `lading.service.Counters`.

    Nothing here waits, and nothing raises where a slot is full: what has no room is counted under the label `other`.
    Each number is written by one thread, as two at once would lose an addition; numbers of another name or label may
    be written by another thread. A process that is killed within `observe` may leave an observation in its bucket
    that is missing in the sum.

    Attributes:
        slots: the memory, with the slots of all.
    """

    def __init__(self, slots: Slots, position: int, *, generation: int = 0) -> None:
        slot = Slot(slots, position)
        slot.take(os.getpid(), generation)
        self.slots = slots
        self._slot = slot
        self._values = slot.values
        self._lock = threading.Lock()
        self._places = {(entry.name, entry.label): entry.first for entry in slot.entries() if fits(entry)}

    def add(self, name: str, label: str = "", amount: float = 1) -> None:
        """Count."""
        try:
            self._values[self._places[name, label]] += amount
        except KeyError:
            self._values[self._place(name, label)] += amount

    def set(self, name: str, value: float, label: str = "") -> None:
        """Say how it stands now in this process."""
        try:
            self._values[self._places[name, label]] = value
        except KeyError:
            self._values[self._place(name, label)] = value

    def observe(self, name: str, value: float, label: str = "") -> None:
        """Count a value in its bucket, and add it to the sum."""
        self.observe_all(name, (value,), label)

    def observe_all(self, name: str, values: Sequence[float], label: str = "") -> None:
        """Count values, each in its bucket, and add them to the sum."""
        index = self._places.get((name, label)) or self._place(name, label)
        memory, bounds = self._values, _BOUNDS[name]
        for value in values:
            memory[index + 1 + bisect_left(bounds, value)] += 1
        memory[index] += sum(values)

    def total(self, name: str, label: str | None = None) -> float:
        """What all slots hold under a name, with this label or with any; of a histogram the sum of its values."""
        labels = read(self.slots).get(name, {})
        return sum(values[0] for own, values in labels.items() if label in (None, own))

    def _place(self, name: str, label: str) -> int:
        """The index of a number that is new, of `other`, or of one that is never read."""
        family = FAMILIES[name]
        with self._lock:
            leave_words = _LEFT_BY_MODELS_WORDS if family.is_open else _LEFT_WORDS
            index = self._find(family, label, leave_words)
            return self._find(family, OTHER, 0) or 0 if index is None else index

    def _find(self, family: Family, label: str, leave_words: int) -> int | None:
        key = family.name, label
        if key not in self._places:
            place = self._slot.append(family.kind, family.name, label, family.words, leave_words=leave_words)
            if place is None:
                return None
            self._places[key] = place
        return self._places[key]


_BOUNDS = {family.name: family.bounds for family in FAMILIES.values() if family.kind is Kind.HISTOGRAM}
