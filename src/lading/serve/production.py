"""What production asks for before anything is loaded; it fails closed, each time with one sentence and the way out."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lading.access.making import NETWORK, make_access, methods_of
from lading.access.rates import Rates
from lading.errors import NotForProduction, SettingsError
from lading.serve.tls import Tls
from lading.settings import Settings, is_loopback

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    # What reads it stays out of the supervisor.
    from lading.bundle.signing.trust import TrustStore


def trust_of(settings: Settings) -> TrustStore | None:
    """Whose signatures let a bundle in; None where none is asked for.

    Raises:
        Untrusted: the store cannot be read.
    """
    if not settings.production:
        return None
    from lading.bundle.signing.trust import TrustStore

    return TrustStore.read(settings.trust)


def check_settings(settings: Settings) -> None:
    """Nothing, where these settings can be served with; found out before a socket is opened.

    Raises:
        LadingError: they cannot; says what may be done.
    """
    make_access(settings, Rates([], 0, b""), bytes(32))
    tls = Tls.of(settings)
    is_asked = methods_of(settings) not in ((), (NETWORK,))
    is_near = settings.unix_socket or settings.trusted_hops or is_loopback(settings.host)
    if tls is None and not is_near and is_asked:
        logger.warning("credentials travel unencrypted: --tls-certificate-file, or --trusted-hops for a proxy with TLS")
    if settings.rate_limit and not is_asked:
        raise SettingsError("--rate-limit is by caller, and nobody is asked who they are", hint="--address-rate-limit")
    if is_asked and settings.unix_socket and not settings.trusted_hops:
        logger.warning(
            "all callers count as one address: --trusted-hops 127.0.0.1 believes the proxy's X-Forwarded-For"
        )
    if settings.insecure and settings.production:
        raise NotForProduction("--production and --insecure contradict each other", hint="leave out one of them")
