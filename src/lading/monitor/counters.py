"""Counters of one process, and their exposition in Prometheus' text format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, Metric

# name: (what the label says, the sentence)
_KNOWN: dict[str, tuple[str, str]] = {
    "requests": ("route_status", "Requests, by route and status"),
    "rows": ("", "Rows that went through the model"),
    "batches": ("", "Batches that went through the model"),
    "failures": ("code", "Requests that the model or its output check failed, by error code"),
    "refusals": ("code", "Requests that were refused, by error code"),
    "warnings": ("column", "Rows with a value that was not seen in training, by column"),
}


class LocalCounters:
    """Counts in this process; keeps the protocol `lading.service.Counters`."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, name: str, label: str = "", amount: float = 1) -> None:
        """Count."""
        self._counts[name, label] += amount  # type: ignore[assignment]

    def total(self, name: str, label: str | None = None) -> float:
        """What was counted under a name, with this label or with any."""
        return sum(n for (key, own), n in self._counts.items() if key == name and label in (None, own))

    def collect(self) -> Iterator[Metric]:
        """The families, for prometheus-client."""
        for name, (label, sentence) in _KNOWN.items():
            family = CounterMetricFamily(f"lading_{name}", sentence, labels=label.split("_") if label else ())
            for (key, value), count in sorted(self._counts.items()):
                if key == name:
                    family.add_metric(value.split(" ") if label == "route_status" else [value] * bool(label), count)
            yield family

    def exposition(self) -> bytes:
        """All counters in Prometheus' text format."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return generate_latest(registry)
