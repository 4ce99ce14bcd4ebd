"""The file of a signature: a Sigstore bundle, version 0.3, around an envelope of DSSE.

https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_bundle.proto
https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md

The signature comes first, and only what it covers is read further: whoever reads an envelope gets bytes, no statement.
"""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Final, Literal, NamedTuple

import msgspec

from lading.bundle.signing.strict_json import NotAsExpected, read_strictly

MEDIA_TYPE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
MAX_ENVELOPE_BYTES = 64 << 10
"""A signature of one file has 1.5 kB."""


class Envelope(NamedTuple):
    """A payload, its signature, and the id of the key that is said to have made it."""

    key_id: str
    payload: bytes
    signature: bytes


class _PublicKey(msgspec.Struct, forbid_unknown_fields=True):
    hint: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]


class _Material(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    public_key: _PublicKey
    tlog_entries: Annotated[tuple[str, ...], msgspec.Meta(max_length=0)]


class _Signature(msgspec.Struct, forbid_unknown_fields=True):
    sig: str
    keyid: Literal[""]


class _Dsse(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    payload: str
    payload_type: Literal["application/vnd.in-toto+json"]
    signatures: tuple[_Signature]


class _SigstoreBundle(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    media_type: Literal["application/vnd.dev.sigstore.bundle.v0.3+json"]
    verification_material: _Material
    dsse_envelope: _Dsse


def pae(payload: bytes) -> bytes:
    """The bytes that are signed in place of a payload: its type and the lengths of both go with it (DSSE v1)."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)


def encode_envelope(envelope: Envelope) -> bytes:
    """The bytes of the file."""
    signature = _Signature(_base64(envelope.signature), "")
    return msgspec.json.encode(
        _SigstoreBundle(
            MEDIA_TYPE,
            _Material(_PublicKey(envelope.key_id), ()),
            _Dsse(_base64(envelope.payload), PAYLOAD_TYPE, (signature,)),
        )
    )


def decode_envelope(data: bytes) -> Envelope:
    """The envelope in these bytes; nothing is verified.

    Raises:
        NotAsExpected: they are none with exactly one signature by a key.
    """
    bundle = read_strictly(data, _SigstoreBundle)
    dsse = bundle.dsse_envelope
    key_id = bundle.verification_material.public_key.hint
    return Envelope(key_id, _bytes(dsse.payload), _bytes(dsse.signatures[0].sig))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _bytes(text: str) -> bytes:
    """The bytes in base64, of which one text alone is the right one."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NotAsExpected("it is not base64") from None
    if not data or _base64(data) != text:
        raise NotAsExpected("it is not base64 as it is written")
    return data
