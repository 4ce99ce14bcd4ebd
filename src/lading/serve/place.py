"""Where a service is, and what a request needs to get there, for people."""

from __future__ import annotations

import shlex
import socket

import msgspec

from lading.access.credentials import CURL, curl_options
from lading.access.making import CERTIFICATE, methods_of
from lading.settings import Settings


class Place(msgspec.Struct, frozen=True):
    """Where a service is.

    Attributes:
        url: its address.
        curl: options that curl needs.
        access: who is asked for what; empty where nobody is.
    """

    url: str
    curl: str = ""
    access: str = ""


def place_of(listener: socket.socket, settings: Settings) -> Place:
    """The place of a service that listens there."""
    methods = methods_of(settings)
    options = list(filter(None, [curl_options(methods)]))
    if settings.client_ca_file and CERTIFICATE not in methods:
        options.append(CURL[CERTIFICATE])
    scheme = "https" if settings.tls_certificate_file else "http"
    if listener.family == socket.AF_UNIX:
        options.insert(0, f"--unix-socket {shlex.quote(listener.getsockname())}")
        address = "localhost"
    else:
        host, port = listener.getsockname()[:2]
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return Place(f"{scheme}://{address}{settings.root_path}", " ".join(options), ", ".join(methods))
