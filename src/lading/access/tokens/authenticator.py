"""Callers who bring a token that they got for their key, at /oauth/token."""

from __future__ import annotations

from collections.abc import Sequence

from lading.access.credentials import Credentials
from lading.access.keys.authenticator import principal_of
from lading.access.keys.ring import Keyring
from lading.access.principal import Principal
from lading.access.scopes import narrowed
from lading.access.tokens.grant import Token, grant
from lading.access.tokens.text import PREFIX, Mint
from lading.errors import Unauthenticated
from lading.settings import Settings


class Tokens:
    """Issues tokens, and finds out whose they are; always at once.

    Args:
        keyring: the keys that get tokens. A token dies with its key.
        mint: what makes them.
        lifetime_s: how long they last.
    """

    challenge = 'Bearer realm="lading"'
    is_guessable = False

    def __init__(self, keyring: Keyring, mint: Mint, lifetime_s: float) -> None:
        self._keyring = keyring
        self._mint = mint
        self._lifetime_s = lifetime_s

    def takes(self, credentials: Credentials) -> bool:
        """Whether it begins as a token does."""
        return credentials.scheme == "bearer" and credentials.secret.startswith(PREFIX)

    def known(self, credentials: Credentials) -> Principal | None:
        """Whose token it is; None where it was not issued here, has ended, or its key has."""
        claims = self._mint.claims_of(credentials.secret)
        if claims is None or not self._keyring.clock() < claims.exp:
            return None
        key = self._keyring.of_id(claims.key)
        if key is None:
            return None
        whose = principal_of(key)
        scopes = narrowed(claims.scopes, key.scopes)
        return Principal(whose.name, scopes, min(whose.until, claims.exp), whose.rate)

    async def authenticate(self, credentials: Credentials) -> Principal:
        """Whose token it is.

        Raises:
            Unauthenticated: it was not issued here, has ended, or its key has.
        """
        principal = self.known(credentials)
        if principal is None:
            raise Unauthenticated("the credentials are not good")
        return principal

    def refresh(self) -> bool:
        """Read the file of keys anew where it has changed."""
        return self._keyring.refresh()

    def grant(self, credentials: Credentials | None, form: Sequence[tuple[str, str]]) -> Token:
        """A token for a key, as /oauth/token gives it (RFC 6749, 4.4).

        Args:
            credentials: of the request: HTTP Basic with the id of the key and its text.
            form: names and values of the body, decoded, each as often as it was sent.

        Raises:
            GrantError: there is none.
        """
        return grant(self._keyring, self._mint, self._lifetime_s, credentials, form)


def make(settings: Settings, shared: bytes) -> Tokens:
    """The authenticator `tokens`.

    Raises:
        NotForProduction: in production, the file of keys or that of the secret does not do: it is missing, open to
            others, broken, or holds too little.
        SettingsError: elsewhere, it is missing, broken, or holds too little.
    """
    return Tokens(Keyring.of(settings), Mint.of(settings, shared), settings.token_s)
