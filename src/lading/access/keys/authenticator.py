"""Callers who bring an API key, in `Authorization: Bearer` or in `X-API-Key`."""

from __future__ import annotations

from lading.access.credentials import Credentials
from lading.access.keys.file import Key
from lading.access.keys.ring import Keyring
from lading.access.keys.text import PREFIX
from lading.access.principal import Principal
from lading.errors import Unauthenticated
from lading.settings import Settings


class Keys:
    """Finds out whose key it is; always at once.

    Args:
        keyring: the keys that are taken.
    """

    challenge = 'Bearer realm="lading"'
    is_guessable = False

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def takes(self, credentials: Credentials) -> bool:
        """Whether it begins as a key does."""
        return credentials.scheme == "bearer" and credentials.secret.startswith(PREFIX)

    def known(self, credentials: Credentials) -> Principal | None:
        """Whose key it is; None where it is nobody's, or is not taken any more."""
        key = self._keyring.of_text(credentials.secret)
        return None if key is None else principal_of(key)

    async def authenticate(self, credentials: Credentials) -> Principal:
        """Whose key it is.

        Raises:
            Unauthenticated: it is nobody's, or is not taken any more.
        """
        principal = self.known(credentials)
        if principal is None:
            raise Unauthenticated("the credentials are not good")
        return principal

    def refresh(self) -> bool:
        """Read the file of keys anew where it has changed."""
        return self._keyring.refresh()


def principal_of(key: Key) -> Principal:
    """Who has this key."""
    return Principal.of(f"key:{key.id}", key.scopes, key.until, key.rate)


def make(settings: Settings, shared: bytes) -> Keys:
    """The authenticator `keys`.

    Raises:
        NotForProduction: in production, the file of keys does not do: it is missing, open to others, or broken.
        SettingsError: elsewhere, it is missing or broken.
    """
    return Keys(Keyring.of(settings))
