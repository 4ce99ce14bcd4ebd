"""The fast lane: plain prediction requests, answered inside the server protocol.

    bytes ─ head, looked up ─ body, decoded ─ batcher ─ answer written from the batch's own callback

No scope, no task, no future. What the lane does not take falls through to the application, in the middle of a
connection too; both call the same functions and give the same bytes.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable
from functools import cache, cached_property
from typing import Any

from lading.access.access import Caller, spend
from lading.access.rates import Bucket
from lading.engine.job import Job, Outcome
from lading.errors import LadingError
from lading.http.accounts import CLOSED_BY_CALLER, Accounts, Exchange, told
from lading.http.admission import Admission
from lading.http.deadline import timeout_s
from lading.http.dialect import Asked, Dialect, Native
from lading.http.heads import Head, Heads, Way
from lading.http.ids import Ids, new_id
from lading.http.oip.infer import Infer
from lading.http.oip.paths import INFER, INFER_VERSION, PREDICT, name_of, path_of
from lading.http.oip.predict import Predict
from lading.http.protocol import GuardedProtocol
from lading.http.reading import INLINE_BYTES
from lading.http.wire import CLOSE, response_bytes
from lading.service import Service

logger = logging.getLogger(__name__)

_BEGINS = b"POST "
_HEAD_END = b"\r\n\r\n"
_CORRELATION = b"\r\nx-correlation-id: "


class Lane:
    """What all connections of a server share.

    Args:
        service: what answers.
        accounts: where requests are counted and logged.
        admission: who may ask.
    """

    def __init__(self, service: Service, accounts: Accounts, admission: Admission) -> None:
        self.service = service
        self.accounts = accounts
        self.admission = admission
        self.limits_addresses = admission.access.limits_addresses
        # Whether it matters who asks, or from where.
        self.asks = self.limits_addresses or not admission.is_open
        self.vary = b"vary: Origin\r\n" if service.settings.cors_origins else b""
        self.end = b"\r\n" + self.vary + b"\r\n"
        self.last_end = b"\r\n" + CLOSE + self.vary + b"\r\n"
        self._fields: object = None
        self._label = ""
        self._tops: dict[int, bytes] = {}
        self._answered: defaultdict[str, list[LaneProtocol]] = defaultdict(list)
        service.answered = self._flush

    # What is asked for once there is a model, whose limits may be its own.

    @cached_property
    def timeout_s(self) -> float:
        """Seconds that an answer may take, where its caller does not say less."""
        return self.service.settings.request_timeout_s

    @cached_property
    def max_bytes(self) -> int:
        """Bytes that a body may have to be read at once."""
        return min(INLINE_BYTES, self.service.settings.max_body_bytes)

    @cached_property
    def heads(self) -> Heads:
        """What reads heads, of requests to where the model is asked."""
        settings = self.service.settings
        elsewhere = (b"origin",) if settings.cors_origins else ()
        # Behind a proxy the prefix may stand in front.
        ways = [way._replace(path=f"{prefix}{way.path}") for way in self._ways() for prefix in ("", settings.root_path)]
        return Heads(ways, self.admission, elsewhere=elsewhere)

    def _ways(self) -> list[Way]:
        service, version = self.service, self.service.manifest.version
        infer = cache(lambda: Infer(service))
        others: dict[str, Callable[[], Dialect]] = {
            INFER: infer,
            INFER_VERSION: infer,
            PREDICT: cache(lambda: Predict(service)),
        }
        # What is known of a caller has one rate: a route with a rate of its own is for the ordinary road.
        return [Way(service.route, service.route, cache(lambda: Native(service)))] + [
            Way(path_of(route, name_of(service), version), route, dialect)
            for route, dialect in others.items()
            if route not in service.settings.routes
        ]

    def answer(self, connection: LaneProtocol, route: str) -> None:
        """Write a connection's answer with the others of its batch, which are counted and logged together."""
        self._answered[route].append(connection)

    def _flush(self) -> None:
        if not self._answered:
            return
        answered, self._answered = self._answered, defaultdict(list)
        for route, connections in answered.items():
            self.accounts.close_all([each.exchange for each in connections if each.exchange], route, "POST")
            for each in connections:
                try:
                    each.send()
                except Exception:
                    logger.exception("an answer could not be written")
                    each.transport.abort()

    def top(self, fields: list[tuple[bytes, bytes]], length: int) -> bytes:
        """A good answer up to its ids; `fields` are the server's own, which change once a second.

        Args:
            length: of the body, in bytes.
        """
        if fields is not self._fields or self.service.label is not self._label:
            self._fields, self._label, self._tops = fields, self.service.label, {}
        top = self._tops.get(length)
        if top is None:
            lines = b"".join(b"%b: %b\r\n" % field for field in fields)
            top = self._tops[length] = (
                b"HTTP/1.1 200 OK\r\n%bcontent-length: %d\r\ncontent-type: application/json\r\nx-model: %b\r\n"
                b"x-request-id: " % (lines, length, self._label.encode())
            )
        return top


