"""The one table of what is counted: each family with its kind, its labels and a sentence."""

from __future__ import annotations

from dataclasses import dataclass

from lading.monitor.slots import Kind

_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_ROWS = tuple(float(1 << power) for power in range(15))


@dataclass(frozen=True)
class Family:
    """One family of numbers.

    Attributes:
        name: under which it is counted.
        kind: what its values are.
        sentence: what they say.
        labels: names of its labels; their values stand in one text, with spaces between.
        bounds: of a histogram: what each bucket holds at most; one without a bound follows.
        is_shared: of a gauge: every worker says the same, so it is not summed; the largest is shown.
        is_open: its labels come from the model, so there may be very many of them.
    """

    name: str
    kind: Kind
    sentence: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()
    is_shared: bool = False
    is_open: bool = False

    @property
    def words(self) -> int:
        """How many values it has: one, or of a histogram the sum and all buckets."""
        return len(self.bounds) + 2 if self.kind is Kind.HISTOGRAM else 1

    @property
    def exposed_name(self) -> str:
        """Its name in Prometheus."""
        return f"lading_{self.name}_total" if self.kind is Kind.COUNTER else f"lading_{self.name}"


def _counter(name: str, sentence: str, *labels: str, is_open: bool = False) -> Family:
    return Family(name, Kind.COUNTER, sentence, labels, is_open=is_open)


def _gauge(name: str, sentence: str, *labels: str, is_shared: bool = False) -> Family:
    return Family(name, Kind.GAUGE, sentence, labels, is_shared=is_shared)


def _histogram(name: str, sentence: str, bounds: tuple[float, ...], *labels: str) -> Family:
    return Family(name, Kind.HISTOGRAM, sentence, labels, bounds)


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        _counter("requests", "Requests, by route and status", "route", "status"),
        _counter("rows", "Rows that went through the model"),
        _counter("batches", "Batches that went through the model"),
        _counter("refusals", "Requests that were refused, by error code", "code"),
        _counter("failures", "Requests that the model or its output check failed, by error code", "code"),
        _counter("warnings", "Rows with a value that was not seen in training, by column", "column", is_open=True),
        _histogram("request_seconds", "Time from a request's head to the end of its answer", _SECONDS, "route"),
        _histogram("model_seconds", "Time in the model, by batch", _SECONDS),
        _histogram("batch_rows", "Rows of a batch", _ROWS),
        _counter("features_hits", "Keys whose features were remembered", "lookup"),
        _counter("features_misses", "Keys whose features were not remembered", "lookup"),
        _counter("features_unknown", "Keys that the store does not know, remembered or not", "lookup"),
        _counter("features_failures", "Queries that the store did not answer, or not as declared", "lookup"),
        _histogram("features_seconds", "Time of a query to the store", _SECONDS, "lookup"),
        _gauge("in_flight", "Requests that have begun and are not answered yet"),
        _gauge("queue_rows", "Rows that wait for the model"),
        _gauge("golden_rows", "Golden rows that came back as they were packed", is_shared=True),
        _gauge("parity_rows", "Rows that the compiled model answered like the native one, at packing", is_shared=True),
        _gauge("parity_largest_difference", "Between their numbers or probabilities, at packing", is_shared=True),
        _gauge("model_info", "1 for the model that is served", "name", "version", "engine", is_shared=True),
        _gauge("signature_info", "1 for the key that has signed the bundle", "key", "digest", is_shared=True),
        _gauge("generation", "Which generation of workers serves", is_shared=True),
        _counter("generations", "Generations of workers that were begun"),
        _counter("generations_failed", "Generations of workers that ended before they were ready"),
        _gauge("workers", "Workers that live"),
        _gauge("process_memory_bytes", "Resident memory of a worker", "worker"),
    )
}
