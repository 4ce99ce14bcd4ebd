"""Tokens of another issuer, as Keycloak, Auth0 or Entra: signed JWTs (RFC 7519), checked with the issuer's keys."""

from __future__ import annotations

import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lading.access.credentials import Credentials
from lading.access.jwt.claims import principal_of
from lading.access.jwt.fetching import check_url, fetch, is_forbidden
from lading.access.jwt.issuer_keys import IssuerKeys
from lading.access.jwt.json_object import parse_object
from lading.access.jwt.jwks import ALGORITHMS, NO_KEYS, Key
from lading.access.jwt.jws import MAX_CHARACTERS, read_header
from lading.access.principal import Principal
from lading.errors import EnvironmentMismatch, SettingsError, Unauthenticated
from lading.settings import Settings, words

if TYPE_CHECKING:
    from jwt import PyJWS

MAX_REMEMBERED = 4096
OURS = ("lk_", "lt_")
"""How keys and tokens of this server itself begin."""
ISSUER_SCHEMES = frozenset({"", "https", "http", "urn"})

logger = logging.getLogger(__name__)


class JwtAuthenticator:
    """Takes the access tokens that one issuer has signed for one audience; keeps the protocol `Authenticator`.

    Args:
        issuer: the claim `iss`, exactly.
        audience: one of the claim `aud`.
        algorithms: how tokens may be signed.
        keys: of the issuer.
        clock: seconds since 1970.
    """

    challenge = 'Bearer realm="lading"'
    is_guessable = False

    def __init__(
        self,
        issuer: str,
        audience: str,
        algorithms: frozenset[str],
        keys: IssuerKeys,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._algorithms = algorithms
        self._keys = keys
        self._clock = clock
        self._trusted = NO_KEYS
        self._has_lost = False
        self._verified: OrderedDict[bytes, Principal] = OrderedDict()

    def takes(self, credentials: Credentials) -> bool:
        """Whether they look like a signed token, and not like what this server has made."""
        scheme, secret = credentials
        is_short = len(secret) <= MAX_CHARACTERS
        return scheme == "bearer" and is_short and secret.count(".") == 2 and not secret.startswith(OURS)

    def known(self, credentials: Credentials) -> Principal | None:
        """Who it is, where this very token was verified before with keys that are still there."""
        self._adopt()
        digest = _digest(credentials)
        principal = self._verified.get(digest)
        if principal is None or self._clock() >= principal.until:
            return None
        self._verified.move_to_end(digest)
        return principal

    async def authenticate(self, credentials: Credentials) -> Principal:
        """Who it is; waits for the issuer only where its keys, or this one of them, are not known yet.

        Raises:
            Unauthenticated: no access token, or not a good one.
            Refused: the issuer's keys cannot be had.
        """
        try:
            header = read_header(credentials.secret, self._algorithms)
            key = await self._keys.find(header.key_id, header.algorithm)
            if key is None:
                raise ValueError("no such key")
            claims = parse_object(_verified(credentials.secret, header.algorithm, key))
            principal = principal_of(claims, self._issuer, self._audience, self._clock())
        except ValueError:
            raise Unauthenticated("the credentials are not good") from None
        self._remember(credentials, principal, key)
        return principal

    def refresh(self) -> bool:
        """Fetch the issuer's keys in the background, where it is time to; True where one of them is gone."""
        self._keys.refresh()
        self._adopt()
        has_lost, self._has_lost = self._has_lost, False
        return has_lost

    def _adopt(self) -> None:
        """Forget who was verified with other keys than those of now."""
        keys = self._keys.current()
        if keys is self._trusted:
            return
        if not keys:
            logger.warning("the issuer has been silent for too long: its keys are not taken any more")
        self._has_lost |= not self._trusted <= keys
        self._trusted = keys
        self._verified.clear()

    def _remember(self, credentials: Credentials, principal: Principal, key: Key) -> None:
        self._adopt()
        if key not in self._trusted:  # fetched anew, at this very moment
            return
        self._verified[_digest(credentials)] = principal
        if len(self._verified) > MAX_REMEMBERED:
            self._verified.popitem(last=False)


def _digest(credentials: Credentials) -> bytes:
    return hashlib.sha256(credentials.secret.encode(errors="surrogatepass")).digest()


def _verified(token: str, algorithm: str, key: Key) -> bytes:
    """The payload of a token, once its signature is good.

    Raises:
        ValueError: it is not.
    """
    from jwt import PyJWTError

    try:
        payload: bytes = _verifier(algorithm).decode(token, key.public, [algorithm])
    except PyJWTError:
        raise ValueError("not signed with this key") from None
    return payload


@cache
def _verifier(algorithm: str) -> PyJWS:
    """What knows this algorithm, and no other."""
    from jwt import PyJWS

    return PyJWS([algorithm])


def make(settings: Settings, shared: bytes) -> JwtAuthenticator:
    """The authenticator of these settings; asks the issuer for nothing yet.

    Raises:
        SettingsError: one is missing, or would let others in than the issuer's.
        EnvironmentMismatch: PyJWT is not installed.
    """
    _check_library()
    _check_issuer(settings)
    check_url("jwks_url", settings.jwks_url)
    if settings.jwks_max_stale_s < settings.jwks_refresh_s:
        hint = "let `jwks_max_stale_s` be several times `jwks_refresh_s`"
        raise SettingsError("`jwks_max_stale_s`: keys would be too old before they are fetched again", hint=hint)
    algorithms = _algorithms(settings.jwt_algorithms)
    keys = IssuerKeys(
        partial(fetch, settings.jwks_url),
        algorithms,
        refresh_s=settings.jwks_refresh_s,
        max_stale_s=settings.jwks_max_stale_s,
    )
    return JwtAuthenticator(settings.jwt_issuer, settings.jwt_audience, algorithms, keys)


def _check_library() -> None:
    try:
        import jwt  # noqa: F401
    except ImportError:
        message = "--auth jwt needs PyJWT, which is not installed"
        raise EnvironmentMismatch(message, hint='pip install "lading[jwt]"') from None


def _check_issuer(settings: Settings) -> None:
    for name, example in (
        ("jwt_issuer", "https://login.example.com/realms/main"),
        ("jwt_audience", "lading"),
        ("jwks_url", "https://login.example.com/realms/main/protocol/openid-connect/certs"),
    ):
        value = getattr(settings, name)
        if not value.strip():
            hint = f"--{name.replace('_', '-')} {example}"
            raise SettingsError(f"--auth jwt needs `{name}`", hint=hint)
    try:
        parts = urlsplit(settings.jwt_issuer)
        is_wrong = parts.scheme not in ISSUER_SCHEMES or is_forbidden(parts.hostname or "")
    except ValueError:
        is_wrong = True
    if is_wrong:
        raise SettingsError(
            "`jwt_issuer`: expected an issuer", hint="the claim `iss` of its tokens, as an https address"
        )


def _algorithms(text: str) -> frozenset[str]:
    algorithms = frozenset(words(text))
    if any(each.upper().startswith("HS") for each in algorithms):
        hint = "say only algorithms with a public key, as RS256,ES256"
        raise SettingsError("`jwt_algorithms`: with a shared secret, who verifies could sign", hint=hint)
    if not algorithms or not algorithms <= ALGORITHMS:
        raise SettingsError("`jwt_algorithms`: expected algorithms", hint=f"there are {', '.join(sorted(ALGORITHMS))}")
    return algorithms
