"""Uvicorn's HTTP/1.1 protocol, guarded: bounds on heads and connections, deadlines, strict framing.

The parser is httptools' (llhttp, strict). What it tolerates and what nobody should rely on is refused by `guard`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sized
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from lading.access.certificates import Certificates
from lading.access.principal import Principal
from lading.errors import LadingError, Unauthenticated
from lading.http.accounts import Accounts
from lading.http.admission import CERTIFIED
from lading.http.connections import Connections, TooManyConnections
from lading.http.guard import (
    MAX_FIELDS,
    MAX_TARGET_BYTES,
    Malformed,
    TooManyBytes,
    TooSlow,
    check_head,
    check_trailer,
)
from lading.http.ids import ids_of
from lading.http.problems import HttpError, problem
from lading.http.wire import response_bytes
from lading.settings import Settings

_LINGER_S = 2.0
_FIELD_BYTES = 4
"""Of a field beside its name and its value: colon, space and line end."""


class _Flow(FlowControl):
    """Reads nothing more as long as there are requests that were read and are not begun."""

    def __init__(self, transport: asyncio.Transport, waiting: Sized) -> None:
        super().__init__(transport)
        self._waiting = waiting

    def resume_reading(self) -> None:
        if not self._waiting:
            super().resume_reading()


class GuardedProtocol(HttpToolsProtocol):
    """One connection, within bounds.

    Attributes:
        is_between: no byte of a message has arrived since the last one ended.
        is_refused: nothing that arrives now is read any more.
        certified: whom the certificate of the connection shows.
        on_made: called first when the connection is there.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        accounts: Accounts,
        everybody: Connections,
        certificates: Certificates | None = None,
        **rest: Any,
    ) -> None:
        super().__init__(**rest)
        self._certificates = certificates
        self._settings = settings
        self._accounts = accounts
        self._everybody = everybody
        self._end: asyncio.TimerHandle | None = None
        self._refusal: LadingError | None = None
        self.is_refused = False
        self._head_bytes = self._fed_bytes = 0
        self._is_in_head = self._is_in_body = False
        self._heads = 0
        self._unread_since: float | None = None
        self._closing_since: float | None = None
        self._waits_since: float | None = self.loop.time()
        self.is_between = True
        self.certified: Principal | None = None
        self.on_made: Callable[[], None] = lambda: None

    # --- who is connected

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Come in, or be told that there are too many."""
        super().connection_made(transport)
        self.on_made()
        self.flow = _Flow(transport, self.pipeline)
        try:
            self._everybody.enter(self)
            if self._certificates is not None:
                self.certified = self._certificates.principal_of(transport.get_extra_info("peercert"))
        except (TooManyConnections, Unauthenticated) as error:
            self._refuse(error)

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave nothing behind."""
        self._everybody.leave(self)
        if self._end is not None:
            self._end.cancel()
        super().connection_lost(exc)

    @property
    def is_idle(self) -> bool:
        """Whether the next is to come from the caller: a head, or the rest of one."""
        return self._waits_since is not None or self.timeout_keep_alive_task is not None

    # --- bounds

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and watch how much of a head it has taken."""
        if self.is_refused:
            return
        self._heads, was_between = 0, self.is_between
        super().data_received(data)
        # Where in these bytes a head began is not known, unless it is at their start or they are all its own.
        if self._is_in_head and self._heads <= was_between:
            self._fed_bytes += len(data)
            if self._fed_bytes > self._settings.max_head_bytes:
                self._refuse(TooManyBytes(431, f"the head has more than {self._settings.max_head_bytes} bytes"))

    def on_message_begin(self) -> None:
        """A head begins."""
        self.is_between = False
        self._is_in_head = True
        self._heads += 1
        self._head_bytes = self._fed_bytes = 0
        self._waits_since = self.loop.time()
        super().on_message_begin()
        if self.certified is not None:
            self.scope[CERTIFIED] = self.certified  # type: ignore[literal-required]

    def on_url(self, url: bytes) -> None:
        """Take a part of the target, within bounds."""
        super().on_url(url)
        if len(self.url) > MAX_TARGET_BYTES:
            self._stop(TooManyBytes(414, f"the target has more than {MAX_TARGET_BYTES} bytes"))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field, within bounds; those behind a body are read and left."""
        if not self._is_in_head:
            self._within(check_trailer, name.lower())
            return
        super().on_header(name, value)
        self._head_bytes += len(name) + len(value) + _FIELD_BYTES
        limit = self._settings.max_head_bytes
        if self._head_bytes > limit or len(self.headers) > MAX_FIELDS:
            self._stop(TooManyBytes(431, f"the head has more than {limit} bytes, or {MAX_FIELDS} fields"))

    def on_headers_complete(self) -> None:
        """Begin to answer, if there is only one way to read the head."""
        self._is_in_head = False
        self._waits_since = None
        self._within(check_head, self.parser.get_method(), self.url, self.parser.get_http_version(), self.headers)
        super().on_headers_complete()
        self._is_in_body = True

    def on_message_complete(self) -> None:
        """A message has ended; what comes next is a head."""
        super().on_message_complete()
        self._is_in_body = False
        self.is_between = True
        if self.cycle.response_complete:  # its answer did not wait for its body
            self._waits_since = self.loop.time()

    # --- refusals

    def _within(self, check: Any, *arguments: Any) -> None:
        try:
            check(*arguments)
        except HttpError as error:
            self._stop(error)

    def _stop(self, error: HttpError) -> None:
        """Leave the parser, which gives up on the connection; see `send_400_response`."""
        self._refusal = error
        raise error

    def send_400_response(self, msg: str) -> None:
        """Refuse what the parser gave up on."""
        self._refuse(self._refusal or Malformed("the request is not HTTP/1.1"))

    def _refuse(self, error: LadingError) -> None:
        """Answer with a problem and close, after the requests before this one have been answered."""
        if self.is_refused:
            return
        self.is_refused = True
        self._waits_since = None
        self._refusal = error
        if self._is_in_body:
            self._give_up(self.cycle, error)
        elif self.cycle is None or self.cycle.response_complete:
            self._send_refusal(error)

    def _give_up(self, cycle: Any, error: LadingError) -> None:
        """Refuse a request of which the body cannot be read, unless it has its answer; nobody waits for the body."""
        was_answered, cycle.response_complete = cycle.response_started, True
        if self.pipeline:  # it has not begun: those before it are answered first
            self.pipeline.popleft()
            return
        cycle.disconnected = True
        cycle.message_event.set()
        if was_answered:
            self._linger()
        else:
            self._send_refusal(error)

    def on_response_complete(self) -> None:
        """Go on with what has been pipelined; the last of it may have been refused."""
        is_last = not self.pipeline
        super().on_response_complete()
        if not is_last:
            return
        self._waits_since = self.loop.time()
        if self.is_refused and self._refusal is not None:
            self._send_refusal(self._refusal)

    def _send_refusal(self, error: LadingError) -> None:
        if self.transport.is_closing():
            return
        exchange = self._accounts.open(ids_of(self.headers or ()))
        response = problem(error, exchange.ids.request)
        exchange.status, exchange.code = response.status_code, error.code
        self._accounts.close(exchange, "OTHER")
        self.transport.write(response_bytes(response, self.server_state.default_headers, exchange.ids, is_closing=True))
        self._linger()

    def _linger(self) -> None:
        """Close a little later: the system throws away an answer together with what is unread."""
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._end = self.loop.call_later(_LINGER_S, self.transport.close)

    @property
    def is_answering(self) -> bool:
        """Whether a request is in flight that uvicorn knows nothing of."""
        return False

    # --- deadlines

    def sweep(self, now: float) -> None:
        """End a connection that has had its time: for a head, to begin with one, or to read what was answered."""
        if self.transport.is_closing():
            self._end_closing(now)
        if not self.flow.write_paused:
            self._unread_since = None
        elif self._unread_since is None:
            self._unread_since = now
        elif now - self._unread_since > self._settings.body_timeout_s:
            self.transport.abort()
        if self._waits_since is None:
            return
        waited_s = now - self._waits_since
        if self._is_in_head and waited_s > self._settings.header_timeout_s:
            self._refuse(TooSlow())
        elif not self._is_in_head and waited_s > self._settings.keep_alive_s:
            self.transport.close()

    def _end_closing(self, now: float) -> None:
        """End a connection that was closed, and whose caller goes on: within TLS, all that it sends would be read."""
        self._closing_since = self._closing_since or now
        if now - self._closing_since > _LINGER_S and not self.transport.get_write_buffer_size():
            self.transport.abort()
