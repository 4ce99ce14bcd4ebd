"""Names with passwords, as HTTP Basic sends them (RFC 7617)."""

from __future__ import annotations

import base64
import binascii
import re
from typing import NamedTuple

from lading.access.passwords.hashing import prepared
from lading.access.tables import NAME


class Login(NamedTuple):
    """What somebody has typed.

    Attributes:
        name: of a user.
        password: the bytes that are hashed.
    """

    name: str
    password: bytes

    def __repr__(self) -> str:
        return f"Login({self.name!r}, …)"


def pair_of(secret: str) -> tuple[str, str] | None:
    """What stands before and behind the colon in the credentials of HTTP Basic; None where they are none."""
    try:
        name, colon, rest = base64.b64decode(secret, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (name, rest) if colon else None


def login_of(secret: str) -> Login | None:
    """The name and the password in the credentials of HTTP Basic; None where nobody can have them."""
    pair = pair_of(secret)
    if pair is None or re.search(NAME, pair[0]) is None:
        return None
    password = prepared(pair[1])
    return None if password is None else Login(pair[0], password)
