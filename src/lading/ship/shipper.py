"""Where bundles are shipped to: the protocol that each target keeps, and how it is found.

A target is one class. `[project.entry-points."lading.shippers"]` names it by the word that stands behind `lading ship`,
and those that come with Lading enter by the same door.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Protocol

from lading.errors import UsageError
from lading.ship.files import File
from lading.ship.plan import Plan

GROUP = "lading.shippers"


class Shipper(Protocol):
    """Makes the files that run a bundle somewhere.

    One that has `needs_measure = True` finds in `plan.measured` what a replica takes. One that has `auth` says by it
    who is asked for what where nobody says so: `network` behind a gateway of its own.
    """

    def files(self, plan: Plan) -> Sequence[File]:
        """All of them, none twice.

        Raises:
            UsageError: the plan cannot be run there; says what may be done.
        """

    def next_steps(self, plan: Plan, folder: str) -> Sequence[str]:
        """The commands that come next, when the files are in a folder, whose name is quoted for a shell."""


def shipper_named(name: str) -> Shipper:
    """The target of this name.

    Raises:
        UsageError: nothing that is installed has it.
    """
    point = _points().get(name)
    if point is None:
        near = get_close_matches(name, _points(), 1)
        hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(_points())}"
        raise UsageError("a bundle cannot be shipped there", hint=hint)
    shipper: Shipper = point.load()()
    return shipper


def needs_measure(shipper: Shipper) -> bool:
    """Whether its files say how long a replica takes to be ready, and what memory it may have."""
    return bool(getattr(shipper, "needs_measure", False))


def usual_auth(shipper: Shipper) -> str:
    """Who is asked for what where nobody says it."""
    return str(getattr(shipper, "auth", "keys"))


@cache
def _points() -> dict[str, EntryPoint]:
    return {point.name: point for point in sorted(entry_points(group=GROUP), key=lambda point: point.name)}
