"""Passwords: which may be one, and their hashes by argon2id (RFC 9106)."""

from __future__ import annotations

import base64
import unicodedata

from lading.errors import LadingError, Refused, UsageError

MIN_CHARS = 12
MAX_BYTES = 256
HASH = r"\A\$argon2id\$v=19\$m=[0-9]{1,8},t=[0-9]{1,4},p=[0-9]{1,3}\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{22,86}\Z"
"""What a hash looks like: https://github.com/P-H-C/phc-string-format."""
_NOBODYS = "".join(f"${base64.b64encode(bytes(count)).decode().rstrip('=')}" for count in (16, 32))
"""A salt and a hash that no password has."""


def prepared(text: str) -> bytes | None:
    """The bytes of a password that are hashed; None where it is too long, or has what nobody types.

    However a keyboard composes its letters, it is the same password (NFC, RFC 7617, 2.1).
    """
    try:
        data = text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return None
    if len(data) > MAX_BYTES or any(unicodedata.category(letter) == "Cc" for letter in text):
        return None
    return unicodedata.normalize("NFC", text).encode()


def hash_password(text: str) -> str:
    """The hash of a new password, by the current default parameters of argon2-cffi.

    Raises:
        UsageError: it is too short, too long, or has control characters.
        LadingError: there is not enough memory.
    """
    from argon2 import PasswordHasher
    from argon2.exceptions import HashingError

    data = prepared(text)
    if data is None:
        raise UsageError(f"a password has {MAX_BYTES} bytes at most, and no control characters")
    if len(data.decode()) < MIN_CHARS:
        raise UsageError(f"a password has {MIN_CHARS} characters or more")
    try:
        return PasswordHasher().hash(data)
    except HashingError:
        raise LadingError("the password cannot be hashed: there is not enough memory") from None


def is_password_of(hashed: str, data: bytes) -> bool:
    """Whether these are the bytes of the password that has this hash; takes tens of milliseconds, and 64 MiB.

    Raises:
        Refused: there is not enough memory.
    """
    from argon2 import PasswordHasher
    from argon2.exceptions import VerificationError, VerifyMismatchError

    try:
        return PasswordHasher().verify(hashed, data)
    except VerifyMismatchError:
        return False
    except VerificationError:
        raise Refused("passwords cannot be checked now") from None


def stand_in(hashed: str | None) -> str:
    """A hash that no password has, and that takes as long to check as this one, or as a new one."""
    if hashed is not None:
        return hashed.rpartition("$")[0].rpartition("$")[0] + _NOBODYS
    from argon2 import PasswordHasher

    made = PasswordHasher()
    return f"$argon2id$v=19$m={made.memory_cost},t={made.time_cost},p={made.parallelism}{_NOBODYS}"
