"""One small document from one address: no redirect, no proxy, bounded in bytes and, whatever happens, in time."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, urlsplit

from lading.errors import SettingsError
from lading.settings import is_loopback

TIMEOUT_S = 5.0
MAX_BYTES = 256 << 10
PORTS = {"http": 80, "https": 443}
METADATA = frozenset({"fd00:ec2::254", "100.100.100.200"})
"""Where clouds tell a machine its secrets, beside 169.254.169.254, which is link-local."""
_FIELDS = {
    "Accept": "application/jwk-set+json, application/json",
    "Accept-Encoding": "identity",
    "User-Agent": "lading",
    "Connection": "close",
}


_Address = tuple[socket.AddressFamily, Any]


class NotFetched(Exception):
    """There is no document; the text is the kind of failure, and nothing of what came."""


def check_url(setting: str, url: str) -> None:
    """Nothing, for an address that a document may be fetched from.

    Raises:
        SettingsError: https is needed, or http on this machine; or it is an address where nobody's documents are.
    """
    hint = "an https:// address; http:// only on this machine, as http://127.0.0.1:8080/keys"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise SettingsError(f"`{setting}`: expected an address", hint=hint) from None
    is_plain = url.isascii() and url.isprintable() and not set(url) & set(' \\"<>')
    if not is_plain or not host or port == 0 or parts.username is not None or parts.fragment:
        raise SettingsError(f"`{setting}`: expected an address without a user, a fragment or spaces", hint=hint)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise SettingsError(f"`{setting}`: expected an https address", hint=hint)
    if is_forbidden(host):
        raise SettingsError(f"`{setting}`: this is an address of the machine's surroundings, not an issuer's")


def is_forbidden(host: str) -> bool:
    """Whether it is an address, in whichever spelling, that no document is fetched from: link-local, metadata, none."""
    try:
        address = ip_address(host)
    except ValueError:
        try:
            address = ip_address(socket.inet_aton(host))  # 0xA9FEA9FE, 2852039166, 169.16689662
        except OSError:
            return False
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_link_local or address.is_multicast or address.is_unspecified or str(address) in METADATA


def fetch(url: str, timeout_s: float = TIMEOUT_S) -> bytes:
    """What is at an address that `check_url` let pass. It blocks, for `timeout_s` after the name is resolved.

    Raises:
        NotFetched: there is nothing, or not in time.
    """
    parts = urlsplit(url)
    try:
        addresses = _addresses(parts)
        deadline = time.monotonic() + timeout_s
        try:
            return _get(parts, addresses, deadline)
        except (OSError, http.client.HTTPException, NotFetched):
            if time.monotonic() >= deadline:  # the watchdog has ended it, which shows in many ways
                raise NotFetched("no complete answer in time") from None
            raise
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        raise NotFetched(_kind(error)) from None


def _kind(error: Exception) -> str:
    kinds = {
        socket.gaierror: "its name is not known",
        UnicodeError: "its name is not known",
        ssl.SSLCertVerificationError: "its certificate is not good",
        ssl.SSLError: "TLS fails",
        TimeoutError: "no complete answer in time",
        OSError: "no connection",
    }
    return next((text for kind, text in kinds.items() if isinstance(error, kind)), "no HTTP answer")


def _addresses(parts: SplitResult) -> list[_Address]:
    port = parts.port or PORTS[parts.scheme]
    found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    hosts = [str(each[4][0]) for each in found]
    # A name may lead anywhere, and to another place each time: what counts is what is connected to.
    if any(is_forbidden(host) or (parts.scheme == "http" and not is_loopback(host)) for host in hosts):
        raise NotFetched("its name leads where no issuer is")
    return [(each[0], each[4]) for each in found]


def _get(parts: SplitResult, addresses: list[_Address], deadline: float) -> bytes:
    context = ssl.create_default_context() if parts.scheme == "https" else None
    connected = _connect(addresses, deadline)
    if context is not None:
        connected = context.wrap_socket(connected, server_hostname=parts.hostname, do_handshake_on_connect=False)
    with connected, _ended_at(deadline, connected):
        if isinstance(connected, ssl.SSLSocket):
            connected.do_handshake()
        return _ask(connected, parts)


def _connect(addresses: list[_Address], deadline: float) -> socket.socket:
    failure: OSError = ConnectionError()
    for family, address in addresses:
        connected = socket.socket(family, socket.SOCK_STREAM)
        try:
            connected.settimeout(max(deadline - time.monotonic(), 0.001))
            connected.connect(address)
            return connected
        except OSError as error:
            connected.close()
            failure = error
    raise failure


@contextlib.contextmanager
def _ended_at(deadline: float, connected: socket.socket) -> Iterator[None]:
    """A context in which the connection ends by itself at the deadline, however slowly bytes trickle."""
    watchdog = threading.Timer(deadline - time.monotonic(), _end, [connected])
    watchdog.daemon = True
    watchdog.start()
    try:
        yield
    finally:
        watchdog.cancel()


def _end(connected: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it has ended already
        socket.socket.shutdown(connected, socket.SHUT_RDWR)  # that of TLS would change what another thread reads with


def _ask(connected: socket.socket, parts: SplitResult) -> bytes:
    connection = http.client.HTTPConnection(parts.hostname or "")
    connection.sock = connected
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection.request("GET", target, headers=_FIELDS | {"Host": parts.netloc})
    with connection.getresponse() as response:
        if response.status != http.client.OK:
            is_redirect = 300 <= response.status < 400
            raise NotFetched("it redirects, which is not followed" if is_redirect else f"it answers {response.status}")
        body = response.read(MAX_BYTES + 1)
        if len(body) > MAX_BYTES:
            raise NotFetched(f"more than {MAX_BYTES >> 10} KiB")
        if response.length:
            raise NotFetched("its answer breaks off")
        return body
