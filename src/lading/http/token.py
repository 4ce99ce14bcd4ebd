"""POST /oauth/token: a token for the id and the secret of a key (RFC 6749, 4.4 and 5)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from lading.access.access import Access
from lading.access.credentials import Credentials, credentials_of
from lading.access.tokens.grant import GrantError, Token
from lading.errors import Unauthenticated
from lading.http.body import read_body

Grant = Callable[[Credentials | None, Sequence[tuple[str, str]]], Token]
"""Gives a token for the credentials of a request and the parameters in its body, or raises `GrantError`."""

_FORM = "application/x-www-form-urlencoded"
_MAX_BYTES = 8 << 10
_MAX_FIELDS = 32
_MAX_S = 10.0
_NOT_KEPT = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_CHALLENGE = 'Basic realm="lading", charset="UTF-8"'


def token_endpoint(
    grant: Grant, access: Access, address_of: Callable[[Scope], str | None]
) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint that gives tokens.

    Args:
        grant: decides.
        access: counts the credentials of an address that are not good.
        address_of: says which address that is.
    """

    async def token(request: Request) -> Response:
        access.refresh()
        try:
            credentials = _credentials(request)
            if credentials is None:  # not a byte of the body is read for nobody
                raise GrantError("invalid_client", "the id and the secret of the client are sent by HTTP Basic")
            given = grant(credentials, await _parameters(request))
        except GrantError as error:
            request.scope["lading"].code = f"token.{error.error}"
            if error.error == "invalid_client":
                access.count_failure(address_of(request.scope))
            return _refusal(error)
        return Response(msgspec.json.encode(given), headers=_NOT_KEPT, media_type="application/json")

    return token


def _credentials(request: Request) -> Credentials | None:
    try:
        return credentials_of(request.scope["headers"])
    except Unauthenticated:
        raise GrantError("invalid_client", "the credentials cannot be read") from None


async def _parameters(request: Request) -> list[tuple[str, str]]:
    if request.scope["query_string"]:
        raise GrantError("invalid_request", "parameters stand in the body, not in the address")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise GrantError("invalid_request", f"the body has to be {_FORM}")
    body = await read_body(request.scope, request.receive, max_bytes=_MAX_BYTES, max_s=_MAX_S, max_expansion=1.0)
    try:
        return parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise GrantError("invalid_request", "the body cannot be read") from None


def _refusal(error: GrantError) -> Response:
    """The answer of RFC 6749, 5.2."""
    is_client = error.error == "invalid_client"
    headers = _NOT_KEPT | ({"WWW-Authenticate": _CHALLENGE} if is_client else {})
    body = msgspec.json.encode({"error": error.error, "error_description": error.description})
    return Response(body, 401 if is_client else 400, headers=headers, media_type="application/json")
