"""The one place that joins service, counters and HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from starlette.types import ASGIApp

from lading.bundle.declared import Declared
from lading.engine.loading import load
from lading.http.app import make_app
from lading.monitor.counters import LocalCounters
from lading.service import Service
from lading.settings import Settings


@dataclass(frozen=True)
class Composition:
    """A service with everything that stands around it."""

    service: Service
    counters: LocalCounters
    app: ASGIApp


def compose(settings: Settings) -> Composition:
    """The parts, joined; the model is still to be loaded."""
    counters = LocalCounters()
    service = Service(settings, counters)
    return Composition(service, counters, make_app(service, counters, counters.exposition))


def asgi(
    path: str | Path,
    *,
    settings: Settings | None = None,
    declared: Declared | None = None,
    ignore_versions: bool = False,
) -> ASGIApp:
    """The service of a bundle or a model file as an ASGI application, ready, to mount in another one.

    The model is loaded now, and its golden rows are replayed, because a mounted application is told of no start.

    Raises:
        LadingError: the model cannot be served; see `lading.load`.
    """
    composition = compose(settings or Settings())
    composition.service.start(lambda: load(path, declared=declared, ignore_versions=ignore_versions))
    return composition.app
