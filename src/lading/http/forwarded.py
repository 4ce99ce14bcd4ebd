"""Which address a request comes from, and by which scheme, where proxies that are trusted stand in between.

Each proxy appends the address that it was asked from to `X-Forwarded-For`, so the field is read from its end: as long
as an address is that of a trusted proxy, the one before it was written by that proxy, and may be believed. What a
caller wrote there stands further to the left, and is never reached.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

from lading.settings import Network

FORWARDED_FOR = b"x-forwarded-for"
FORWARDED_PROTO = b"x-forwarded-proto"
MAX_HOPS = 32
"""Addresses of a request that are looked at."""
_PREFIX_BITS = 64
"""Of an IPv6 address: whoever has one has all that begin with these, see RFC 6177."""
_SCHEMES = frozenset({"http", "https"})

Address = IPv4Address | IPv6Address
Fields = Iterable[tuple[bytes, bytes]]


def address_of(host: str) -> Address | None:
    """The address that a text is, one of IPv4 also where it is written as one of IPv6; None where it is none."""
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def is_within(address: Address, trusted: Sequence[Network]) -> bool:
    """Whether an address is in one of these networks."""
    return any(address in network for network in trusted)


def counted(address: Address) -> Address:
    """What counts as one address: of IPv6, the network of 64 bits, unless it is this machine."""
    if isinstance(address, IPv4Address) or address.is_loopback:
        return address
    return IPv6Address(int(address) >> _PREFIX_BITS << _PREFIX_BITS)


def client_of(peer: str | None, fields: Fields, trusted: Sequence[Network]) -> str | None:
    """The address that counts for a request: of IPv6, the first one of its network of 64 bits.

    It is that of whoever is connected, or, where that is a trusted proxy, the last one of `X-Forwarded-For` that is not
    of a trusted proxy. Where there is none, or what stands there is no address, it is whoever is connected.

    Args:
        peer: who is connected; None through a Unix socket, behind which is a trusted proxy if there is any.
        fields: of the request, with names in lower case.
        trusted: networks of proxies.
    """
    near = None if peer is None else address_of(peer)
    if _is_trusted(peer, near, trusted):
        for hop in reversed(_values(fields, FORWARDED_FOR)):
            address = None if "%" in hop else address_of(hop)
            if address is None:
                break
            if not is_within(address, trusted):
                return str(counted(address))
    return peer if near is None else str(counted(near))


def scheme_of(peer: str | None, fields: Fields, trusted: Sequence[Network], scheme: str) -> str:
    """The scheme by which a request was sent: what a trusted proxy says in `X-Forwarded-Proto`, else this connection's.

    Args:
        peer: who is connected; None through a Unix socket.
        fields: of the request, with names in lower case.
        trusted: networks of proxies.
        scheme: of this connection.
    """
    said = _values(fields, FORWARDED_PROTO)
    if not said or not _is_trusted(peer, None if peer is None else address_of(peer), trusted):
        return scheme
    last = said[-1].lower()
    return last if last in _SCHEMES else scheme


def _is_trusted(peer: str | None, near: Address | None, trusted: Sequence[Network]) -> bool:
    if peer is None:
        return bool(trusted)
    return near is not None and is_within(near, trusted)


def _values(fields: Fields, name: bytes) -> list[str]:
    """The last values of a list, which may stand in several fields (RFC 9110, 5.3)."""
    lines = [value for field, value in fields if field == name]
    if not lines:
        return []
    return [value.decode("latin-1").strip(" \t") for value in b",".join(lines).rsplit(b",", MAX_HOPS)[-MAX_HOPS:]]
