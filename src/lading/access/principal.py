"""Whoever asks, once that is known."""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec


class Principal(msgspec.Struct, frozen=True):
    """Somebody who has shown who they are.

    Attributes:
        name: what the log calls them: the method and an id, as `key:3f9a2c41` or `user:alice`; never a secret.
        scopes: what they may do, as `predict:iris`; see `lading.access.scopes`.
        until: when that ends, in seconds since 1970.
        rate: how often they may ask, where that is their own, as `100/s`; empty where the service's holds.
    """

    name: str
    scopes: frozenset[str]
    until: float = math.inf
    rate: str = ""

    @classmethod
    def of(cls, name: str, scopes: Iterable[str], until: float = math.inf, rate: str = "") -> Principal:
        """Somebody with these scopes."""
        return cls(name, frozenset(scopes), until, rate)