class LaneProtocol(GuardedProtocol):
    """A connection on which plain prediction requests take the lane.

    Attributes:
        exchange: the request of the lane that is in flight; None while there is none.
    """

    def __init__(self, *, lane: Lane, **rest: Any) -> None:
        super().__init__(settings=lane.service.settings, accounts=lane.accounts, **rest)
        self._lane = lane
        self._begun = b""
        self._later: list[bytes] = []
        self._job: Job | None = None
        self.exchange: Exchange | None = None
        self._reply = b""
        self._is_kept = True
        self._usual = b""
        self._usual_head: Head
        self._dialect: Dialect
        self._asked: Asked
        self._certified: Caller | None = None
        self._bucket: Bucket | None = None
        self._forwarded = b""

    def data_received(self, data: bytes) -> None:
        """Take a whole plain request, or hand the bytes to the ordinary road."""
        if self.exchange is not None:
            self._later.append(data)
            self.flow.pause_reading()
            return
        if self._is_open():
            if self._begun:
                data, self._begun = self._begun + data, b""
            if self._enter(data):
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
            and self._lane.service.is_quick
        )

    def _enter(self, data: bytes) -> bool:
        """Answer a request that is whole, or wait for the rest of its body; False where it is not for the lane."""
        if self._usual and data.startswith(self._usual):
            head, end = self._usual_head, len(self._usual)
        elif not data.startswith(_BEGINS):
            return False
        else:
            end = data.find(_HEAD_END) + len(_HEAD_END)
            found = self._lane.heads.read(data[:end], self.client) if end >= len(_HEAD_END) else None
            if found is None:
                return False
            head = found
            self._usual, self._usual_head = data[:end], head
        now, lane = 0.0, self._lane
        if lane.asks:
            now = lane.admission.access.clock()
            if not lane.admission.is_open and self._caller(head, now) is None:
                self._usual = b""
                return False
        excess = len(data) - end - head.length
        if excess > 0 or head.length > lane.max_bytes:
            return False
        if self.timeout_keep_alive_task is not None:
            self._unset_keepalive_if_required()
        self._waits_since = None
        if excess < 0:
            self._begun = data
        else:
            self._answer(head, data[end:], now)
        return True

    def _answer(self, head: Head, body: bytes, now: float) -> None:
        lane = self._lane
        request = head.request or new_id()
        ids = Ids(request, head.correlation or request)
        exchange = self.exchange = lane.accounts.open(ids, route=head.route)
        self._is_kept, dialect = head.is_kept, head.dialect
        self._dialect = dialect
        try:
            service = lane.service
            if lane.asks:
                self._spend(head, exchange, now)
            may_take_s = timeout_s(head.timeout_ms, lane.timeout_s) if head.timeout_ms else lane.timeout_s
            asked = self._asked = dialect.read(body)
            rows = asked.rows
            exchange.rows = len(rows)
            deadline = self.loop.time() + may_take_s
            self._job = service.predict(rows, self._done, proba=asked.proba, deadline=deadline, context=ids)
        except Exception as error:
            self._fail(error)

    def _caller(self, head: Head, now: float) -> Caller | None:
        """Who asks, and may; None where that is to be found out, or to be refused."""
        admission = self._lane.admission
        caller = head.caller or self._certified_caller()
        if caller is None or admission.access.holds(caller, now):
            return caller
        self._certified = None
        self._lane.heads.forget()
        return None

    def _certified_caller(self) -> Caller | None:
        """Who asks by the certificate of this connection."""
        admission = self._lane.admission
        if self._certified is None and self.certified is not None:
            self._certified = admission.certified(self.certified)
        return self._certified

    def _spend(self, head: Head, exchange: Exchange, now: float) -> None:
        """Count the request of a caller, and of an address, who may not ask as often as they like."""
        lane = self._lane
        if lane.limits_addresses:
            if self._bucket is None or head.forwarded != self._forwarded:
                self._forwarded = head.forwarded
                self._bucket = lane.admission.bucket_of(self.client, head.forwarded)
            if self._bucket is not None:
                spend(self._bucket, now)
        caller = head.caller or self._certified
        if caller is not None:
            exchange.caller = caller.principal.name
            if caller.bucket is not None:
                spend(caller.bucket, now)

    def _done(self, outcome: Outcome) -> None:
        """Make the answer of the request in flight; it is sent with those of its batch."""
        exchange = self.exchange
        if exchange is None:  # the caller has left
            return
        if isinstance(outcome, LadingError):
            self._fail(outcome)
            return
        exchange.status = 200
        ids = exchange.ids
        request = ids.request.encode()
        try:
            body = self._dialect.write(outcome, self._asked, ids.request)
        except Exception as error:  # an answer of a model's that cannot be written
            self._fail(error)
            return
        top = self._lane.top(self.server_state.default_headers, len(body))
        end = self._lane.last_end if self._is_last() else self._lane.end
        self._reply = b"".join((top, request, _CORRELATION, ids.correlation.encode(), end, body))
        self._lane.answer(self, exchange.route)

    def _fail(self, error: Exception) -> None:
        assert self.exchange is not None
        exchange, refusal = self.exchange, told(error)
        self._lane.accounts.fail(exchange, refusal, error)
        response = self._dialect.refuse(refusal, exchange.ids.request)
        exchange.status = response.status_code
        fields = self.server_state.default_headers
        self._reply = response_bytes(response, fields, exchange.ids, is_closing=self._is_last(), after=self._lane.vary)
        self._lane.accounts.close(exchange, "POST")
        self.send()

    def _is_last(self) -> bool:
        return not self._is_kept or self._lane.service.is_draining

    def send(self) -> None:
        """Write the answer that was made and counted, and go on with what has come meanwhile."""
        self.transport.write(self._reply)
        self.server_state.total_requests += 1
        self.exchange = self._job = None
        if self._is_last():
            self.transport.close()
            return
        self._waits_since = self.loop.time()
        if self._later:
            later, self._later = b"".join(self._later), []
            self.flow.resume_reading()
            self.data_received(later)

    def shutdown(self) -> None:
        """Close as soon as nothing is in flight; the ordinary road waits for a body that has begun."""
        if self._begun:
            begun, self._begun = self._begun, b""
            super().data_received(begun)
        if self.exchange is None:
            super().shutdown()
        else:
            self._is_kept = False

    def connection_lost(self, exc: Exception | None) -> None:
        """Do nothing more for a caller that has left."""
        if self.exchange is not None:
            if self._job is not None:
                self._job.cancel()
            self.exchange.status = CLOSED_BY_CALLER
            self._lane.accounts.close(self.exchange, "POST")
            self.exchange = None
        super().connection_lost(exc)

    @property
    def is_answering(self) -> bool:
        """Whether a request of the lane is in flight."""
        return self.exchange is not None
