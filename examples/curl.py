"""What the examples need of curl, from the standard library, for machines that have no curl."""

import argparse
import base64
import http.client
import socket
import ssl
import sys
from pathlib import Path
from urllib.parse import urlsplit

parser = argparse.ArgumentParser(prog="curl")
parser.add_argument("url")
parser.add_argument("-s", "--silent", action="store_true", help="there is no progress to be silent about")
parser.add_argument("-i", "--include", action="store_true", help="print the status and the headers too")
parser.add_argument("-X", "--request", metavar="METHOD")
parser.add_argument("-H", "--header", action="append", default=[])
parser.add_argument("-d", "--data", "--data-binary", metavar="TEXT|@FILE")
parser.add_argument("-F", "--form", metavar="NAME=@FILE", action="append", default=[])
parser.add_argument("-u", "--user", metavar="NAME:PASSWORD")
parser.add_argument("--unix-socket", metavar="FILE")
parser.add_argument("--cacert", metavar="FILE")
parser.add_argument("--cert", metavar="FILE")
parser.add_argument("--key", metavar="FILE")

BOUNDARY = "------------------------curl"


def read(data: str) -> bytes:
    if not data.startswith("@"):
        return data.encode()
    return sys.stdin.buffer.read() if data == "@-" else Path(data[1:]).read_bytes()


def form(fields: list[str]) -> bytes:
    parts = [(name, Path(value[1:])) for name, _, value in (field.partition("=") for field in fields)]
    head = '--{}\r\nContent-Disposition: form-data; name="{}"; filename="{}"\r\n\r\n'
    files = [head.format(BOUNDARY, name, path.name).encode() + path.read_bytes() + b"\r\n" for name, path in parts]
    return b"".join([*files, f"--{BOUNDARY}--\r\n".encode()])


def connected(host: str, port: int | None, *, is_encrypted: bool) -> http.client.HTTPConnection:
    if is_encrypted:
        context = ssl.create_default_context(cafile=asked.cacert)
        if asked.cert:
            context.load_cert_chain(asked.cert, asked.key)
        return http.client.HTTPSConnection(host, port, timeout=30, context=context)
    connection = http.client.HTTPConnection(host, port, timeout=30)
    if asked.unix_socket:
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(asked.unix_socket)
    return connection


asked = parser.parse_args()
url = urlsplit(asked.url if "://" in asked.url else f"http://{asked.url}")
body = read(asked.data) if asked.data is not None else None
headers = {name: value.strip() for name, _, value in (header.partition(":") for header in asked.header)}
if asked.form:
    body = form(asked.form)
    headers["Content-Type"] = f"multipart/form-data; boundary={BOUNDARY}"
elif body is not None and "content-type" not in map(str.lower, headers):
    headers["Content-Type"] = "application/x-www-form-urlencoded"
if asked.user:
    headers["Authorization"] = f"Basic {base64.b64encode(asked.user.encode()).decode()}"

connection = connected(url.hostname or "", url.port, is_encrypted=url.scheme == "https")
connection.request(
    asked.request or ("GET" if body is None else "POST"),
    (url.path or "/") + (f"?{url.query}" if url.query else ""),
    body,
    headers,
)
answer = connection.getresponse()
if asked.include:
    lines = [f"HTTP/1.1 {answer.status} {answer.reason}", *(f"{name}: {value}" for name, value in answer.getheaders())]
    print(*lines, "", sep="\n", flush=True)
sys.stdout.buffer.write(answer.read())
