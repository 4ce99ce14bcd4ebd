"""The outside of a token: three parts in base64url (RFC 7515, 7.1), and a header that hides nothing."""

from __future__ import annotations

import base64
import re
from collections.abc import Set
from typing import NamedTuple

from lading.access.jwt.json_object import parse_object

MAX_CHARACTERS = 8 << 10
MAX_HEADER_CHARACTERS = 2 << 10
MAX_ID_CHARACTERS = 256
TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
"""What an access token may call itself (RFC 9068, 2.1); not an ID token, a logout token or a refresh token."""
REFUSED = frozenset({"crit", "b64", "jku", "jwk", "x5u", "x5c", "cty", "enc", "zip", "epk", "p2c", "p2s"})
"""Parameters that would change what is verified, bring a key along, or belong to encryption."""

_TOKEN = re.compile(r"([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


class Header(NamedTuple):
    """What the header of a token says.

    Attributes:
        algorithm: how it is said to be signed; one of those that are taken.
        key_id: with which key; None where it does not say.
    """

    algorithm: str
    key_id: str | None


def read_header(token: str, algorithms: Set[str]) -> Header:
    """The header of a signed token, of which nothing is verified yet.

    Raises:
        ValueError: it is no token that could be taken; says nothing of what is in it.
    """
    match = _TOKEN.fullmatch(token) if len(token) <= MAX_CHARACTERS else None
    if match is None or len(match[1]) > MAX_HEADER_CHARACTERS:
        raise ValueError("expected three parts in base64url")
    header = parse_object(base64.urlsafe_b64decode(match[1] + "=" * (-len(match[1]) % 4)))
    algorithm, key_id, kind = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
    if not isinstance(algorithm, str) or algorithm not in algorithms:
        raise ValueError("not signed in a way that is taken")
    if not REFUSED.isdisjoint(header) or not isinstance(kind, str) or kind.lower() not in TYPES:
        raise ValueError("no access token")
    if "kid" in header and not (isinstance(key_id, str) and len(key_id) <= MAX_ID_CHARACTERS):
        raise ValueError("no name of a key")
    return Header(algorithm, key_id)
