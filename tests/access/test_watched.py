"""Files that are read anew when they change."""

import os
from pathlib import Path

import pytest

from lading.access.secret_file import read_secret_file
from lading.access.watched import Watched


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "keys.json"
    path.write_text("one")
    path.chmod(0o600)
    return path


def watched(path: Path) -> Watched[bytes]:
    return Watched(path, lambda path: read_secret_file(path, strict=True))


def replaced(path: Path, text: str, mode: int = 0o600) -> None:
    new = path.with_suffix(".new")
    new.write_text(text)
    new.chmod(mode)
    os.replace(new, path)


def test_what_has_not_changed_is_not_read(path: Path):
    held = watched(path)
    assert not held.refresh()
    replaced(path, "two")
    assert (held.refresh(), held.content, held.refresh()) == (True, b"two", False)


def test_what_could_not_be_read_is_tried_again_until_it_can(path: Path, caplog: pytest.LogCaptureFixture):
    held = watched(path)
    replaced(path, "two", mode=0o644)
    assert [held.refresh() for _ in range(3)] == [False] * 3
    assert held.content == b"one"
    assert len(caplog.records) == 1
    path.chmod(0o600)  # which changes neither its content nor its time
    assert (held.refresh(), held.content) == (True, b"two")


def test_a_file_that_others_may_read_from_now_on_is_told(path: Path, caplog: pytest.LogCaptureFixture):
    held = watched(path)
    path.chmod(0o604)
    assert not held.refresh()
    assert "is open to others" in caplog.text


def test_a_file_that_is_gone_for_a_moment_is_read_when_it_is_back(path: Path):
    held = watched(path)
    path.unlink()
    assert not held.refresh()
    replaced(path, "two")
    assert (held.refresh(), held.content) == (True, b"two")
