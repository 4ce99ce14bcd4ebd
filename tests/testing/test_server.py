"""`serve`: a service that is ready, and gone afterwards."""

from pathlib import Path

import pytest

from lading.errors import LadingError
from lading.remote.wire import Request, ask
from lading.testing import serve

READY = Request("GET", "/ready")


def test_it_is_ready_and_then_gone(iris_path: Path):
    with serve(str(iris_path)) as url:
        assert ask(url, READY).status == 200
    with pytest.raises(LadingError, match="nothing answers at"):
        ask(url, READY)


def test_it_is_gone_when_a_test_fails(iris_path: Path):
    with pytest.raises(ZeroDivisionError), serve(iris_path) as url:
        raise ZeroDivisionError
    with pytest.raises(LadingError, match="nothing answers at"):
        ask(url, READY)


def test_options_are_those_of_serve(iris_path: Path):
    with serve(iris_path, "--max-rows", "1") as url:
        body = b'{"X": [[5.1, 3.5, 1.4, 0.2], [5.1, 3.5, 1.4, 0.2]]}'
        reply = ask(url, Request("POST", "/predict", body, (("content-type", "application/json"),)))
    assert str(reply) == "413 input.too_large"


def test_workers_are_gone_too(iris_path: Path):
    with serve(iris_path, "--workers", "2") as url:
        assert ask(url, READY).status == 200
    with pytest.raises(LadingError, match="nothing answers at"):
        ask(url, READY)


def test_why_it_does_not_start_is_said(tmp_path: Path):
    path = tmp_path / "broken.lading"
    path.write_bytes(b"no bundle")
    with pytest.raises(LadingError, match=r"(?s)did not start: exit code 3.*error: .*is not a bundle"), serve(path):
        pass


def test_it_is_not_waited_for_without_end(iris_path: Path):
    words = "was not ready within 0 s"
    with pytest.raises(LadingError, match=words), serve(iris_path, timeout_s=0):
        pass
