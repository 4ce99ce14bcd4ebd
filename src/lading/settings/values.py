"""Values of settings that are more than a number or a text: networks, words, rates."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import NamedTuple

Network = IPv4Network | IPv6Network

_RATE = re.compile(r"([1-9][0-9]{0,8})/([smh])")
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
