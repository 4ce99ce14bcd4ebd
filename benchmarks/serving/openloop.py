"""The open loop: requests at a constant rate, whether or not those before them are answered.

A request's latency begins when it was to be sent, so that waiting for a free connection, or for this program, counts.
Runs in a process of its own: reads a `Load` as JSON from stdin, and prints what came of it.
"""

import gc
import json
import math
import select
import socket
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

GRACE_S = 3.0
"""How long answers are waited for after the last request was to be sent."""
TURN = 32
"""Requests that are sent before answers are read again."""
SETTLED = 0.25
"""The share of a load after which a server does what it will go on doing."""


@dataclass(frozen=True)
class Load:
    """A constant rate of one request, over at most so many connections."""

    port: int
    path: str
    content_type: str
    body: str
    rate: float
    seconds: float
    connections: int

    def bytes(self) -> bytes:
        """The request as it goes over the wire."""
        body = self.body.encode()
        head = f"POST {self.path} HTTP/1.1\r\nhost: 127.0.0.1:{self.port}\r\ncontent-type: {self.content_type}\r\n"
        return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def open_loop(load: Load) -> dict[str, Any]:
    """What came of the load: latencies from the intended time of sending, and answers by status."""
    done = subprocess.run(
        [sys.executable, __file__],
        input=json.dumps(asdict(load)),
        capture_output=True,
        text=True,
        timeout=load.seconds + GRACE_S + 60,
        check=True,
    )
    outcome: dict[str, Any] = json.loads(done.stdout)
    return outcome


class Connection:
    """One connection, made when it is first used, with at most one request on its way."""

    def __init__(self, port: int, poll: select.epoll) -> None:
        self._port = port
        self._poll = poll
        self._socket: socket.socket | None = None
        self._to_send = b""
        self._received = b""
        self.intended = 0.0
        self.is_busy = False

    def send(self, request: bytes, intended: float) -> int:
        """Sends the request, or begins to; returns the descriptor whose events are for `on_event`."""
        self.intended, self._to_send, self._received = intended, request, b""
        self.is_busy = True
        if self._socket is None:
            self._socket = socket.socket()
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.connect_ex(("127.0.0.1", self._port))
            self._poll.register(self._socket.fileno(), select.EPOLLOUT)
        else:
            self._write()
        return self._socket.fileno()

    def on_event(self) -> int:
        """The status of the answer, where it is whole now; 0 where there is none; -1 where the connection broke."""
        if self._socket is None:  # closed by an event before this one
            return 0
        if not self.is_busy:  # the server has closed what nobody used
            self.close()
            return 0
        status = self._go_on()
        self.is_busy = not status
        return status

    def _go_on(self) -> int:
        assert self._socket is not None
        try:
            if self._to_send:
                self._write()
                if not self._to_send:
                    self._poll.modify(self._socket.fileno(), select.EPOLLIN)
                return 0
            return self._read()
        except OSError:
            self.close()
            return -1

    def _write(self) -> None:
        assert self._socket is not None
        sent = self._socket.send(self._to_send)
        self._to_send = self._to_send[sent:]
        if self._to_send:
            self._poll.modify(self._socket.fileno(), select.EPOLLOUT)

    def _read(self) -> int:
        assert self._socket is not None
        some = self._socket.recv(65536)
        self._received += some
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not some or (end and len(body) >= _length(head.lower())):
            status = int(head[9:12]) if end else -1
            if not some or b"connection: close" in head.lower():
                self.close()
            return status
        return 0

    def close(self) -> None:
        """Gives the descriptor back; the next request connects anew."""
        if self._socket is not None:
            self._socket.close()  # which takes it out of the poll, too
            self._socket = None


