"""The one place that joins service, counters, features, access and HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from starlette.types import ASGIApp

from lading.access.making import make_access
from lading.access.rates import Rates
from lading.access.tokens.authenticator import Tokens
from lading.bundle.declared import Declared
from lading.engine.loading import load
from lading.features.completion import Completion
from lading.http.accounts import Accounts
from lading.http.admission import Admission
from lading.http.app import make_app
from lading.monitor.counters import SharedCounters
from lading.monitor.exposition import exposition
from lading.monitor.slots import Slots
from lading.serve.production import trust_of
from lading.service import Service
from lading.settings import Settings


@dataclass(frozen=True)
class Composition:
    """A service with everything that stands around it."""

    service: Service
    app: ASGIApp
    accounts: Accounts
    admission: Admission


def compose(settings: Settings, slots: Slots | None = None, position: int = 0, *, generation: int = 0) -> Composition:
    """The parts, joined; the model is still to be loaded.

    Args:
        settings: of the service.
        slots: shared memory for counters; a process that is alone has its own.
        position: the slot that is this process's.
        generation: the number of the generation that it is of.
    """
    slots = slots or Slots.create(1)
    counters = SharedCounters(slots, position, generation=generation)
    service = Service(settings, counters, features=lambda manifest: Completion(manifest, settings, counters))
    accounts = Accounts(counters, lambda: service.about)
    rates = Rates([slot.rates for slot in slots], position, slots.secret)
    access = make_access(settings, rates, slots.secret)
    grant = next((each.grant for each in access.authenticators if isinstance(each, Tokens)), None)
    app = make_app(service, accounts, lambda: exposition(slots), access, grant=grant)
    return Composition(service, app.asgi, accounts, app.admission)


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
    settings = settings or Settings()
    composition = compose(settings)
    trust = trust_of(settings)
    composition.service.start(lambda: load(path, declared=declared, ignore_versions=ignore_versions, trust=trust))
    return composition.app
