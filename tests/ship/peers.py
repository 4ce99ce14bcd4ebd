"""Who a bundle is fetched from in tests: real servers, each on a free port of this machine."""

import base64
import contextlib
import functools
import hashlib
import hmac
import re
import shutil
import ssl
import subprocess
import threading
import urllib.request
import warnings
from collections.abc import Callable, Iterator, Mapping
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

AZURITE = shutil.which("azurite-blob")
ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""What Azurite knows, as everybody does."""

Files = Mapping[str, bytes]


# --- S3


@contextlib.contextmanager
def s3(bucket: str, files: Files) -> Iterator[str]:
    """The endpoint of a store with one bucket, which only who has credentials may read."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
        client.create_bucket(Bucket=bucket)
        for name, data in files.items():
            client.put_object(Bucket=bucket, Key=name, Body=data)
        client.close()
        yield endpoint
    finally:
        server.stop()


# --- Azure


@contextlib.contextmanager
def azure(container: str, files: Files) -> Iterator[str]:
    """The endpoint of a store with one container."""
    command = [str(AZURITE), "--inMemoryPersistence", "--blobPort", "0", "--skipApiVersionCheck"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            lines = iter(process.stdout.readline, "")
            endpoint = next(found[1] for line in lines if (found := re.search(r"listens on (http\S+)", line)))
            _put_blob(endpoint, f"/{container}", b"", query="?restype=container")
            for name, data in files.items():
                _put_blob(endpoint, f"/{container}/{name}", data, {"x-ms-blob-type": "BlockBlob"})
            yield f"{endpoint}/{ACCOUNT}"
        finally:
            process.terminate()


def _put_blob(endpoint: str, path: str, data: bytes, fields: Mapping[str, str] | None = None, query: str = "") -> None:
    """As "Authorize with Shared Key" of the reference of Azure's REST API has it."""
    kind = "application/octet-stream"
    own = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-08-06", **(fields or {})}
    lines = ["PUT", "", "", str(len(data) or ""), "", kind, "", "", "", "", "", ""]
    lines += [f"{name}:{own[name]}" for name in sorted(own)]
    lines += [f"/{ACCOUNT}/{ACCOUNT}{path}" + ("\nrestype:container" if query else "")]
    signed = hmac.digest(base64.b64decode(ACCOUNT_KEY), "\n".join(lines).encode(), hashlib.sha256)
    own |= {"Authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(signed).decode()}", "Content-Type": kind}
    request = urllib.request.Request(f"{endpoint}/{ACCOUNT}{path}{query}", data, own, method="PUT")
    urllib.request.urlopen(request, timeout=10).close()


# --- Google


@contextlib.contextmanager
def google(bucket: str, files: Files) -> Iterator[str]:
    """The endpoint of a store with one bucket, which anybody may read."""
    from gcp_storage_emulator.server import RequestHandler, create_server

    server = create_server("127.0.0.1", 0, in_memory=True, default_bucket=bucket)
    server.start()
    try:
        listener = server._api._httpd
        dated = type("Dated", (RequestHandler,), {"end_headers": _end_dated})
        listener.RequestHandlerClass = functools.partial(dated, *listener.RequestHandlerClass.args)
        endpoint = f"http://127.0.0.1:{listener.server_address[1]}"
        for name, data in files.items():
            url = f"{endpoint}/upload/storage/v1/b/{bucket}/o?uploadType=media&name={name}"
            urllib.request.urlopen(urllib.request.Request(url, data, {"Content-Type": "x/y"}), timeout=10).close()
        yield endpoint
    finally:
        server.stop()


def _end_dated(handler: BaseHTTPRequestHandler) -> None:
    # The store itself says which object it is and of when, which this emulator leaves out of its XML interface
    handler.send_header("ETag", '"1"')
    handler.send_header("Last-Modified", formatdate(usegmt=True))
    BaseHTTPRequestHandler.end_headers(handler)


# --- FTP


@contextlib.contextmanager
def ftp(folder: Path, user: str, password: str) -> Iterator[str]:
    """The host and port of a server that shows a folder to one user."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of asyncore, which later Pythons get as a package
        from pyftpdlib.authorizers import DummyAuthorizer
        from pyftpdlib.handlers import FTPHandler
        from pyftpdlib.ioloop import IOLoop
        from pyftpdlib.servers import FTPServer

    authorizer = DummyAuthorizer()
    authorizer.add_user(user, password, str(folder), perm="elr")
    handler = type("Handler", (FTPHandler,), {"authorizer": authorizer, "passive_ports": None})
    loop = IOLoop()
    server = FTPServer(("127.0.0.1", 0), handler, ioloop=loop)
    is_over = threading.Event()
    thread = threading.Thread(target=lambda: _turn(server, is_over))
    thread.start()
    try:
        yield f"127.0.0.1:{server.address[1]}"
    finally:
        is_over.set()
        thread.join(10)
    assert not thread.is_alive()


def _turn(server: object, is_over: threading.Event) -> None:
    while not is_over.is_set():
        server.serve_forever(timeout=0.05, blocking=False, handle_exit=False)
    server.close_all()


# --- the web

Answer = Callable[[BaseHTTPRequestHandler], None]


@contextlib.contextmanager
def web(answers: Mapping[str, Answer | bytes], tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """The address of a server that answers at these paths, whatever the query."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = answers.get(self.path.partition("?")[0])
            if callable(answer):
                answer(self)
            else:
                send(self, 404 if answer is None else 200, answer or b"")

        def log_message(self, *_: object) -> None:
            """Nothing: what was asked for may be secret here too."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # a client that leaves is what some tests are about
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def send(handler: BaseHTTPRequestHandler, status: int, body: bytes = b"", **fields: str) -> None:
    """Answer with a body, or with as much of it as `Content-Length` does not say."""
    handler.send_response(status)
    for name, value in ({"Content_Length": str(len(body))} | fields).items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)
