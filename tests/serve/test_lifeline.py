"""A process ends when the pipe to its parent closes, whatever it does; and goes on while it does not."""

import os
import subprocess
import sys
import threading

from lading.serve.lifeline import ORPHANED, Lifeline, is_cut

SPINNING = """
import sys
from lading.serve.lifeline import Lifeline
with Lifeline(0):
    print("begun", flush=True)
    while True:
        pass
"""


def test_a_busy_process_ends_with_its_parents_pipe():
    process = subprocess.Popen([sys.executable, "-c", SPINNING], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    assert process.poll() is None
    process.stdin.close()
    assert process.wait(60) == ORPHANED
    process.stdout.close()


def test_after_the_block_no_thread_is_left():
    read, write = os.pipe()
    before = threading.active_count()
    with Lifeline(read):
        assert threading.active_count() == before + 1
    assert threading.active_count() == before
    os.close(write)
    os.close(read)


def test_a_pipe_is_cut_when_its_last_holder_closes_it():
    read, write = os.pipe()
    other = os.dup(write)
    os.close(write)
    assert not is_cut(read)
    os.close(other)
    assert is_cut(read)
    os.close(read)
