"""Heads of plain prediction requests, each looked at once: a client sends the same one again and again.

Only what is beyond doubt is taken here. Any other head, also one that is only unusual, is for the parser of the
ordinary road.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from lading.access.access import Caller
from lading.access.credentials import has_credentials
from lading.http.accept import accepted
from lading.http.admission import Admission, Peer
from lading.http.content import JSON
from lading.http.dialect import Dialect
from lading.http.forwarded import FORWARDED_FOR
from lading.http.guard import MAX_FIELDS, Malformed, check_head
from lading.http.ids import ids_of
from lading.http.problems import HttpError

MAX_PLAIN_BYTES = 4 << 10
_MAX_KNOWN = 1024
_FIELD = re.compile(rb"([A-Za-z0-9-]{1,64}):[ ]?([!-~](?:[ -~]*[!-~])?)")
_LENGTH = re.compile(rb"0|[1-9][0-9]{0,8}")
_JSON = frozenset({b"application/json", b"application/json; charset=utf-8"})
_ELSEWHERE = frozenset(
    {
        b"inference-header-content-length",
        b"transfer-encoding",
        b"content-encoding",
        b"expect",
        b"upgrade",
        b"trailer",
        b"te",
        b"http2-settings",
    }
)
"""Fields that ask for more than the lane does."""
_OF_ONE_REQUEST = frozenset({b"x-request-id", b"x-correlation-id"})


class Way(NamedTuple):
    """Where predictions are asked for, and how.

    Attributes:
        path: as requests have it.
        route: the same as counters and the log call it.
        dialect: gives what is spoken there; it is made when somebody first asks.
    """

    path: str
    route: str
    dialect: Callable[[], Dialect]


class Head(NamedTuple):
    """What the lane has to know of a head.

    Attributes:
        route: where predictions are asked for, as counters and the log call it.
        dialect: what is spoken there.
        length: of the body, in bytes.
        is_kept: whether the connection goes on after the answer.
        request: id that the caller gave; empty where it gave none.
        correlation: the same.
        timeout_ms: that the caller asks for, as it stands there; empty where it asks for none.
        caller: who asks, by the credentials; None where there are none.
        forwarded: the addresses that proxies name; empty where there are none.
    """

    route: str
    dialect: Dialect
    length: int
    is_kept: bool = True
    request: str = ""
    correlation: str = ""
    timeout_ms: bytes = b""
    caller: Caller | None = None
    forwarded: bytes = b""


class Heads:
    """Reads heads of prediction requests, and keeps those that will come again.

    Args:
        ways: where predictions are asked for.
        admission: says who asks.
        elsewhere: names of fields, in lower case, whose requests are not for the lane.
    """

    def __init__(self, ways: Iterable[Way], admission: Admission, *, elsewhere: Iterable[bytes] = ()) -> None:
        self._lines = {f"POST {way.path} HTTP/1.1".encode(): way for way in ways}
        self._admission = admission
        self._elsewhere = _ELSEWHERE.union(elsewhere)
        self._known: dict[bytes, Head | None] = {}

    def read(self, head: bytes, peer: Peer) -> Head | None:
        """The head in these bytes, which end with the empty line; None where the lane does not take it.

        Args:
            head: the bytes.
            peer: who has sent them.
        """
        try:
            return self._known[head]
        except KeyError:
            return self._look(head, peer)

    def forget(self) -> None:
        """Look at every head again: somebody who was known may not be any more."""
        self._known.clear()

    def _look(self, head: bytes, peer: Peer) -> Head | None:
        if len(head) > MAX_PLAIN_BYTES:
            return None
        line, *lines = head[:-4].split(b"\r\n")
        matches = [_FIELD.fullmatch(each) for each in lines]
        found, is_shared = None, True
        fields = [(match[1].lower(), match[2]) for match in matches if match is not None]
        if line in self._lines and len(fields) == len(lines) <= MAX_FIELDS:
            found = self._plain(line.split(b" ")[1], self._lines[line], fields)
        if found is not None and not self._admission.is_open and has_credentials(fields):
            caller, is_shared = self._admission.known(fields, peer)
            if caller is None:  # who it is has to be found out, and may be known the next time
                return None
            found = found._replace(caller=caller)
        # What somebody else could guess is not told to them by being remembered.
        if is_shared and _OF_ONE_REQUEST.isdisjoint(name for name, _ in fields):
            self._remember(head, found)
        return found

    def _remember(self, head: bytes, found: Head | None) -> None:
        if len(self._known) >= _MAX_KNOWN:
            self._known.clear()
        self._known[head] = found

    def _plain(self, target: bytes, way: Way, fields: list[tuple[bytes, bytes]]) -> Head | None:
        values = dict(fields)
        if len(values) < len(fields):
            return None
        try:
            check_head(b"POST", target, "1.1", fields)
        except Malformed:  # to be refused on the ordinary road, which says why
            return None
        length = values.get(b"content-length", b"")
        kept = {b"keep-alive": True, b"close": False}.get(values.get(b"connection", b"keep-alive").lower())
        if not _LENGTH.fullmatch(length) or kept is None or not self._elsewhere.isdisjoint(values):
            return None
        if values.get(b"content-type", b"").lower() not in _JSON or not _wants_json(fields):
            return None
        ids = ids_of(fields, make=False)
        timeout_ms, forwarded = values.get(b"x-request-timeout-ms", b""), values.get(FORWARDED_FOR, b"")
        told = (int(length), kept, ids.request, ids.correlation, timeout_ms)
        return Head(way.route, way.dialect(), *told, forwarded=forwarded)


def _wants_json(fields: list[tuple[bytes, bytes]]) -> bool:
    try:
        return accepted(fields) == JSON
    except HttpError:
        return False
