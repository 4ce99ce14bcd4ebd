"""Keys: pairs on the curve P-256 (ECDSA, FIPS 186-5), as PEM files, and the id by which a public one is known."""

from __future__ import annotations

import hashlib
import os
import shlex
import stat
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lading.bundle.names import shown
from lading.errors import UsageError
from lading.settings import config_folder

MAX_KEY_BYTES = 16 << 10
_SHOWN_CHARS = 12
_PUBLIC, _PRIVATE = b"-----BEGIN PUBLIC KEY-----", b"PRIVATE KEY-----"
_ALGORITHM = ec.ECDSA(hashes.SHA256())

Ask = Callable[[], str]
"""Asks a person for the passphrase of a key."""


def short(key_id: str) -> str:
    """A key's id as it is shown to people."""
    return f"{key_id[:_SHOWN_CHARS]}…"


def key_file() -> Path:
    """Where this user's private key is, unless another one is named."""
    return config_folder() / "signing.key"


def public_file(private: Path) -> Path:
    """Where the public half of a private key is: beside it."""
    return private.with_suffix(".pub")


class PublicKey:
    """What signatures are verified with.

    Attributes:
        pem: the key, as `cryptography` writes it.
        key_id: sha256 of that in hexadecimal: the hint in signatures of OpenSSF Model Signing.
    """

    def __init__(self, key: ec.EllipticCurvePublicKey) -> None:
        self._key = key
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        pem = key.public_bytes(serialization.Encoding.PEM, form)
        self.pem = pem.decode("ascii")
        self.key_id = hashlib.sha256(pem).hexdigest()

    @classmethod
    def of_pem(cls, pem: bytes) -> PublicKey:
        """The key in a text of PEM.

        Raises:
            UsageError: it is no public key on P-256.
        """
        try:
            key = serialization.load_pem_public_key(pem)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise UsageError("that is no public key in PEM", hint="lading keygen makes one") from None
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise UsageError("the key is not one of ECDSA on the curve P-256", hint="lading keygen makes one")
        return cls(key)

    @classmethod
    def read(cls, path: Path) -> PublicKey:
        """The key in a file; `UsageError` when there is none."""
        pem = _read(path, is_private=False)
        if _PRIVATE in pem:
            message = f"{shown(str(path))} is the private key of a pair; the public one is trusted"
            raise UsageError(message, hint=f"lading trust add {shlex.quote(str(public_file(path)))}")
        return cls.of_pem(pem)

    def has_signed(self, data: bytes, signature: bytes) -> bool:
        """Whether the signature is of this key, over exactly these bytes."""
        try:
            self._key.verify(signature, data, _ALGORITHM)
        except InvalidSignature:
            return False
        return True


class PrivateKey:
    """What signatures are made with; `public` is its other half."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        self.public = PublicKey(key.public_key())

    @classmethod
    def generate(cls) -> PrivateKey:
        """A new one."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def read(cls, path: Path, ask: Ask | None = None) -> PrivateKey:
        """The key in a file that nobody else may read.

        Args:
            path: of a PEM file.
            ask: for the passphrase, where it has one.

        Raises:
            UsageError: it is no private key on P-256, others may read it, or it cannot be decrypted.
        """
        pem = _read(path, is_private=True)
        key = _load(path, pem, ask)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise UsageError("the key is not one of ECDSA on the curve P-256", hint="lading keygen makes one")
        return cls(key)

    def sign(self, data: bytes) -> bytes:
        """The signature of these bytes, in DER."""
        return self._key.sign(data, _ALGORITHM)

    def write(self, path: Path, passphrase: str = "") -> None:
        """Write the key, which nobody else may read; encrypted, where there is a passphrase.

        Raises:
            UsageError: there is a file already, which is never overwritten, or it cannot be written.
        """
        how: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if passphrase:
            how = serialization.BestAvailableEncryption(passphrase.encode())
        pem = self._key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)
        _write_new(path, pem, 0o600)

    def write_public(self, path: Path) -> None:
        """Write its other half; `UsageError` as `write`."""
        _write_new(path, self.public.pem.encode("ascii"), 0o644)


def _load(path: Path, pem: bytes, ask: Ask | None) -> object:
    try:
        return serialization.load_pem_private_key(pem, None)
    except TypeError:  # it is encrypted
        if ask is None:
            raise UsageError(f"{shown(str(path))} has a passphrase", hint="sign at a terminal, which asks it") from None
    except (ValueError, UnsupportedAlgorithm):
        raise UsageError(f"{shown(str(path))} is no private key in PEM", hint="lading keygen makes one") from None
    try:
        return serialization.load_pem_private_key(pem, ask().encode())
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise UsageError(f"{shown(str(path))} has another passphrase") from None


def _read(path: Path, *, is_private: bool) -> bytes:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(MAX_KEY_BYTES + 1) if stat.S_ISREG(mode) else b""
    except FileNotFoundError:
        hint = "lading keygen" if is_private else "lading keygen writes one beside the private key"
        raise UsageError(f"there is no key {shown(str(path))}", hint=hint) from None
    except OSError as error:
        raise UsageError(f"cannot read {shown(str(path))}: {error.strerror or error}") from None
    if len(data) > MAX_KEY_BYTES:
        raise UsageError(f"{shown(str(path))} is too large for a key")
    if is_private:
        _refuse_public(path, data)
        if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise UsageError(f"others may read {shown(str(path))}", hint=f"chmod 600 {path}")
    return data


def _refuse_public(path: Path, data: bytes) -> None:
    """Nothing for a key that may be private; before its mode is looked at, which is no fault of a public one's."""
    if _PUBLIC in data:
        message = f"{shown(str(path))} is the public key of a pair; the private one signs"
        hint = f"lading sign BUNDLE --key {shlex.quote(str(path.with_suffix('.key')))}"
        raise UsageError(message, hint=hint)


def _write_new(path: Path, data: bytes, mode: int) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), mode)
    except FileExistsError:
        message = f"{shown(str(path))} is there already, and a key is never overwritten"
        raise UsageError(message, hint="write to another file: lading keygen -o FILE") from None
    except OSError as error:
        raise UsageError(f"cannot write {shown(str(path))}: {error.strerror or error}") from None
    with os.fdopen(number, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(number)
