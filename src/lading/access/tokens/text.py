"""The text of a token: `lt_<what it says>.<HMAC-SHA256 of that>`, which nobody needs to keep."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import shlex
from pathlib import Path

import msgspec

from lading.access.secret_file import read_secret_file
from lading.errors import NotForProduction, SettingsError
from lading.settings import Settings

PREFIX = "lt_"
_MIN_SECRET_BYTES = 32
_LABEL = b"lading access tokens 1"
"""What else is made from the same secret has another label, and so another key (as in RFC 5869, 2.3)."""


class Claims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a token says.

    Attributes:
        key: id of the key that it was issued to.
        scopes: what it is for, where the key still is.
        iat: when it was issued, in seconds since 1970.
        exp: when it ends.
    """

    key: str
    scopes: tuple[str, ...]
    iat: int
    exp: int


class Mint:
    """Makes tokens, and tells its own from others.

    Args:
        secret: of which the key is made that signs them.
    """

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, _LABEL, hashlib.sha256)

    def __repr__(self) -> str:
        return "Mint(…)"

    @classmethod
    def of(cls, settings: Settings, shared: bytes) -> Mint:
        """The one that the settings name: with the secret of a file, or with one of this server alone.

        Raises:
            NotForProduction: in production, the file cannot be read, is open to others, or holds too little.
            SettingsError: elsewhere, the file cannot be read, or holds too little.
        """
        if not settings.token_secret_file:
            return cls(shared)
        path = Path(settings.token_secret_file)
        refusal = NotForProduction if settings.production else SettingsError
        hint = f"(umask 077; openssl rand -hex 32 > {shlex.quote(str(path))})"
        if not os.path.lexists(path):
            raise refusal(f"there is no secret of tokens: no file {path}", hint=hint)
        secret = read_secret_file(path, strict=settings.production).strip()
        if len(secret) < _MIN_SECRET_BYTES:
            raise refusal(f"{path}: expected {_MIN_SECRET_BYTES} bytes or more, got {len(secret)}", hint=hint)
        return cls(secret)

    def text_of(self, claims: Claims) -> str:
        """The token that says this."""
        body = PREFIX + _encode(msgspec.json.encode(claims))
        return f"{body}.{self._signature(body)}"

    def claims_of(self, text: str) -> Claims | None:
        """What a token says; None of any text that it did not make."""
        body, _, signature = text.rpartition(".")
        # Compared before anything of it is read, and as texts, so that no token can be written in two ways.
        if not text.isascii() or not hmac.compare_digest(signature, self._signature(body)):
            return None
        try:
            return msgspec.json.decode(_decode(body.removeprefix(PREFIX)), type=Claims)
        except (binascii.Error, msgspec.DecodeError):  # the secret is used elsewhere, too
            return None

    def _signature(self, body: str) -> str:
        return _encode(hmac.digest(self._key, body.encode(), hashlib.sha256))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
