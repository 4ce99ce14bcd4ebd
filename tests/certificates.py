"""Certificates for tests: an authority, whom it certifies, and whom it has revoked."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID as Usage

DAY = timedelta(days=1)
CLIENT, SERVER = Usage.CLIENT_AUTH, Usage.SERVER_AUTH


class Pair(NamedTuple):
    """Files of a certificate and of its key."""

    certificate: Path
    key: Path
    serial: int


class Authority:
    """Certifies in a folder, where its own certificate is `ca.pem`."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._name = _named(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        ca = x509.BasicConstraints(ca=True, path_length=None)
        made = _builder(self._name, self._name, self._key, DAY).add_extension(ca, critical=True)
        made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
        self.path = folder / "ca.pem"
        self.path.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def certify(
        self,
        stem: str,
        *names: str,
        usage: x509.ObjectIdentifier | None = CLIENT,
        lasts: timedelta = DAY,
        common: str = "",
    ) -> Pair:
        """The files of a new certificate.

        Args:
            stem: of their names.
            names: alternative ones, or addresses, of the subject.
            usage: what it is for; None where it does not say.
            lasts: until when, from now on.
            common: the common name of the subject.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        made = _builder(_named(common or stem), self._name, key, lasts)
        if names:
            made = made.add_extension(x509.SubjectAlternativeName([_alternative(each) for each in names]), False)
        if usage is not None:
            made = made.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        signed = made.add_extension(issuer, critical=False).sign(self._key, hashes.SHA256())
        pair = Pair(self.folder / f"{stem}.pem", self.folder / f"{stem}.key", signed.serial_number)
        pair.certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        pair.key.touch(0o600)
        pair.key.write_bytes(_pem(key))
        return pair

    def revoke(self, *pairs: Pair) -> Path:
        """The file of a list of those that are revoked."""
        now = datetime.now(UTC)
        made = x509.CertificateRevocationListBuilder().issuer_name(self._name)
        made = made.last_update(now - DAY).next_update(now + DAY)
        for pair in pairs:
            revoked = x509.RevokedCertificateBuilder().serial_number(pair.serial).revocation_date(now - DAY)
            made = made.add_revoked_certificate(revoked.build())
        path = self.folder / "crl.pem"
        path.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return path

    def context(self, pair: Pair | None = None) -> ssl.SSLContext:
        """What a client connects with that trusts this authority, and shows this certificate."""
        context = ssl.create_default_context(cafile=str(self.path))
        if pair is not None:
            context.load_cert_chain(pair.certificate, pair.key)
        return context


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.UniformResourceIdentifier(name) if ":" in name else x509.DNSName(name)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, lasts: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    named = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    return named.serial_number(x509.random_serial_number()).not_valid_before(now - 9 * DAY).not_valid_after(now + lasts)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
