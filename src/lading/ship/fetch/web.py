"""From a web server, with the standard library: its redirects and its addresses are in our hands.

The HTTP store of obstore would follow redirects by itself and knows no query, so no presigned address either.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import socket
import ssl
import urllib.error
import urllib.request
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from lading import __version__
from lading.bundle.names import shown
from lading.errors import LadingError
from lading.ship.fetch.address import Address
from lading.ship.fetch.transfer import PIECE_BYTES, NotThere, Sink

_MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_ASCII = "!#$%&'()*+,/:;=?@[]~"


def read_web(address: Address, sink: Sink, timeout_s: float) -> None:
    """Read a file from a web server.

    Raises:
        NotThere: the server has no such file.
        LadingError: it does not give it.
    """
    try:
        with contextlib.closing(_open(address, timeout_s)) as response:
            sink.size = response.length
            while piece := response.read(PIECE_BYTES):
                sink.write(piece)
    except (OSError, http.client.HTTPException, ValueError) as error:  # a redirect may be to what is no address
        raise _failed(address, error) from None


def _open(address: Address, timeout_s: float) -> http.client.HTTPResponse:
    opener = _opener()
    url = quote(address.secret, safe=_ASCII)
    for _ in range(_MAX_REDIRECTS + 1):
        parts = urlsplit(url)
        request = urllib.request.Request(_without_user(parts), headers=_fields(address, parts))
        try:
            response: http.client.HTTPResponse = opener.open(request, timeout=timeout_s)
            return response
        except urllib.error.HTTPError as error:
            error.close()
            if error.code not in _REDIRECTS:
                raise
            url = quote(urljoin(url, error.headers.get("Location", "")), safe=_ASCII)
        if urlsplit(url).scheme != "https":
            hint = "ask whoever runs the server, or fetch from the address to which it leads"
            raise LadingError(f"{shown(str(address))} redirects to an address that is not https", hint=hint)
    raise LadingError(f"{shown(str(address))} redirects more than {_MAX_REDIRECTS} times", hint="is the address right?")


def _opener() -> urllib.request.OpenerDirector:
    # Not `build_opener`, which would also open files, FTP and `data:`, and follow redirects
    opener = urllib.request.OpenerDirector()
    proxies = {scheme: proxy for scheme, proxy in urllib.request.getproxies().items() if scheme == "https"}
    opener.add_handler(urllib.request.ProxyHandler(proxies))
    opener.add_handler(urllib.request.HTTPHandler())
    opener.add_handler(urllib.request.HTTPSHandler(context=ssl.create_default_context()))
    opener.add_handler(urllib.request.HTTPDefaultErrorHandler())
    opener.add_handler(urllib.request.HTTPErrorProcessor())
    return opener


def _fields(address: Address, parts: SplitResult) -> dict[str, str]:
    fields = {"Accept-Encoding": "identity", "User-Agent": f"lading/{__version__}"}
    given = address.parts
    if given.username is not None and _origin(parts) == _origin(given):  # another server is not told the password
        user = f"{unquote(given.username)}:{unquote(given.password or '')}"
        fields["Authorization"] = "Basic " + base64.b64encode(user.encode()).decode()
    return fields


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port


def _without_user(parts: SplitResult) -> str:
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl()


def _failed(address: Address, error: Exception) -> LadingError:
    where = shown(str(address))
    if isinstance(error, urllib.error.HTTPError):
        return _refused(where, error.code, bool(address.parts.query))
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    text, hint = _kind(reason)
    return LadingError(f"{where} cannot be fetched: {text}", hint=hint)


def _refused(where: str, status: int, is_presigned: bool) -> LadingError:
    if status in (404, 410):
        return NotThere(f"there is no {where}: the server answers {status}", hint="is the address right?")
    hint = "it may be there on another day; try again" if status >= 500 else "may you read it there?"
    if status in (400, 401, 403) and is_presigned:
        hint = "a presigned address ends after some time: make another one"
    return LadingError(f"{where} cannot be fetched: the server answers {status}", hint=hint)


def _kind(reason: object) -> tuple[str, str]:
    match reason:
        case socket.gaierror() | UnicodeError():
            return (
                "the name of its host is not known",
                "is it spelled right? does this machine know names of other ones?",
            )
        case ssl.SSLCertVerificationError():
            hint = "SSL_CERT_FILE names the certificates of authorities, where those of the system do not do"
            return f"its certificate is not good: {reason.verify_message}", hint
        case ssl.SSLError():
            return "TLS fails", "does the server speak https on this port?"
        case TimeoutError():
            return "no answer in time", "try again; does a firewall let it through?"
        case http.client.IncompleteRead() | ConnectionResetError():
            return "the connection broke off", "try again"
        case OSError() if str(reason).startswith("Tunnel connection failed"):
            return "the proxy does not let it through", "https_proxy and no_proxy say which proxy is asked"
        case OSError():
            return "no connection", "does the server run, and does a firewall let it through?"
    return "no HTTP answer", "is it a web server?"
