"""The plug-in point of access: a way to find out who asks. Built-ins enter by the same entry points as strangers.

`[project.entry-points."lading.authenticators"]` names, for each word of the setting `auth`, what makes one from the
settings: `make(settings: Settings, shared: bytes) -> Authenticator`, which raises a `LadingError` where the settings do
not do. `shared` are 32 random bytes that all processes of this server have, and nobody else.
"""

from __future__ import annotations

from typing import Protocol

from lading.access.credentials import Credentials
from lading.access.principal import Principal


class Authenticator(Protocol):
    """Finds out who asks, from what they bring. Used from one event loop.

    Attributes:
        challenge: what a caller without good credentials is told in `WWW-Authenticate`.
        is_guessable: people have chosen the secrets, or finding out is dear: so nothing is said to an address that has
            guessed too often, not even of what is known.
    """

    challenge: str
    is_guessable: bool

    def takes(self, credentials: Credentials) -> bool:
        """Whether these look like its own; nobody else is asked about them then."""

    def known(self, credentials: Credentials) -> Principal | None:
        """Who it is, where that can be said at once (100 µs at most); None where it has to be found out, or is bad."""

    async def authenticate(self, credentials: Credentials) -> Principal:
        """Who it is; may take its time, elsewhere than in the event loop.

        Raises:
            Unauthenticated: they are not good; never says why.
            Refused: it cannot be found out now.
        """

    def refresh(self) -> bool:
        """Look whether what it stands on has changed, about once a second; True where anybody may have lost a right."""
