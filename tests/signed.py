"""Keys, signatures and trust stores for tests; and signatures that are not as they should be."""

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from lading.bundle.signing.entry import Entry, encode_entry
from lading.bundle.signing.envelope import pae
from lading.bundle.signing.keys import PrivateKey
from lading.bundle.signing.signature import signature_path, write_signature
from lading.bundle.signing.statement import encode_statement
from lading.bundle.signing.trust import TrustStore


def sign(path: Path, key: PrivateKey) -> Path:
    """The file, signed as it is; whether it is a bundle is not asked."""
    write_signature(path, hashlib.sha256(path.read_bytes()).hexdigest(), key)
    return path


def trusting(folder: Path, *keys: PrivateKey, **said: Any) -> TrustStore:
    """A store in a folder that trusts these keys."""
    folder.mkdir(parents=True, exist_ok=True)
    for key in keys:
        entry = Entry(key_id=key.public.key_id, public_key=key.public.pem, **said)
        (folder / f"{entry.key_id}.json").write_bytes(encode_entry(entry))
    return TrustStore.read(folder)


def statement_of(path: Path) -> dict[str, Any]:
    """The statement that a file would be signed with."""
    return json.loads(encode_statement(path.name, hashlib.sha256(path.read_bytes()).hexdigest()))


def write_forged(
    path: Path,
    key: Any,
    statement: Any = None,
    *,
    change: Callable[[dict[str, Any]], Any] = lambda envelope: None,
    pae: Callable[[bytes], bytes] = pae,
) -> None:
    """Write a signature of a file as no signer would: of another statement, in another envelope, over other bytes.

    Args:
        path: of the file.
        key: signs; has `sign` and `public.key_id`.
        statement: JSON, or bytes in its place.
        change: of the envelope, as JSON.
        pae: what is signed in place of the payload.
    """
    payload = statement if isinstance(statement, bytes) else json.dumps(statement or statement_of(path)).encode()
    envelope = {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": key.public.key_id}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [{"sig": base64.b64encode(key.sign(pae(payload))).decode(), "keyid": ""}],
        },
    }
    changed = change(envelope)
    signature_path(path).write_bytes(
        changed if isinstance(changed, bytes) else msgspec.json.encode(changed if changed is not None else envelope)
    )
