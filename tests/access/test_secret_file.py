"""Files that nobody else may read."""

import os
from pathlib import Path

import pytest

from lading.access.secret_file import is_open_to_others, locked, read_secret_file, write_secret_file
from lading.errors import LadingError, NotForProduction, SettingsError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    write_secret_file(path, b"one")
    return path


def test_what_is_written_is_read_and_is_its_owners_alone(path: Path):
    assert read_secret_file(path, strict=True) == b"one"
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o604, 0o620, 0o602, 0o644, 0o666, 0o610])
def test_a_file_that_is_open_to_others_is_refused_where_it_is_said(mode: int, path: Path):
    path.chmod(mode)
    with pytest.raises(NotForProduction, match=f"is open to others: its mode is 0{mode:o}") as refused:
        read_secret_file(path, strict=True)
    assert refused.value.hint == f"chmod 600 {path}"


def test_and_warned_of_elsewhere(path: Path, caplog: pytest.LogCaptureFixture):
    path.chmod(0o644)
    assert read_secret_file(path, strict=False) == b"one"
    assert caplog.messages == [f"{path} is open to others: its mode is 0644; chmod 600"]


@pytest.mark.parametrize("reader", [0, 1000])
@pytest.mark.parametrize(
    ("owner", "mode", "is_open"),
    [
        (0, 0o640, False),
        (0, 0o644, True),
        (0, 0o660, True),
        (0, 0o600, False),
        (1000, 0o640, True),
        (1000, 0o600, False),
    ],
)
def test_root_alone_may_give_a_file_to_a_group(
    owner: int, mode: int, is_open: bool, reader: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(os, "geteuid", lambda: reader)
    found = os.stat_result((0o100000 | mode, 0, 0, 1, owner, 1000, 0, 0, 0, 0))
    assert is_open_to_others(found) == is_open


@pytest.mark.parametrize(("strict", "kind"), [(True, NotForProduction), (False, SettingsError)])
def test_what_is_no_file_is_refused(strict: bool, kind: type[LadingError], path: Path):
    os.mkfifo(path.with_name("pipe"))
    for name, message in {
        "none": "there is no file",
        "pipe": "is no regular file",
        ".": "is no regular file",
    }.items():
        with pytest.raises(kind, match=message):
            read_secret_file(path.parent / name, strict=strict)


def test_a_link_is_followed_to_a_file_that_nobody_else_may_read(path: Path):
    link = path.with_name("link")
    link.symlink_to(path)
    assert read_secret_file(link, strict=True) == path.read_bytes()
    path.chmod(0o644)
    with pytest.raises(NotForProduction, match="is open to others"):
        read_secret_file(link, strict=True)


def test_a_file_that_is_too_large_is_refused(path: Path):
    with path.open("r+b") as file:
        file.truncate((16 << 20) + 1)
    with pytest.raises(SettingsError, match="more than 16777216 bytes"):
        read_secret_file(path, strict=False)


def test_a_failed_write_leaves_the_file_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(LadingError, match=r"cannot write .*: No space left on device"):
        write_secret_file(path, b"two")
    assert [each.name for each in path.parent.iterdir()] == ["secret"]
    assert path.read_bytes() == b"one"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_keeps_the_owner_that_it_had(path: Path):
    os.chown(path, 1234, 2345)
    write_secret_file(path, b"two")
    assert (path.stat().st_uid, path.stat().st_gid, path.stat().st_mode & 0o777) == (1234, 2345, 0o600)


def test_what_is_kept_from_others_can_be_locked_where_there_is_no_folder_yet(tmp_path: Path):
    path = tmp_path / "a" / "b" / "keys.json"
    with locked(path):
        write_secret_file(path, b"one")
    assert path.parent.stat().st_mode & 0o077 == 0


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path):
    (tmp_path / "a").write_text("")
    with pytest.raises(LadingError, match="cannot write beside"), locked(tmp_path / "a" / "keys.json"):
        pass
