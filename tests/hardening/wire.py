"""Bytes to a server and back, as no client would send them: one connection, or a crowd that trickles."""

import contextlib
import re
import selectors
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

Connect = Callable[[], socket.socket]
WAIT_S = 10.0
_STATUS = re.compile(rb"(?:^|\n|\})HTTP/1\.1 (\d{3}) ")


def sent(address: tuple[str, int], *parts: bytes, ends: bool = False) -> bytes:
    """All that comes back until the server closes; what it does not want to read is not sent."""
    with socket.create_connection(address, timeout=WAIT_S) as connection:
        try:
            for part in parts:
                connection.sendall(part)
            if ends:
                connection.shutdown(socket.SHUT_WR)
        except OSError:  # it has answered and closed: what it said can still be read
            pass
        return received(connection)


def received(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    data = b""
    try:
        while part := connection.recv(1 << 16):
            data += part
    except ConnectionResetError:
        pass
    return data


def answer(connection: socket.socket) -> bytes:
    """One whole answer, after which the connection may go on."""
    data = b""
    while not _is_whole(data) and (part := connection.recv(1 << 16)):
        data += part
    return data


def _is_whole(data: bytes) -> bool:
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: (\d+)", head)
    return length is not None and len(body) >= int(length[1])


def statuses(data: bytes) -> list[int]:
    """The status of each answer in these bytes."""
    return [int(number) for number in _STATUS.findall(data)]


# --- crowds


@dataclass
class Member:
    """One connection of a crowd.

    Attributes:
        lived_s: until the server closed it; 0 while it lives.
    """

    connection: socket.socket
    began_s: float = field(default_factory=time.monotonic)
    lived_s: float = 0.0
    told: bytes = b""

    def hear(self) -> bool:
        """Take what has come; False when the server has closed."""
        try:
            part = self.connection.recv(1 << 16)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except (ConnectionError, ssl.SSLError):
            part = b""
        self.told += part
        if not part:
            self.lived_s = time.monotonic() - self.began_s
        return bool(part)

    def say(self, part: bytes) -> None:
        """Send a little; nobody may be there to read it."""
        with contextlib.suppress(OSError):
            self.connection.send(part)


def crowd(
    connect: Callable[[], socket.socket],
    count: int,
    first: bytes,
    *,
    then: bytes = b"",
    meanwhile: Callable[[], object],
) -> list[Member]:
    """Connections that say something first and then a little each tenth of a second, until the server has closed all.

    Args:
        connect: makes one.
        count: of connections.
        first: what each says at once.
        then: what each says again and again; nothing where it is empty.
        meanwhile: called each tenth of a second.
    """
    with selectors.DefaultSelector() as selector:
        members = [_joined(connect, first) for _ in range(count)]
        for member in members:
            selector.register(member.connection, selectors.EVENT_READ, member)
        try:
            _listen(selector, then, meanwhile)
        finally:
            for member in members:
                member.connection.close()
    return members


def _joined(connect: Connect, first: bytes) -> Member:
    member = Member(connect())
    member.say(first)
    member.connection.setblocking(False)
    return member


def _listen(selector: selectors.BaseSelector, then: bytes, meanwhile: Callable[[], object]) -> None:
    end = time.monotonic() + WAIT_S
    while alive := _alive(selector):
        assert time.monotonic() < end, f"{len(alive)} connections were never closed"
        for member in alive if then else ():
            member.say(then)
        meanwhile()
        tick = time.monotonic() + 0.1
        while (left_s := tick - time.monotonic()) > 0 and selector.get_map():
            for key, _ in selector.select(left_s):
                if not key.data.hear():
                    selector.unregister(key.fileobj)
                    key.data.connection.close()


def _alive(selector: selectors.BaseSelector) -> list[Member]:
    return [key.data for key in selector.get_map().values()]


def chunks(parts: Iterable[bytes]) -> Iterable[bytes]:
    """A body in chunks."""
    for part in parts:
        yield b"%x\r\n%b\r\n" % (len(part), part)
    yield b"0\r\n\r\n"
