"""A server that was started with its standard streams closed, full or read by nobody."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CLOSED = """
import os, socket, sys
for fd in {closed}:
    os.close(fd)
sys.stdout = sys.stderr = None
from lading.serve.streams import announce, open_missing_streams
open_missing_streams()
assert socket.socket().fileno() > 2
print("to somebody", file=sys.stderr)
announce("ready")
"""
TOLD = """
from lading.serve.streams import announce
announce("ready")
print("later")
"""


@pytest.mark.parametrize("closed", [[0], [2], [1, 2], [0, 1, 2]])
def test_no_socket_gets_the_number_of_a_closed_stream(closed: list[int]):
    assert subprocess.run([sys.executable, "-c", CLOSED.format(closed=closed)], timeout=60).returncode == 0


def test_a_text_that_cannot_be_printed_is_no_error():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-c", TOLD], stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"later\n")


def test_a_text_that_nobody_reads_is_no_error():
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-c", TOLD], stdout=write, stderr=subprocess.PIPE, timeout=60)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"later\n")
