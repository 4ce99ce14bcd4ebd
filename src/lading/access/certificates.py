"""Who asks, by the certificate that their connection has shown; TLS has verified it before."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

from lading.access.making import CERTIFICATE, methods_of
from lading.access.principal import Principal
from lading.access.scopes import check_scopes
from lading.errors import Unauthenticated
from lading.settings import Settings, words

_MAX_NAME_CHARS = 128


class Certificates:
    """Makes principals of certificates, as Python's `ssl.SSLSocket.getpeercert` tells them.

    Args:
        names: which names are taken, of the certificate's alternative ones or its common one; none for all.
        scopes: what those may do who have one.
        is_needed: every connection has to have one that is taken, beside whatever else shows who asks.
    """

    def __init__(self, names: tuple[str, ...], scopes: tuple[str, ...], *, is_needed: bool) -> None:
        self._names = frozenset(names)
        self._scopes = scopes
        self._is_needed = is_needed

    @classmethod
    def of(cls, settings: Settings) -> Certificates | None:
        """What the settings say; None where nobody is asked for a certificate.

        Raises:
            UsageError: they name a scope that is none.
        """
        if not settings.client_ca_file:
            return None
        is_needed = CERTIFICATE not in methods_of(settings)
        return cls(words(settings.client_names), check_scopes(words(settings.client_scopes)), is_needed=is_needed)

    def principal_of(self, certificate: Mapping[str, Any] | None) -> Principal | None:
        """Whom a certificate shows; None where there is none, or none that is taken, or where it only lets in.

        Raises:
            Unauthenticated: there has to be one.
        """
        names = _names(certificate or {})
        taken = [name for name in names if not self._names or name in self._names]
        if certificate and taken and not self._is_needed:
            until = ssl.cert_time_to_seconds(certificate["notAfter"])
            return Principal.of(f"certificate:{_printable(taken[0])}", self._scopes, until)
        if self._is_needed and not taken:
            raise Unauthenticated("this needs a certificate of a name that is taken")
        return None


def _names(certificate: Mapping[str, Any]) -> list[str]:
    """The alternative names, or where there is none the common one: never both (RFC 6125, 6.4.4)."""
    alternative = [name for kind, name in certificate.get("subjectAltName", ()) if kind in ("DNS", "URI", "email")]
    subject = (pair for part in certificate.get("subject", ()) for pair in part)
    return alternative or [name for kind, name in subject if kind == "commonName"]


def _printable(name: str) -> str:
    return "".join(char for char in name if char.isascii() and char.isprintable() and char != " ")[:_MAX_NAME_CHARS]
