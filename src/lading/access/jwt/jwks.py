"""The keys of an issuer: a JSON Web Key Set (RFC 7517), and the one key that a token may be checked with."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field
from typing import Any

from lading.access.jwt.json_object import parse_object

MAX_KEYS = 64
MAX_ID_CHARACTERS = 256
RSA_BITS = range(2048, 8192 + 1)
"""Shorter ones can be broken (NIST SP 800-131A); longer ones cost too much of the event loop."""
MAX_CHARACTERS = 8 * max(RSA_BITS) // 48 + 2  # of a number in base64url
MAX_EXPONENT_CHARACTERS = 6

FITTING = {
    "RSA": frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}),
    "P-256": frozenset({"ES256"}),
    "P-384": frozenset({"ES384"}),
    "P-521": frozenset({"ES512"}),
    "Ed25519": frozenset({"EdDSA"}),
}
"""What is signed with a key of this kind or curve (RFC 7518, 3.1; RFC 8037, 3.1)."""
ALGORITHMS = frozenset[str]().union(*FITTING.values())
"""All of them have a public key; with a shared secret, who verifies could sign."""


@dataclass(frozen=True)
class Key:
    """A public key.

    Attributes:
        id: what tokens call it; None where it has no name.
        algorithms: what it is for.
        material: its numbers, as they were written; two keys are the same where these are.
        public: the key, as the library takes it.
    """

    id: str | None
    algorithms: frozenset[str]
    material: tuple[str, ...]
    public: Any = field(compare=False, repr=False)


Keys = frozenset[Key]
NO_KEYS: Keys = frozenset()


def find_key(keys: Keys, key_id: str | None, algorithm: str) -> Key | None:
    """The one key that a token may be signed with; None where there is none, or where there are several."""
    fitting = [key for key in keys if algorithm in key.algorithms and key_id in (None, key.id)]
    return fitting[0] if len(fitting) == 1 else None


def keys_of(text: bytes, algorithms: Set[str]) -> Keys:
    """The keys of a key set that are for one of these algorithms.

    What else is in the set is passed over, as it has to be (RFC 7517, 5): other kinds of keys, keys to encrypt with,
    keys that are too short, or whose private half stands there too.

    Raises:
        ValueError: it is no key set, it is too long, or none of its keys can be used.
    """
    entries = parse_object(text).get("keys")
    if not isinstance(entries, list):
        raise ValueError("expected a key set")
    if len(entries) > MAX_KEYS:
        raise ValueError(f"expected at most {MAX_KEYS} keys")
    keys = frozenset(key for entry in entries if (key := _key(entry, algorithms)) is not None)
    if not keys:
        raise ValueError("expected a key for one of the algorithms")
    return keys


def _key(entry: Any, algorithms: Set[str]) -> Key | None:
    kind, numbers = _numbers(entry)
    for_these = _purposes(entry, kind) & algorithms if kind else frozenset[str]()
    if not for_these or not _is_name(entry.get("kid")):
        return None
    public = _loaded(numbers)
    return None if public is None else Key(entry.get("kid"), for_these, tuple(numbers.values()), public)


def _numbers(entry: Any) -> tuple[str, dict[str, str]]:
    """What kind of key it is, empty for one that cannot be used, and nothing but its public numbers."""
    match entry:
        case {"d": _} | {"k": _}:
            return "", {}
        case {"kty": "RSA", "n": str(n), "e": str(e)} if len(n) <= MAX_CHARACTERS and len(e) <= MAX_EXPONENT_CHARACTERS:
            return "RSA", {"kty": "RSA", "n": n, "e": e}
        case {"kty": "EC", "crv": "P-256" | "P-384" | "P-521" as curve, "x": str(x), "y": str(y)}:
            return curve, {"kty": "EC", "crv": curve, "x": x, "y": y}
        case {"kty": "OKP", "crv": "Ed25519", "x": str(x)}:
            return "Ed25519", {"kty": "OKP", "crv": "Ed25519", "x": x}
    return "", {}


def _purposes(entry: dict[str, Any], kind: str) -> frozenset[str]:
    fitting = FITTING[kind]
    operations = entry.get("key_ops", ["verify"])
    if entry.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        return frozenset()
    return frozenset(each for each in fitting if entry.get("alg", each) == each)


def _is_name(key_id: Any) -> bool:
    return key_id is None or (isinstance(key_id, str) and len(key_id) <= MAX_ID_CHARACTERS)


def _loaded(numbers: dict[str, str]) -> Any:
    """The key, as the library takes it; None where these are no numbers of a key."""
    from jwt import PyJWTError
    from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

    load = {"RSA": RSAAlgorithm.from_jwk, "EC": ECAlgorithm.from_jwk, "OKP": OKPAlgorithm.from_jwk}[numbers["kty"]]
    try:
        public: Any = load(dict(numbers))
    except (PyJWTError, ValueError):
        return None
    return public if numbers["kty"] != "RSA" or public.key_size in RSA_BITS else None
