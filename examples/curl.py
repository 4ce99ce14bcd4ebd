"""What the examples need of curl, from the standard library, for machines that have no curl."""

import argparse
import http.client
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


def read(data: str) -> bytes:
    if not data.startswith("@"):
        return data.encode()
    return sys.stdin.buffer.read() if data == "@-" else Path(data[1:]).read_bytes()


asked = parser.parse_args()
url = urlsplit(asked.url if "://" in asked.url else f"http://{asked.url}")
body = read(asked.data) if asked.data is not None else None
headers = {name: value.strip() for name, _, value in (header.partition(":") for header in asked.header)}
if body is not None and "content-type" not in map(str.lower, headers):
    headers["Content-Type"] = "application/x-www-form-urlencoded"

connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=30)
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
