"""TLS: the context that new connections get, and certificates that are replaced while it serves."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

from lading.access.making import CERTIFICATE, methods_of
from lading.access.secret_file import read_secret_file
from lading.access.watched import Stamp, stamp_of
from lading.errors import LadingError, SettingsError, name_of
from lading.settings import Settings, words

logger = logging.getLogger(__name__)


class Tls:
    """A context, and the files that it is made of.

    Attributes:
        context: for the next connection; another one when the files have changed.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stamp = self._stamps()
        self.context = _context(settings)
        self._failure = ""

    @classmethod
    def of(cls, settings: Settings) -> Tls | None:
        """What the settings say; None where they say nothing of TLS.

        Raises:
            SettingsError: a file is missing, or is not what it should be.
            NotForProduction: others may read the private key.
        """
        certificate, key = settings.tls_certificate_file, settings.tls_key_file
        if not certificate and not key:
            if settings.client_ca_file:
                raise SettingsError("--client-ca-file needs TLS", hint="--tls-certificate-file and --tls-key-file")
            return None
        if not certificate or not key:
            missing = "--tls-certificate-file" if key else "--tls-key-file"
            raise SettingsError("TLS needs a certificate and its private key", hint=missing)
        read_secret_file(Path(key), strict=settings.production)
        try:
            return cls(settings)
        except (OSError, ssl.SSLError) as error:
            reason = getattr(error, "reason", None) or error.strerror  # a passphrase that is asked for gives no reason
            files = [certificate, key, settings.client_ca_file, settings.client_crl_file]
            hint = f"look at {', '.join(filter(None, files))}"
            raise SettingsError(f"TLS cannot begin: {reason or 'a file is not what it should be'}", hint=hint) from None

    def refresh(self) -> None:
        """Read the files anew where they have changed, until that succeeds; connections that begin now get them."""
        stamp = self._stamps()
        if stamp == self._stamp:
            return
        try:
            read_secret_file(Path(self._settings.tls_key_file), strict=self._settings.production)
            self.context = _context(self._settings)
        except (LadingError, OSError, ssl.SSLError) as error:
            if name_of(error) != self._failure:
                logger.error("the new certificate cannot be used; the one before goes on")
            self._failure = name_of(error)
        else:
            logger.info("a new certificate is used")
            self._stamp, self._failure = stamp, ""

    def _stamps(self) -> list[Stamp]:
        said = self._settings
        files = (said.tls_certificate_file, said.tls_key_file, said.client_ca_file, said.client_crl_file)
        return [stamp_of(Path(file)) for file in files if file]


def _context(settings: Settings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(settings.tls_certificate_file, settings.tls_key_file, _no_passphrase)
    if settings.client_ca_file:
        # Where keys are asked for too, a certificate is one of the ways to show who one is.
        is_choice = CERTIFICATE in methods_of(settings) and len(words(settings.auth)) > 1
        context.verify_mode = ssl.CERT_OPTIONAL if is_choice else ssl.CERT_REQUIRED
        context.load_verify_locations(settings.client_ca_file)
    if settings.client_crl_file:
        context.load_verify_locations(settings.client_crl_file)
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    return context


def _no_passphrase() -> bytes:
    """Nothing: a server that starts by itself has nobody to ask."""
    raise ssl.SSLError(0, "the private key has a passphrase")
