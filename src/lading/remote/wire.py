"""What goes over the wire: a request, the reply to it, and how the one becomes the other."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any
from urllib.parse import SplitResult, urlsplit

import msgspec

from lading.errors import LadingError, UsageError
from lading.schema.problems import presentable

TIMEOUT_S = 10.0
"""Seconds that one request may take, from the first byte to the last."""
MAX_REPLY_BYTES = 64 << 20
JSON = "application/json"
CSV = "text/csv"
_NAMED = 3
_CODE = re.compile(r"[a-z_]{1,40}(?:[.][a-z_]{1,40})?")

Headers = Mapping[str, str]


class Request(msgspec.Struct, frozen=True):
    """One request; its path goes behind that of the service's address."""

    method: str
    path: str
    body: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()


class Reply(msgspec.Struct, frozen=True, dict=True):
    """What came back, or why nothing did; as text, what may be told of it: never the body.

    Attributes:
        status: of the answer; 0 when there was none.
        headers: names in lower case.
        body: all of it.
        silence: why there was no answer.
    """

    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b""
    silence: str = ""

    @cached_property
    def json(self) -> Any:
        """The JSON value of the body; None where it is none."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None

    @property
    def object(self) -> dict[str, Any]:
        """The JSON object of the body; an empty one where it is none."""
        return self.json if isinstance(self.json, dict) else {}

    @property
    def media_type(self) -> str:
        """What the body is said to be."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def problems(self) -> list[dict[str, Any]]:
        """The problems with the input that a 422 lists."""
        listed = self.object.get("errors")
        return [problem for problem in listed if isinstance(problem, dict)] if isinstance(listed, list) else []

    def __str__(self) -> str:
        if not self.status:
            return self.silence
        named = ", ".join(map(_problem_in_words, self.problems[:_NAMED]))
        more = len(self.problems) - _NAMED
        parts = [str(self.status), _code(self.object.get("code"))]
        parts += [f"({named} and {more} more)" if more > 0 else f"({named})" if named else ""]
        return " ".join(filter(None, parts))


def _problem_in_words(problem: Mapping[str, Any]) -> str:
    column, row = problem.get("column"), problem.get("row")
    shown = presentable(column) if isinstance(column, str) else None
    parts = [_code(problem.get("code")) or "no code", f"for `{shown}`" if shown else ""]
    parts += [f"in row {row}" if isinstance(row, int) else ""]
    return " ".join(filter(None, parts))


def _code(code: object) -> str:
    # Anybody may answer at an address; only what looks like a code of ours is repeated.
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""


def post(path: str, value: object) -> Request:
    """The request that sends a value as JSON."""
    return post_json(path, msgspec.json.encode(value))


def post_json(path: str, body: bytes, content_type: str = JSON) -> Request:
    """The request that sends these bytes, and says that they are JSON or what else it is told."""
    return Request("POST", path, body, (("content-type", content_type),))


def ask(url: str, request: Request, headers: Headers | None = None) -> Reply:
    """The reply of the service at an address; a reply that breaks off or takes too long is a silent one.

    Args:
        url: of the service, with the path under which it is mounted.
        request: what to send.
        headers: sent too, such as a key.

    Raises:
        LadingError: nothing answers there.
        UsageError: it is no address.
    """
    with contextlib.closing(Connection(url, headers, timeout_s=TIMEOUT_S)) as connection:
        return connection.ask(request)


class Connection:
    """Asks the service at an address, one request after the other; for one thread.

    The connection is kept between requests, and made anew after a reply that was none.
    """

    def __init__(self, url: str, headers: Headers | None = None, *, timeout_s: float) -> None:
        self._parts = split_address(url)
        self._headers = {name.lower(): value for name, value in (headers or {}).items()}
        self._timeout_s = timeout_s
        self._open: http.client.HTTPConnection | None = None

    def ask(self, request: Request) -> Reply:
        """The reply; one that breaks off or takes too long is a silent one.

        Raises:
            LadingError: nothing answers there.
            UsageError: a header is none.
        """
        target = self._parts.path.rstrip("/") + request.path
        sent = self._headers | dict(request.headers)
        if not all(name.isprintable() and value.isprintable() for name, value in sent.items()):
            raise UsageError("a header has a line end, or another character that none has", hint="strip what was read")
        if self._open is None or self._open.sock is None:  # where the service ended it behind its last reply
            self._open = _connected(self._parts, self._timeout_s)
        connection = self._open
        began = time.monotonic()
        with _ended_after(self._timeout_s, connection):
            try:
                connection.request(request.method, target, request.body, sent)
                reply = _read(connection.getresponse())
            except (OSError, http.client.HTTPException):
                reply = Reply(0, silence="no complete answer")
        if time.monotonic() - began >= self._timeout_s:
            reply = Reply(0, silence=f"no complete answer within {self._timeout_s:g} s")
        if not reply.status:
            self.close()
        return reply

    def close(self) -> None:
        """End the connection; the next request makes another one."""
        if self._open is not None:
            self._open.close()
        self._open = None


def split_address(url: str) -> SplitResult:
    """The parts of a service's address.

    Raises:
        UsageError: it is none, or holds a password.
    """
    hint = "an address is http://127.0.0.1:8000, or https:// and a name; keys go into headers"
    try:
        parts = urlsplit(url)
        is_fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_fine = False
    if not is_fine or not url.isascii() or not url.isprintable() or " " in url:
        raise UsageError("this is not the address of a service", hint=hint)
    if parts.username is not None or parts.query or parts.fragment:
        raise UsageError("the address of a service has neither a user nor a query", hint=hint)
    return parts


def _connected(parts: SplitResult, timeout_s: float) -> http.client.HTTPConnection:
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
    try:
        connection.connect()
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or f"no connection within {timeout_s:g} s"
        hint = "is it started, and is that its address? lading serve MODEL says it"
        raise LadingError(f"nothing answers at {parts.geturl()}: {reason}", hint=hint) from None
    return connection


@contextmanager
def _ended_after(seconds: float, connection: http.client.HTTPConnection) -> Iterator[None]:
    """A context in which the connection ends by itself when a request takes too long, however slowly bytes trickle."""
    watchdog = threading.Timer(seconds, _end, [connection.sock])
    watchdog.daemon = True
    watchdog.start()
    try:
        yield
    finally:
        watchdog.cancel()


def _end(connected: socket.socket) -> None:
    try:
        connected.shutdown(socket.SHUT_RDWR)
    except OSError:  # it has ended already
        return


def _read(response: http.client.HTTPResponse) -> Reply:
    body = response.read(MAX_REPLY_BYTES + 1)
    if len(body) > MAX_REPLY_BYTES:
        return Reply(0, silence=f"an answer of more than {MAX_REPLY_BYTES >> 20} MiB")
    return Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, body)
