"""Tokens for keys: the grant of client credentials (RFC 6749, 4.4), without a transport.

The client shows who it is by HTTP Basic alone (`client_secret_basic`): its id is the id of a key, its secret the text
of that key. A secret in the body is never taken: beside HTTP Basic it is a second way of showing oneself
(`invalid_request`), without it an unsupported one (`invalid_client`), both as 5.2 has it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal
from urllib.parse import unquote_plus

import msgspec

from lading.access.credentials import Credentials
from lading.access.keys.file import Key
from lading.access.keys.ring import Keyring
from lading.access.passwords.login import pair_of
from lading.access.scopes import check_scopes, covers
from lading.access.tables import MAX_SCOPES
from lading.access.tokens.text import Claims, Mint
from lading.errors import LadingError, UsageError

GrantErrorName = Literal[
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
]
_GRANT_TYPE = "client_credentials"
_PARAMETERS = ("grant_type", "scope", "client_id", "client_secret", "client_assertion", "client_assertion_type")
_ESCAPED = re.compile(r"(?:[^%]|%[0-9A-Fa-f]{2})*", re.ASCII)


class GrantError(LadingError):
    """There is no token, and why, in the words of RFC 6749, 5.2.

    Attributes:
        error: the word for it. `invalid_client` is 401 with a challenge in HTTP, any other 400.
        description: the same for people; ASCII without quotes and backslashes, and nothing that was sent.
    """

    def __init__(self, error: GrantErrorName, description: str) -> None:
        super().__init__(description)
        self.error: GrantErrorName = error
        self.description = description


class Token(msgspec.Struct, frozen=True):
    """The answer (RFC 6749, 5.1): encoded to JSON, it is the body."""

    access_token: str
    expires_in: int
    scope: str
    token_type: Literal["Bearer"] = "Bearer"

    def __repr__(self) -> str:
        return f"Token(…, {self.expires_in}, {self.scope!r})"


def grant(
    keyring: Keyring,
    mint: Mint,
    lifetime_s: float,
    credentials: Credentials | None,
    form: Sequence[tuple[str, str]],
) -> Token:
    """A token for the key that the credentials show, with the scopes that the form asks for, or with all of the key's.

    Raises:
        GrantError: there is none.
    """
    parameters = _parameters(form)
    key = _client(keyring, credentials, parameters)
    _check_type(parameters)
    scopes = _scopes(parameters.get("scope"), key)
    now = keyring.clock()
    end = int(min(now + lifetime_s, key.until))
    claims = Claims(key.id, scopes, int(now), end)
    return Token(mint.text_of(claims), max(0, end - int(now)), " ".join(scopes))


def _parameters(form: Sequence[tuple[str, str]]) -> Mapping[str, str]:
    """Those that have a meaning; others are ignored, and so is what is empty (RFC 6749, 3.2)."""
    names = [name for name, _ in form]
    for name in _PARAMETERS:
        if names.count(name) > 1:
            raise GrantError("invalid_request", f"{name} is there more than once")
    return {name: value for name, value in form if name in _PARAMETERS and value}


def _client(keyring: Keyring, credentials: Credentials | None, parameters: Mapping[str, str]) -> Key:
    in_body = [name for name in ("client_secret", "client_assertion", "client_assertion_type") if name in parameters]
    if credentials is None or credentials.scheme != "basic":
        raise GrantError("invalid_client", "the id and the secret of the client are sent by HTTP Basic")
    if in_body:
        raise GrantError("invalid_request", "the client shows who it is in two ways")
    client_id, secret = _decoded(credentials.secret)
    if parameters.get("client_id", client_id) != client_id:
        raise GrantError("invalid_request", "client_id is another one than in HTTP Basic")
    key = keyring.of_text(secret)
    if key is None or key.id != client_id:
        raise GrantError("invalid_client", "the id or the secret of the client is not good")
    return key


def _decoded(secret: str) -> tuple[str, str]:
    """The id and the secret, which are encoded as in a form before they go into HTTP Basic (RFC 6749, 2.3.1)."""
    pair = pair_of(secret)
    if pair is None or not all(_ESCAPED.fullmatch(part) for part in pair):
        raise GrantError("invalid_client", "the id or the secret of the client is not good")
    return unquote_plus(pair[0]), unquote_plus(pair[1])


def _check_type(parameters: Mapping[str, str]) -> None:
    grant_type = parameters.get("grant_type")
    if grant_type is None:
        raise GrantError("invalid_request", "grant_type is missing")
    if grant_type != _GRANT_TYPE:
        raise GrantError("unsupported_grant_type", f"grant_type has to be {_GRANT_TYPE}")


def _scopes(text: str | None, key: Key) -> tuple[str, ...]:
    """What is asked for, where the key has it: never more than that, and all of it where nothing is asked for."""
    if text is None:
        return key.scopes
    try:
        scopes = check_scopes(text.split(" "))
    except UsageError:
        raise GrantError("invalid_scope", "one of these is no scope") from None
    if len(scopes) > MAX_SCOPES:
        raise GrantError("invalid_scope", f"there may be {MAX_SCOPES} scopes at most")
    if not all(covers(key.scopes, scope) for scope in scopes):
        raise GrantError("invalid_scope", "the key does not have one of these scopes")
    return scopes
