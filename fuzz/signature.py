"""Bytes as the signature beside a bundle, as what it signs, or as an entry of the trust store: nothing is trusted.

The first byte says what the rest is. A statement is signed by the trusted key before it is looked at, because nothing
behind a signature would be reached else. What verifies nevertheless names the digest that was signed.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from lading.bundle.signing.entry import decode_entry, encode_entry
from lading.bundle.signing.envelope import Envelope, decode_envelope, encode_envelope, pae
from lading.bundle.signing.keys import PrivateKey
from lading.bundle.signing.signature import signature_path
from lading.bundle.signing.statement import digest_in, encode_statement
from lading.bundle.signing.strict_json import NotAsExpected
from lading.bundle.signing.trust import TrustStore
from lading.errors import Untrusted

_DIGEST = "5a" * 32
_MEMORY = Path("/dev/shm")


def fuzz_one(data: bytes) -> None:
    """Take the bytes as what the first of them says."""
    if data:
        _WAYS[data[0] % len(_WAYS)](bytes(data[1:]))


def seeds() -> list[bytes]:
    """A good signature, a statement, the base64 of a signature, and an entry."""
    payload = encode_statement(_path().name, _DIGEST)
    (entry,) = _store().entries.values()
    return [
        b"\0" + encode_envelope(Envelope(_key().public.key_id, payload, _key().sign(pae(payload)))),
        b"\1" + payload,
        b"\2" + _key().sign(pae(payload)),
        b"\3" + encode_entry(entry),
    ]


def as_signature(data: bytes) -> None:
    """Verify the bytes as a signature: only the statement that the key has signed is believed."""
    signature_path(_path()).write_bytes(data)
    with contextlib.suppress(Untrusted):
        claim = _store().claim(_path())
        assert claim.digest == _DIGEST, "a digest that nobody signed"
        assert claim.entry.key_id == _key().public.key_id
        assert encode_envelope(decode_envelope(data)) != b""


def as_statement(data: bytes) -> None:
    """Verify the bytes as a statement that is well signed."""
    envelope = Envelope(_key().public.key_id, data, _key().sign(pae(data)))
    signature_path(_path()).write_bytes(encode_envelope(envelope))
    with contextlib.suppress(Untrusted):
        claim = _store().claim(_path())
        assert claim.digest == digest_in(data)
        assert claim.digest.encode() in data


def as_bare_signature(data: bytes) -> None:
    """Verify the bytes as the signature of a good statement; another text of the same numbers counts for nothing."""
    payload = encode_statement(_path().name, _DIGEST)
    signature_path(_path()).write_bytes(encode_envelope(Envelope(_key().public.key_id, payload, data)))
    with contextlib.suppress(Untrusted):
        assert _store().claim(_path()).digest == _DIGEST


def as_entry(data: bytes) -> None:
    """Read the bytes as an entry of the trust store, which says the same when it is written again."""
    with contextlib.suppress(NotAsExpected):
        entry = decode_entry(data)
        assert decode_entry(encode_entry(entry)) == entry
        assert entry.words
    path = _path().parent / "other" / "entry.json"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    with contextlib.suppress(Untrusted):
        TrustStore.read(path.parent)


_WAYS: tuple[Callable[[bytes], None], ...] = (as_signature, as_statement, as_bare_signature, as_entry)


@cache
def _key() -> PrivateKey:
    return PrivateKey(
        ec.derive_private_key(1789, ec.SECP256R1())
    )  # the same in each run, so that an input means the same


@cache
def _store() -> TrustStore:
    folder = _path().parent / "trust"
    TrustStore.read(folder).add(_key().public, lambda entry: entry)
    return TrustStore.read(folder)


@cache
def _path() -> Path:
    """A bundle of this process alone, in memory where the system has a folder for that; nobody reads it."""
    folder = tempfile.TemporaryDirectory(dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None)
    atexit.register(folder.cleanup)
    return Path(folder.name) / "fuzzed.lading"
