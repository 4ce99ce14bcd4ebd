"""What an OpenAPI document says of access: how a caller shows who they are, and what is answered where they may not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_BEARER = {"type": "http", "scheme": "bearer"}
_SCHEMES: dict[str, dict[str, dict[str, Any]]] = {
    "keys": {"key": _BEARER, "keyInField": {"type": "apiKey", "in": "header", "name": "X-API-Key"}},
    "basic": {"basic": {"type": "http", "scheme": "basic"}},
    "tokens": {
        "token": {"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": "oauth/token", "scopes": {}}}},
    },
    "jwt": {"jwt": {**_BEARER, "bearerFormat": "JWT"}},
    "certificate": {"certificate": {"type": "mutualTLS"}},
}
"""By the words of the setting `auth` (https://spec.openapis.org/oas/v3.1.0#security-scheme-object)."""
_PROBLEMS = {
    "401": "It is not known who asks; `WWW-Authenticate` says how to show it.",
    "403": "Who asks may not have this.",
    "429": "The caller, or its address, has asked too often; `Retry-After` says when to ask again.",
}
_PUBLIC = ("/health", "/ready")


def add_access(document: dict[str, Any], methods: Sequence[str], problem: dict[str, Any]) -> None:
    """Say in a document who is asked for what.

    Args:
        document: of the service, as it is without access; it is changed.
        methods: words of the setting `auth`.
        problem: the content of an answer that tells an error.
    """
    schemes = {name: scheme for method in methods for name, scheme in _SCHEMES.get(method, {}).items()}
    if not schemes:
        return
    document["components"]["securitySchemes"] = schemes
    document["security"] = [{name: []} for name in schemes]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if path in _PUBLIC:
                operation["security"] = []
            else:
                operation["responses"] |= {
                    status: {"description": words, "content": problem} for status, words in _PROBLEMS.items()
                }
