"""Values of settings that are more than a number or a text: networks, words, rates."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import NamedTuple

Network = IPv4Network | IPv6Network

_RATE = re.compile(r"([1-9][0-9]{0,8})/([smh])")
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?|https?://\[[0-9a-f:]+\](?::[0-9]{1,5})?")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]{1,64}){0,8}")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?")
_SECONDS = {"s": 1, "m": 60, "h": 3600}


class Rate(NamedTuple):
    """So many requests within so many seconds."""

    requests: int
    seconds: int

    def __str__(self) -> str:
        unit = next(unit for unit, seconds in _SECONDS.items() if seconds == self.seconds)
        return f"{self.requests}/{unit}"


def rate(text: str) -> Rate | None:
    """The rate that a text such as `100/s` names; None of an empty one.

    Raises:
        ValueError: it names none.
    """
    if not text:
        return None
    match = _RATE.fullmatch(text)
    if match is None:
        raise ValueError("expected a rate")
    return Rate(int(match[1]), _SECONDS[match[2]])


def origins(text: str) -> tuple[str, ...]:
    """The origins of pages (RFC 6454) between the commas of a text; `*` is all of them.

    Raises:
        ValueError: one of them is none.
    """
    found = words(text)
    if not all(origin == "*" or _ORIGIN.fullmatch(origin) for origin in found):
        raise ValueError("expected origins")
    return found


def path(text: str) -> str:
    """The path that a text is, which has no slash at its end; it may be empty.

    Raises:
        ValueError: it is none.
    """
    if not _PATH.fullmatch(text):
        raise ValueError("expected a path")
    return text


def path_name(text: str) -> str:
    """The name that a text is, which stands in a path as it is; it may be empty.

    Raises:
        ValueError: it is none.
    """
    if text and not _NAME.fullmatch(text):
        raise ValueError("expected a name")
    return text


def words(text: str) -> tuple[str, ...]:
    """What stands between the commas of a text."""
    return tuple(filter(None, (part.strip() for part in text.split(","))))


def networks(text: str) -> tuple[Network, ...]:
    """The networks that a text such as `10.0.0.0/8,192.168.1.7` names; an address is a network of one.

    Raises:
        ValueError: it names something else.
    """
    return tuple(ip_network(part.strip()) for part in text.split(",")) if text else ()


def is_loopback(host: str) -> bool:
    """Whether the address is reached from this machine only."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:  # another name, which may mean any address
        return False
