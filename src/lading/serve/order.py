"""What a supervisor tells a new generation, on its standard input."""

from __future__ import annotations

import msgspec

from lading.serve.place import Place
from lading.serve.target import Target
from lading.settings import Settings


class Order(msgspec.Struct, frozen=True):
    """Everything that a generation has to know.

    Attributes:
        target: what to serve.
        settings: of the server.
        generation: its number.
        place: where it will be reached, for the banner.
        slots: of the counters, one for each worker.
        listener: descriptor of the listening socket.
        counters: descriptor of the shared memory of the counters.
        reports: descriptor of the pipe to report through.
        lifeline: descriptor of a pipe that closes when the supervisor ends.
        gate: descriptor of a pipe that closes when workers may begin to accept.
    """

    target: Target
    settings: Settings
    generation: int
    place: Place
    slots: tuple[int, ...]
    listener: int
    counters: int
    reports: int
    lifeline: int
    gate: int

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What the new process has to inherit."""
        return (self.listener, self.counters, self.reports, self.lifeline, self.gate)
