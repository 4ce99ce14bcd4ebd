"""The access that settings say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from lading.access.access import Access
from lading.access.authenticator import Authenticator
from lading.access.rates import Rates
from lading.errors import NotForProduction, SettingsError
from lading.settings import Settings, rate, words

GROUP = "lading.authenticators"
NETWORK, CERTIFICATE = "network", "certificate"
"""Something in front asks; the certificate of the connection says who asks. Neither is in the fields of a request."""

Make = Callable[[Settings, bytes], Authenticator]


def make_access(settings: Settings, rates: Rates, shared: bytes) -> Access:
    """The access that these settings say.

    Args:
        settings: of the service.
        rates: where it is counted how often somebody asks.
        shared: random bytes that all processes of the server have.

    Raises:
        SettingsError: they do not fit together.
        NotForProduction: they are not good enough for production.
    """
    methods = methods_of(settings)
    return Access(
        [_maker(method)(settings, shared) for method in methods if method not in (NETWORK, CERTIFICATE)],
        rates,
        address_rate=rate(settings.address_rate_limit),
        failure_rate=rate(settings.failure_rate_limit),
        takes_certificates=CERTIFICATE in methods,
    )


def methods_of(settings: Settings) -> Sequence[str]:
    """The words of the setting `auth`.

    Raises:
        SettingsError: one of them is unknown, or they contradict each other.
        NotForProduction: there is none, in production.
    """
    methods = words(settings.auth)
    known = (*_entries(), CERTIFICATE, NETWORK)
    for method in methods:
        if method not in known:
            near = get_close_matches(method, known, 1)
            hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(known)}"
            raise SettingsError("--auth: expected ways to show who asks, with commas between", hint=hint)
    if NETWORK in methods and len(methods) > 1:
        raise SettingsError("--auth network says that nobody is asked here, and stands alone", hint="--auth network")
    if CERTIFICATE in methods and not settings.client_ca_file:
        raise SettingsError("--auth certificate needs to know who signs them", hint="--client-ca-file ca.pem")
    if settings.production and not methods:
        raise NotForProduction(
            "--production needs to know who may ask",
            hint="--auth keys, after `lading keys create NAME`; or --auth network where something in front asks",
        )
    return methods


def _maker(method: str) -> Make:
    make: Make = _entries()[method].load()
    return make


@cache
def _entries() -> dict[str, EntryPoint]:
    """The authenticators that are installed, by their words; to look for them takes milliseconds."""
    return {each.name: each for each in entry_points(group=GROUP)}
