"""A service that answers whatever it is told to, and one that asks another service and spoils its replies."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec

from lading.remote.wire import Reply, Request, ask

Spoil = Callable[[Request, Reply], Reply]
OF_THE_CONNECTION = {"connection", "content-length", "date", "server", "transfer-encoding"}


@contextlib.contextmanager
def answering(answer: Callable[[Request], Reply]) -> Iterator[str]:
    """The address of a service in a thread that answers whatever it is told to."""

    class Handler(BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65_537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            reply = answer(Request(self.command, self.path, body or None, tuple(self.headers.items())))
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                if name not in OF_THE_CONNECTION:
                    self.send_header(name, value)
            self.send_header("content-length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: tests are quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def spoiled(url: str, spoil: Spoil) -> Iterator[str]:
    """The address of a service that asks another one and spoils its replies."""

    def answer(request: Request) -> Reply:
        kept = tuple((name, value) for name, value in request.headers if name.lower() != "host")
        request = msgspec.structs.replace(request, headers=kept)
        return spoil(request, ask(url, request))

    with answering(answer) as relay:
        yield relay
