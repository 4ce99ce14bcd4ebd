"""Whether the server that settings describe, on this machine, is ready."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl

from lading.errors import NotReady
from lading.settings import Settings

_PATH = "/ready"
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def check_ready(settings: Settings, timeout_s: float) -> None:
    """Nothing, where it is ready.

    Raises:
        NotReady: it is not, or does not answer within `timeout_s`; says which.
    """
    connection = http.client.HTTPConnection(_ANY.get(settings.host, settings.host), settings.port, timeout=timeout_s)
    try:
        with contextlib.closing(connection):
            _connect(connection, settings)
            connection.request("GET", f"{settings.root_path}{_PATH}")
            status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise NotReady(f"the server does not answer: {type(error).__name__}") from None
    if status != 200:
        raise NotReady(f"the server is not ready: it answers {status}")


def _connect(connection: http.client.HTTPConnection, settings: Settings) -> None:
    if settings.unix_socket:
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(connection.timeout)
        connection.sock.connect(settings.unix_socket)
    else:
        connection.connect()
    if settings.tls_certificate_file:
        # The names in its certificate are those under which others know it; nothing secret is sent.
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection.sock = context.wrap_socket(connection.sock)