def _length(head: bytes) -> int:
    at = head.find(b"\r\ncontent-length:")
    return int(head[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else sys.maxsize


class Run:
    """A load on its way, and what came of it so far."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._request = load.bytes()
        self._poll = select.epoll()
        self._idle = deque(Connection(load.port, self._poll) for _ in range(load.connections))
        self._connected: dict[int, Connection] = {}
        self._busy = 0
        self._total = int(load.rate * load.seconds)
        self._sent = 0
        self._start = 0.0
        self._idle_since = 0.0
        self.lags: list[float] = []
        self.statuses: Counter[int] = Counter()
        self.latencies: dict[bool, list[float]] = {True: [], False: []}
        self.answered_when_settled = 0

    def go(self) -> None:
        """Sends and reads until all is answered, or the grace is over."""
        self._start = time.perf_counter() + 0.05
        end = self._start + self._load.seconds + GRACE_S
        while (now := time.perf_counter()) < end and (self._sent < self._total or self._busy):
            self._send_what_is_due(now)
            events = self._poll.poll(0, 512)
            if events:
                self._take(events)
            else:
                self._wait(end)
        self._give_up()

    def _give_up(self) -> None:
        """What is not answered took at least until now: without it, the latencies would look better than they are."""
        now = time.perf_counter()
        due = [self._start + number / self._load.rate for number in range(self._sent, self._total)]
        due += [connection.intended for connection in self._connected.values() if connection.is_busy]
        self.latencies[True] += [now - each for each in due]
        self.unanswered = len(due)

    def _due(self) -> float:
        return self._start + self._sent / self._load.rate

    def _send_what_is_due(self, now: float) -> None:
        for _ in range(TURN):
            due = self._due()
            if due > now or self._sent >= self._total:
                return
            if not self._idle:
                self._idle_since = math.inf
                return
            connection = self._idle.pop()
            try:
                self._connected[connection.send(self._request, due)] = connection
                self._busy += 1
                self.lags.append(now - max(due, self._idle_since))
            except OSError:
                connection.close()
                connection.is_busy = False
                self._idle.append(connection)
                self.statuses[-1] += 1
            self._sent += 1

    def _wait(self, end: float) -> None:
        # In seconds with microseconds, which epoll itself does not take.
        until = self._due() if self._idle and self._sent < self._total else end
        wait_s = until - time.perf_counter()
        if wait_s > 0:
            select.select([self._poll.fileno()], [], [], min(wait_s, 0.05))

    def _take(self, events: Sequence[tuple[int, int]]) -> None:
        now = time.perf_counter()
        for descriptor, _ in events:
            connection = self._connected[descriptor]
            status = connection.on_event()
            if status:
                self._busy -= 1
                self._idle.append(connection)
                self._idle_since = min(self._idle_since, now)
                self._count(status, now, now - connection.intended)

    def _count(self, status: int, now: float, latency_s: float) -> None:
        self.statuses[status] += 1
        self.latencies[status == 200].append(latency_s)
        if status == 200 and SETTLED <= (now - self._start) / self._load.seconds <= 1:
            self.answered_when_settled += 1

    def figures(self) -> dict[str, Any]:
        """In the words of the results."""
        statuses = {str(status if status > 0 else "broken"): count for status, count in sorted(self.statuses.items())}
        if self.unanswered:
            statuses["unanswered"] = self.unanswered
        good, refused = self.latencies[True], self.latencies[False]
        return {
            "rate": self._load.rate,
            "goodput_s": self.answered_when_settled / (1 - SETTLED) / self._load.seconds,
            "statuses": statuses,
            **{f"{name}_ms": 1000 * percentile(good, share) for name, share in PERCENTILES.items()},
            **{f"refusal_{name}_ms": 1000 * percentile(refused, share) for name, share in PERCENTILES.items()},
            "late_p99_ms": 1000 * percentile(self.lags, 0.99),
        }


PERCENTILES = {"p50": 0.5, "p99": 0.99, "p999": 0.999}


def percentile(values: list[float], share: float) -> float:
    """The nearest-rank percentile; 0 of nothing."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0


def main() -> None:
    run = Run(Load(**json.load(sys.stdin)))
    gc.disable()
    run.go()
    print(json.dumps(run.figures()))


if __name__ == "__main__":
    main()
