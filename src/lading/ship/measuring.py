"""How long this very bundle takes to be ready, and what memory it takes: said, or measured here, or else estimated."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from lading.ship.trial import LIMIT_S, NotMeasured, try_out

if TYPE_CHECKING:
    from lading.bundle.manifest import Manifest
    from lading.ship.plan import Plan

MB = 1_000_000
_STEP_BYTES = 16 * MB
"""Figures are rounded up, so that what is written twice is the same twice."""

# Seconds and MB beyond those of Lading alone, as their imports take on two cores of a server; others have the last.
_BASE_S, _BASE_MB = 1.0, 64
_LIBRARIES = {
    "joblib": (0.1, 16),
    "numpy": (0.1, 0),
    "onnxruntime": (0.2, 32),
    "pandas": (0.5, 80),
    "pyarrow": (0.2, 32),
    "scikit-learn": (1.5, 160),
    "scipy": (0.5, 40),
    "xgboost": (1.5, 180),
}
_LARGE = {"torch", "tensorflow", "jax", "keras"}
_OTHER_S, _OTHER_MB = 0.5, 64
_LARGE_S, _LARGE_MB = 8.0, 640
_COPIES = 4
"""Of the model's files: as they are read, as they are in memory, and what a batch takes beside."""
_READ_BYTES_S = 50 * MB


class Measured(msgspec.Struct, frozen=True):
    """What one replica takes.

    Attributes:
        load_s: from its start until it is ready, in seconds.
        memory_bytes: at most, after an answer to as many rows as one request may bring.
        is_estimate: whether it was not measured, but reckoned by what the bundle says of itself.
        reason: why it was not.
    """

    load_s: float
    memory_bytes: int
    is_estimate: bool
    reason: str = ""

    @property
    def in_words(self) -> str:
        """The two figures."""
        return f"ready after {self.load_s:g} s, {self.memory_bytes / MB:,.0f} MB"


def measure(plan: Plan, *, limit_s: float = LIMIT_S) -> Measured:
    """What was said, else what is measured, else an estimate.

    Args:
        plan: whose bundle is started, as the plan has it.
        limit_s: what a start may take here.
    """
    said_s, said_bytes = plan.choices.load_s, plan.choices.memory_mb * MB
    if said_s and said_bytes:
        return Measured(said_s, said_bytes, is_estimate=False)
    found = _found(plan, limit_s)
    return msgspec.structs.replace(found, load_s=said_s or found.load_s, memory_bytes=said_bytes or found.memory_bytes)


def _found(plan: Plan, limit_s: float) -> Measured:
    try:
        load_s, memory_bytes = try_out(plan, limit_s=limit_s)
    except NotMeasured as error:
        return estimate(plan, str(error))
    return Measured(math.ceil(load_s), _rounded(memory_bytes), is_estimate=False)


def estimate(plan: Plan, reason: str = "") -> Measured:
    """What a replica will take, by the libraries and the files that the bundle says it needs; rather too much."""
    manifest, workers = plan.manifest, plan.settings.workers
    figures = [_figures(requirement.name.lower()) for requirement in manifest.needed]
    size = _size(manifest)
    load_s = _BASE_S + sum(seconds for seconds, _ in figures) + size / _READ_BYTES_S
    memory = workers * ((_BASE_MB + sum(mb for _, mb in figures)) * MB + _COPIES * size)
    return Measured(math.ceil(load_s), _rounded(memory), is_estimate=True, reason=reason)


def _figures(library: str) -> tuple[float, int]:
    if library in _LARGE:
        return _LARGE_S, _LARGE_MB
    return _LIBRARIES.get(library, (_OTHER_S, _OTHER_MB))


def _size(manifest: Manifest) -> int:
    """Bytes of what is loaded: where a compiled model is in the bundle, nobody reads the other one."""
    unread = {manifest.model} if manifest.is_compiled else set[str]()
    return sum(member.size for member in manifest.files if member.path not in unread)


def _rounded(memory_bytes: int) -> int:
    return math.ceil(memory_bytes / _STEP_BYTES) * _STEP_BYTES
