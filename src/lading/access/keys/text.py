"""The text of an API key: `lk_<id>_<secret><checksum>`.

The beginning lets scanners find keys that were published. The checksum tells a key from a typo, and from whatever else
begins so, without a lookup; GitHub's tokens are made the same way:
https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib

PREFIX = "lk_"
_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_SECRET_CHARS = 22
"""131 random bits."""
_CHECKSUM_CHARS = 6
"""All that 32 bits take in base 62."""
_TEXT = re.compile(rf"{PREFIX}([0-9a-f]{{8}})_[0-9A-Za-z]{{{_SECRET_CHARS + _CHECKSUM_CHARS}}}", re.ASCII)
_BEGINNING = re.compile(rf"{PREFIX}([0-9a-f]{{8}})(?:_|\Z)", re.ASCII)


def new_id() -> str:
    """A random id: 8 hexadecimal digits."""
    return secrets.token_hex(4)


def new_text(key_id: str) -> str:
    """The text of a new key with this id, out of the system's random bytes."""
    secret = "".join(secrets.choice(_DIGITS) for _ in range(_SECRET_CHARS))
    text = f"{PREFIX}{key_id}_{secret}"
    return text + _checksum(text)


def id_of(text: str) -> str | None:
    """The id in a text that is the text of a key; None of any other, and where a character is mistyped."""
    match = _TEXT.fullmatch(text)
    if match is None or _checksum(text[:-_CHECKSUM_CHARS]) != text[-_CHECKSUM_CHARS:]:
        return None
    return match[1]


def id_within(text: str) -> str | None:
    """The id in what begins as the text of a key, of which the rest may be missing or wrong; None of any other."""
    match = _BEGINNING.match(text)
    return match[1] if match else None


def digest_of(text: str) -> str:
    """What is kept of a key: SHA-256, in hexadecimal digits. Of 131 random bits nobody finds it backwards."""
    return hashlib.sha256(text.encode()).hexdigest()


def _checksum(text: str) -> str:
    """CRC-32 in base 62, most significant digit first."""
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(_CHECKSUM_CHARS):
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits
