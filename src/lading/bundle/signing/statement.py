"""What is signed: an in-toto statement of OpenSSF Model Signing about one file.

https://github.com/in-toto/attestation/tree/main/spec/v1
https://github.com/sigstore/model-transparency/blob/main/docs/model_signing_format.md
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal

import msgspec

from lading.bundle.signing.strict_json import NotAsExpected, read_strictly

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://model_signing/signature/v1.0"
IGNORED_PATHS = (".git", ".gitattributes", ".github", ".gitignore")
"""What the format leaves out of folders; every signature lists it, those of files too."""
MAX_NAME_CHARS = 255

_Sha256 = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]


class _Digest(msgspec.Struct, forbid_unknown_fields=True):
    sha256: _Sha256


class _Subject(msgspec.Struct, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME_CHARS)]
    digest: _Digest


class _Serialization(msgspec.Struct, forbid_unknown_fields=True):
    method: Literal["files"]
    hash_type: Literal["sha256"]
    allow_symlinks: bool
    ignore_paths: tuple[str, ...] = ()


class _Resource(msgspec.Struct, forbid_unknown_fields=True):
    name: Literal["."]
    algorithm: Literal["sha256"]
    digest: _Sha256


class _Predicate(msgspec.Struct, forbid_unknown_fields=True):
    serialization: _Serialization
    resources: tuple[_Resource]


class _Statement(
    msgspec.Struct, forbid_unknown_fields=True, rename={"type": "_type", "predicate_type": "predicateType"}
):
    type: Literal["https://in-toto.io/Statement/v1"]
    subject: tuple[_Subject]
    predicate_type: Literal["https://model_signing/signature/v1.0"]
    predicate: _Predicate


def encode_statement(name: str, digest: str) -> bytes:
    """The statement that a file has this content.

    Args:
        name: of the file, without its folder; it is for people, and nothing depends on it.
        digest: sha256 of the file's bytes, in hexadecimal.
    """
    serialization = {
        "method": "files",
        "hash_type": "sha256",
        "allow_symlinks": False,
        "ignore_paths": list(IGNORED_PATHS),
    }
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": _root(digest)}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "serialization": serialization,
            "resources": [{"name": ".", "algorithm": "sha256", "digest": digest}],
        },
    }
    return json.dumps(statement, indent=2).encode("ascii")


def digest_in(payload: bytes) -> str:
    """The sha256, in hexadecimal, that the file of a statement has.

    Raises:
        NotAsExpected: it is another kind of statement, or about more than one file.
    """
    statement = read_strictly(payload, _Statement)
    serialization = statement.predicate.serialization
    paths = serialization.ignore_paths
    if serialization.allow_symlinks or len(set(paths)) < len(paths) or not set(paths).issubset(IGNORED_PATHS):
        raise NotAsExpected("it was made with other options than those for one file")
    digest = statement.predicate.resources[0].digest
    if statement.subject[0].digest.sha256 != _root(digest):
        raise NotAsExpected("its two digests do not belong together")
    return digest


def _root(digest: str) -> str:
    """The digest of a model whose only file has this one: sha256 over the digests of all files."""
    return hashlib.sha256(bytes.fromhex(digest)).hexdigest()
