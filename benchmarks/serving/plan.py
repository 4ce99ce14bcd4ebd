"""What is measured, and for how long."""

from dataclasses import dataclass

CASES = ("iris", "forest", "mixed", "large")
PARTS = (*CASES, "columns", "workers", "overload", "startup")
"""The cases, each for every target, and what is about Lading itself."""
COLUMNS = ("columns4", "columns40", "columns400")
SIZES = (1, 64, 512, 10_000)
"""Rows in a batch of the model without a server."""


@dataclass(frozen=True)
class Plan:
    """Which parts are measured with which targets, and for how long.

    Attributes:
        parts: of `PARTS`.
        targets: names of servers, and `process` for the model without any.
        seconds: of one load.
        rounds: in each of which every target has its turn.
        starts: of each server, to see how long they take.
        rate: requests a second of the open loop that is the same for all.
        top_rate: what the generator of the open loop can do beside a server on the same machine.
        overload_connections: over which far too much is asked; many more than may wait and be in the model.
        max_queue_rows: with which Lading is started for that, so that its queue is full at once.
    """

    parts: tuple[str, ...] = PARTS
    targets: tuple[str, ...] = ()
    seconds: int = 6
    rounds: int = 3
    starts: int = 5
    rate: int = 500
    top_rate: int = 15_000
    overload_connections: int = 512
    max_queue_rows: int = 64

    @property
    def case_names(self) -> tuple[str, ...]:
        """The cases that have to be prepared."""
        needed = {"columns": COLUMNS, "workers": ("iris",), "overload": ("slow",), "startup": ("iris", "forest")}
        return tuple(dict.fromkeys(name for part in self.parts for name in needed.get(part, (part,))))


def loads(case: str) -> tuple[int, ...]:
    """Connections of the closed loops; Lading would refuse 64 times 10,000 rows, its queue holds 20,000."""
    return {"iris": (64, 1, 512), "large": (1,)}.get(case, (64,))
