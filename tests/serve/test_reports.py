"""Reports of many processes through one pipe: whole, whatever their length and however they interleave."""

import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading import errors
from lading.errors import InputError, LadingError, NotReady, UsageError
from lading.serve.reports import Failed, Gone, Reader, Ready, Unanswered, send


def received(write: int, read: int) -> bytes:
    os.close(write)
    with open(read, "rb") as pipe:
        return pipe.read()


@pytest.mark.parametrize(
    "report", [Gone(7), Unanswered(3), Ready(1, "iris 1.0.0", "ü\n" * 5000), Failed("X", "m", "c")]
)
def test_a_report_arrives_as_it_was_sent(report: object):
    read, write = os.pipe()
    send(write, report)
    assert list(Reader().feed(received(write, read))) == [report]


@given(st.lists(st.integers(1, 300), max_size=30))
def test_bytes_may_come_in_any_portions(sizes: list[int]):
    reports = [Ready(number, "m", "b" * 1000) for number in range(3)]
    read, write = os.pipe()
    for report in reports:
        send(write, report)
    data = received(write, read)
    reader, got = Reader(), []
    for size in sizes:
        got += reader.feed(data[:size])
        data = data[size:]
    assert got + list(reader.feed(data)) == reports


def test_long_reports_of_several_processes_do_not_mix():
    read, write = os.pipe()
    children = []
    for number in range(4):
        pid = os.fork()
        if pid == 0:
            for _ in range(20):
                send(write, Ready(number, "model", str(number) * 3000))
            os._exit(0)
        children.append(pid)
    data: list[bytes] = []
    reading = threading.Thread(target=lambda: data.append(received(write, read)))
    reading.start()
    for child in children:
        assert os.waitpid(child, 0)[1] == 0
    reading.join(60)
    reports = list(Reader().feed(data[0]))
    assert len(reports) == 80
    assert all(report.banner == str(report.pid) * 3000 for report in reports)


def test_nobody_who_listens_is_no_error():
    read, write = os.pipe()
    os.close(read)
    send(write, Gone(1))
    os.close(write)


@pytest.mark.parametrize("error", [UsageError("no", hint="do"), NotReady("not now"), LadingError("x", code="y")])
def test_an_error_is_raised_again_as_it_was(error: LadingError):
    again = Failed.of(error).error()
    assert (type(again), again.message, again.code, again.hint) == (type(error), error.message, error.code, error.hint)


class Strange(errors.BundleError):
    """An error of somebody else's."""


def test_an_error_of_another_class_is_of_the_one_it_derives_from():
    assert type(Failed.of(Strange("x")).error()) is errors.BundleError


@pytest.mark.parametrize("kind", ["InputError", "Any", "nothing", "__name__", "Sequence"])
def test_a_kind_that_cannot_be_raised_is_an_error_all_the_same(kind: str):
    assert type(Failed(kind, "m", "c").error()) is LadingError
    assert not isinstance(Failed(kind, "m", "c").error(), InputError)
