"""Scopes within scopes: what somebody may hand on of what they have."""

from __future__ import annotations

from collections.abc import Collection

from lading.access.scopes import EVERY_MODEL, PREDICT


def covers(scopes: Collection[str], scope: str) -> bool:
    """Whether whoever has these scopes has this one, too."""
    return scope in scopes or (scope.startswith(PREDICT) and PREDICT + EVERY_MODEL in scopes)


def narrowed(scopes: Collection[str], within: Collection[str]) -> frozenset[str]:
    """What both of them allow."""
    of_scopes = {scope for scope in scopes if covers(within, scope)}
    return frozenset(of_scopes | {scope for scope in within if covers(scopes, scope)})
