"""The signature beside a bundle: `iris-1.0.0.lading.sig`."""

from __future__ import annotations

import os
from pathlib import Path

from lading.bundle.names import AGAIN_SIGNED, shown
from lading.bundle.regular_file import RegularFile, replace_file
from lading.bundle.signing.envelope import MAX_ENVELOPE_BYTES, Envelope, decode_envelope, encode_envelope, pae
from lading.bundle.signing.keys import PrivateKey, PublicKey
from lading.bundle.signing.statement import MAX_NAME_CHARS, digest_in, encode_statement
from lading.bundle.signing.strict_json import NotAsExpected
from lading.errors import BundleError, Untrusted, UsageError

SUFFIX = ".sig"
_CODE = "bundle.signature"


def signature_path(bundle: Path) -> Path:
    """Where the signature of a bundle is."""
    return bundle.with_name(bundle.name + SUFFIX)


def write_signature(bundle: Path, digest: str, key: PrivateKey) -> Path:
    """The path of the signature that now stands beside a bundle.

    Args:
        bundle: its path, whose last part is named in the signature.
        digest: sha256 of the bundle's bytes, in hexadecimal.
        key: of whoever answers for it.

    Raises:
        UsageError: nothing can be written there, or the name of the bundle is no text.
    """
    if not bundle.name.isprintable() or len(bundle.name) > MAX_NAME_CHARS:
        raise UsageError(f"{shown(bundle.name)} is no name for a bundle", hint="rename it")
    payload = encode_statement(bundle.name, digest)
    envelope = Envelope(key.public.key_id, payload, key.sign(pae(payload)))
    path = signature_path(bundle)
    try:
        replace_file(path, [encode_envelope(envelope)])
    except OSError as error:
        raise UsageError(f"cannot write {shown(str(path))}: {error.strerror or error}") from error
    return path


def read_signature(bundle: Path) -> Envelope:
    """What stands beside a bundle; nothing of it is verified.

    Raises:
        Untrusted: there is no signature, or none that could be one.
    """
    path = signature_path(bundle)
    if not os.path.lexists(path):
        message = f"{shown(str(bundle))} is unsigned: there is no {shown(path.name)} beside it"
        raise Untrusted(message, hint="where its key is: lading sign BUNDLE", code="bundle.unsigned")
    try:
        return decode_envelope(_read(path))
    except NotAsExpected as reason:
        raise _broken(path, str(reason)) from None


def signed_digest(bundle: Path, envelope: Envelope, key: PublicKey) -> str:
    """The sha256, in hexadecimal, that the bundle had when this key signed it.

    Raises:
        Untrusted: the key did not sign it, or signed something else than one file.
    """
    path = signature_path(bundle)
    if not key.has_signed(pae(envelope.payload), envelope.signature):
        raise _broken(path, "it is not of the key that it names")
    try:
        return digest_in(envelope.payload)
    except NotAsExpected as reason:
        raise _broken(path, str(reason)) from None


def _read(path: Path) -> bytes:
    try:
        file = RegularFile.open(path)
        try:
            if file.size > MAX_ENVELOPE_BYTES:
                raise _broken(path, f"it has more than {MAX_ENVELOPE_BYTES} bytes")
            return file.read(0, file.size)
        finally:
            file.close()
    except Untrusted:
        raise
    except BundleError as error:
        raise Untrusted(error.message, hint=AGAIN_SIGNED, code=_CODE) from error


def _broken(path: Path, why: str) -> Untrusted:
    return Untrusted(f"the signature {shown(path.name)} is not good: {why}", hint=AGAIN_SIGNED, code=_CODE)
