"""What a request brings to show who sent it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from lading.errors import Unauthenticated

MAX_BYTES = 8 << 10
KEY_FIELD = b"x-api-key"
_FIELDS = frozenset({b"authorization", KEY_FIELD})


class Credentials(NamedTuple):
    """A secret that somebody has sent, and how.

    Attributes:
        scheme: in lower case: `bearer`, `basic`; `bearer` too for a key in `X-API-Key`.
        secret: what follows it, as it was sent.
    """

    scheme: str
    secret: str

    def __repr__(self) -> str:
        return f"Credentials({self.scheme!r}, …)"


def has_credentials(fields: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether there are credentials among these fields, good or not."""
    return any(name in _FIELDS for name, _ in fields)


def credentials_of(fields: Iterable[tuple[bytes, bytes]]) -> Credentials | None:
    """The credentials among the fields of a request, whose names are in lower case; None where there are none.

    Raises:
        Unauthenticated: there are two of them, or they are no credentials (RFC 9110, 11.4).
    """
    found = [(name, value) for name, value in fields if name in _FIELDS]
    if not found:
        return None
    name, value = found[0]
    if len(found) > 1 or len(value) > MAX_BYTES or not value.isascii():
        raise Unauthenticated("the credentials are not good")
    if name == KEY_FIELD:
        return Credentials("bearer", value.decode())
    scheme, _, secret = value.decode().partition(" ")
    secret = secret.strip(" ")
    if not secret or not secret.isprintable() or " " in secret:
        raise Unauthenticated("the credentials are not good")
    return Credentials(scheme.lower(), secret)


CURL = {
    "keys": '-H "Authorization: Bearer $KEY"',
    "basic": "-u NAME",
    "jwt": '-H "Authorization: Bearer $TOKEN"',
    "tokens": '-H "Authorization: Bearer $TOKEN"',
    "certificate": "--cert CERTIFICATE --key KEY",
}
"""What curl is told to show who asks, by the words of the setting `auth`; of several ways the first one here."""


def curl_options(methods: Sequence[str]) -> str:
    """What curl is told to show who asks; nothing where nobody is asked."""
    return next((words for method, words in CURL.items() if method in methods), "")
