"""What is known of a bundle once its signature was verified."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Verified(msgspec.Struct, frozen=True):
    """A bundle was signed by a key that is trusted for it.

    Attributes:
        key_id: of the key, 64 hexadecimal digits.
        digest: sha256 of the bundle's bytes, as they were signed and read.
        verified_at: when that was found, UTC.
        code: whether the key is trusted for what is a program too: pickles, Python.
    """

    key_id: str
    digest: str
    verified_at: datetime
    code: bool
