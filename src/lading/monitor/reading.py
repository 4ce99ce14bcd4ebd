"""What all slots hold together."""

from __future__ import annotations

from lading.monitor.families import FAMILIES, Family
from lading.monitor.slots import Entry, Kind, Slots

Reading = dict[str, dict[str, list[float]]]
"""Name to label to values: one, or of a histogram the sum and each bucket by itself."""


def read(slots: Slots) -> Reading:
    """Everything that was counted in any slot, and how those stand that have an owner."""
    reading: Reading = {}
    for slot in slots:
        is_live = slot.pid != 0
        for entry in slot.entries():
            if not fits(entry) or (entry.kind == Kind.GAUGE and not is_live):
                continue
            values = list(slot.values[entry.first : entry.first + entry.words])
            labels = reading.setdefault(entry.name, {})
            before = labels.get(entry.label)
            labels[entry.label] = values if before is None else _merged(FAMILIES[entry.name], before, values)
    return reading


def fits(entry: Entry) -> bool:
    """Whether the entry is of a family that this version knows, as this version knows it."""
    family = FAMILIES.get(entry.name)
    return family is not None and (entry.kind, entry.words) == (family.kind, family.words)


def _merged(family: Family, one: list[float], other: list[float]) -> list[float]:
    merge = max if family.is_shared else sum
    return [merge(pair) for pair in zip(one, other, strict=True)]
