"""The fast lane: plain prediction requests, answered inside the server protocol.

    bytes ─ head, looked up ─ body, decoded ─ batcher ─ answer written from the batch's own callback

No scope, no task, no future. What the lane does not take falls through to the application, in the middle of a
connection too; both call the same functions and give the same bytes.
"""

from __future__ import annotations

from typing import Any

import msgspec

from lading.engine.answers import body_of
from lading.engine.job import Job, Outcome
from lading.errors import LadingError
from lading.http.accounts import CLOSED_BY_CALLER, Accounts, Exchange, told
from lading.http.deadline import timeout_s
from lading.http.heads import Head, Heads
from lading.http.ids import Ids, new_id
from lading.http.problems import problem
from lading.http.protocol import GuardedProtocol
from lading.http.reading import INLINE_BYTES
from lading.http.wire import CLOSE, response_bytes
from lading.service import Service

_BEGINS = b"POST "
_HEAD_END = b"\r\n\r\n"
_encode = msgspec.json.Encoder().encode


class Lane:
    """What all connections of a server share.

    Args:
        service: what answers.
        accounts: where requests are counted and logged.
    """

    def __init__(self, service: Service, accounts: Accounts, route: str = "/predict") -> None:
        self.service = service
        self.accounts = accounts
        self.route = route
        self.max_bytes = min(INLINE_BYTES, service.settings.max_body_bytes)
        self.heads = Heads((route,))
        self._fields: object = None
        self._begin = b""
        self._label = ""
        self._middle = b""

    def begin(self, fields: list[tuple[bytes, bytes]]) -> bytes:
        """A good answer up to its length; `fields` are the server's own, which change once a second."""
        if fields is not self._fields:
            self._fields = fields
            lines = [b"%b: %b\r\n" % field for field in fields]
            self._begin = b"".join([b"HTTP/1.1 200 OK\r\n", *lines, b"content-length: "])
        return self._begin

    def middle(self) -> bytes:
        """What stands between the body's length and the ids; it changes with the model alone."""
        label = self.service.label
        if label is not self._label:
            self._label = label
            self._middle = b"\r\ncontent-type: application/json\r\nx-model: %b\r\nx-request-id: " % label.encode()
        return self._middle


class LaneProtocol(GuardedProtocol):
    """A connection on which plain prediction requests take the lane."""

    def __init__(self, *, lane: Lane, **rest: Any) -> None:
        super().__init__(settings=lane.service.settings, accounts=lane.accounts, **rest)
        self._lane = lane
        self._begun = b""
        self._later: list[bytes] = []
        self._job: Job | None = None
        self._exchange: Exchange | None = None
        self._is_kept = self._is_single = True

    def data_received(self, data: bytes) -> None:
        """Take a whole plain request, or hand the bytes to the ordinary road."""
        if self._exchange is not None:
            self._later.append(data)
            self.flow.pause_reading()
            return
        if self._is_open():
            if self._begun:
                data, self._begun = self._begun + data, b""
            if data.startswith(_BEGINS) and self._enter(data):
                return
        super().data_received(data)

    def sweep(self, now: float) -> None:
        """Leave a body that does not arrive to the ordinary road, which has a deadline for it."""
        if self._begun:
            begun, self._begun = self._begun, b""
            super().data_received(begun)
        super().sweep(now)

    def _is_open(self) -> bool:
        """Whether the ordinary road has nothing to do with this connection now."""
        cycle = self.cycle
        return (
            self.is_between
            and not self.is_refused
            and (cycle is None or cycle.response_complete)
            and not self.flow.write_paused
            and self._lane.service.is_open
        )

    def _enter(self, data: bytes) -> bool:
        """Answer a request that is whole, or wait for the rest of its body; False where it is not for the lane."""
        end = data.find(_HEAD_END) + len(_HEAD_END)
        head = self._lane.heads.read(data[:end]) if end >= len(_HEAD_END) else None
        if head is None or head.length > self._lane.max_bytes or len(data) > end + head.length:
            return False
        self._unset_keepalive_if_required()
        if len(data) < end + head.length:
            self._begun = data
            self._waits_since = None
            return True
        self._waits_since = None
        self._answer(head, data[end:])
        return True

    def _answer(self, head: Head, body: bytes) -> None:
        lane = self._lane
        request = head.request or new_id()
        exchange = self._exchange = lane.accounts.open(Ids(request, head.correlation or request))
        exchange.route = lane.route
        self._is_kept = head.is_kept
        try:
            service = lane.service
            timeout = timeout_s(head.timeout_ms, service.settings.request_timeout_s)
            decoded = service.decoder.json(body)
            rows = decoded.rows
            exchange.rows = len(rows)
            deadline = self.loop.time() + timeout
            self._is_single = decoded.is_single
            self._job = service.predict(rows, self._done, proba=False, deadline=deadline, context=exchange.ids)
        except Exception as error:
            self._fail(error)

    def _done(self, outcome: Outcome) -> None:
        """Write the answer of the request in flight."""
        exchange = self._exchange
        if exchange is None:  # the caller has left
            return
        if isinstance(outcome, LadingError):
            self._fail(outcome)
            return
        exchange.status = 200
        request, correlation = exchange.ids
        lane = self._lane
        body = _encode(body_of(outcome, is_single=self._is_single, request_id=request))
        self._write(
            b"%b%d%b%b\r\nx-correlation-id: %b\r\n%b\r\n%b\n"
            % (
                lane.begin(self.server_state.default_headers),
                len(body) + 1,
                lane.middle(),
                request.encode(),
                correlation.encode(),
                CLOSE if self._is_last() else b"",
                body,
            )
        )

    def _fail(self, error: Exception) -> None:
        assert self._exchange is not None
        exchange, refusal = self._exchange, told(error)
        self._lane.accounts.fail(exchange, refusal, error)
        response = problem(refusal, exchange.ids.request)
        exchange.status = response.status_code
        fields = self.server_state.default_headers
        self._write(response_bytes(response, fields, exchange.ids, is_closing=self._is_last()))

    def _is_last(self) -> bool:
        return not self._is_kept or self._lane.service.is_draining

    def _write(self, data: bytes) -> None:
        """Write the answer, and go on with what has come meanwhile."""
        assert self._exchange is not None
        self._lane.accounts.close(self._exchange, "POST")
        self.transport.write(data)
        self.server_state.total_requests += 1
        self._exchange = self._job = None
        if self._is_last():
            self.transport.close()
            return
        self._waits_since = self.loop.time()
        if self._later:
            later, self._later = b"".join(self._later), []
            self.flow.resume_reading()
            self.data_received(later)

    def shutdown(self) -> None:
        """Close as soon as nothing is in flight."""
        if self._exchange is None:
            super().shutdown()
        else:
            self._is_kept = False

    def connection_lost(self, exc: Exception | None) -> None:
        """Do nothing more for a caller that has left."""
        if self._exchange is not None:
            if self._job is not None:
                self._job.cancel()
            self._exchange.status = CLOSED_BY_CALLER
            self._lane.accounts.close(self._exchange, "POST")
            self._exchange = None
        super().connection_lost(exc)

    @property
    def is_answering(self) -> bool:
        """Whether a request of the lane is in flight."""
        return self._exchange is not None
