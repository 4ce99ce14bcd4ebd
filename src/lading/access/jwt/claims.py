"""What the claims of a verified token say of who brings it (RFC 7519, 4; RFC 9068, 2.2)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from lading.access.principal import Principal
from lading.access.scopes import FIXED, PREDICT, check_scopes
from lading.errors import UsageError

LEEWAY_S = 30.0
"""By which an issuer's clock may be ahead of this one."""
TOO_LATE_S = 1 << 53
"""Since 1970: from here on a float does not tell one second from the next."""
MAX_SCOPES = 64
"""Of ours that one token may name."""
REFUSED = frozenset({"nonce", "at_hash", "c_hash", "s_hash", "events", "cnf"})
"""They mark an ID token (OpenID Connect Core, 2 and 3.3.2.11), a logout token, or one that is bound to a key of its
owner's (RFC 7800), which nobody would check here."""
KINDS = {"typ": "bearer", "token_use": "access"}
"""Claims by which an issuer, Keycloak and Cognito, says what kind of token it is, and what it says of access tokens."""

Claims = Mapping[str, Any]

_PLAIN = re.compile(r"[A-Za-z0-9._@:|/+=~-]{1,124}")


def principal_of(claims: Claims, issuer: str, audience: str, now: float) -> Principal:
    """Who brings a token with these claims, whose signature is good.

    Raises:
        ValueError: it is of somebody else, for somebody else, not of this time, or no access token.
    """
    if claims.get("iss") != issuer or audience not in _texts(claims.get("aud")):
        raise ValueError("of another issuer, or for another audience")
    if not REFUSED.isdisjoint(claims):
        raise ValueError("no access token, or a bound one")
    if any(str(claims.get(name, kind)).lower() != kind for name, kind in KINDS.items()):
        raise ValueError("no access token")
    until = _time(claims.get("exp"))
    if now >= until or any(_time(claims.get(name, now)) > now + LEEWAY_S for name in ("nbf", "iat")):
        raise ValueError("not of this time")
    return Principal.of(_name(claims), _scopes(claims), until)


def _texts(value: Any) -> list[str]:
    texts = value if isinstance(value, list) else [value]
    return [text for text in texts if isinstance(text, str)]


def _time(value: Any) -> float:
    # Compared before it becomes a float, which some integers are too large for; NaN is in no range.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < TOO_LATE_S:
        raise ValueError("expected seconds since 1970")
    return float(value)


def _name(claims: Claims) -> str:
    name = next((claims[each] for each in ("sub", "client_id", "azp") if each in claims), None)
    if not isinstance(name, str) or not name:
        raise ValueError("it does not say whose it is")
    if _PLAIN.fullmatch(name):
        return f"jwt:{name}"
    # Not shortened or cleaned: two people would become one.
    return f"jwt:sha256-{hashlib.sha256(name.encode(errors='surrogatepass')).hexdigest()}"


def _scopes(claims: Claims) -> list[str]:
    """The scopes that mean something here; an issuer has others too."""
    said = claims.get("scope", claims.get("scp"))
    if said is None and claims.get("idtyp") == "app":  # Entra's, of an application that acts for itself
        said = claims.get("roles")
    texts = said.split(" ") if isinstance(said, str) else _texts(said)
    ours = [text for text in texts if text in FIXED or text.startswith(PREDICT)]
    return [scope for scope in ours[:MAX_SCOPES] if _is_scope(scope)]


def _is_scope(text: str) -> bool:
    try:
        check_scopes([text])
    except UsageError:
        return False
    return True
