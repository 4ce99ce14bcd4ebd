"""Folders that are written: what is new, what changes, what stays."""

from pathlib import Path

import pytest

from lading.errors import UsageError
from lading.ship.files import File, change_of, diff_of, text_file, within, write_files


def test_what_is_written_is_the_same_afterwards(tmp_path: Path):
    (tmp_path / "source").write_bytes(b"large")
    files = [text_file("a/b.txt", "words\n"), File("run.sh", b"#!/bin/sh\n", True), File("copy", tmp_path / "source")]
    assert {change_of(file, tmp_path / "out") for file in files} == {"new"}
    write_files(files, tmp_path / "out")
    assert {change_of(file, tmp_path / "out") for file in files} == {"same"}
    assert (tmp_path / "out" / "run.sh").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "out" / "a" / "b.txt").stat().st_mode & 0o777 == 0o644


def test_a_file_that_is_there_changes_when_its_content_or_its_mode_does(tmp_path: Path):
    write_files([text_file("run.sh", "one\n")], tmp_path)
    assert change_of(text_file("run.sh", "two\n"), tmp_path) == "changed"
    assert change_of(text_file("run.sh", "one\n", is_executable=True), tmp_path) == "changed"


def test_a_copy_changes_when_its_source_does(tmp_path: Path):
    source = tmp_path / "source"
    source.write_bytes(b"one")
    write_files([File("copy", source)], tmp_path / "out")
    for data in (b"two", b"longer"):
        source.write_bytes(data)
        assert change_of(File("copy", source), tmp_path / "out") == "changed"


def test_the_difference_is_told_line_by_line_and_nothing_is_written(tmp_path: Path):
    write_files([text_file("a.txt", "one\ntwo\n")], tmp_path)
    assert diff_of(text_file("a.txt", "one\ntwo\n"), tmp_path) == ""
    assert diff_of(text_file("a.txt", "one\n2\n"), tmp_path).splitlines()[2:] == [
        "@@ -1,2 +1,2 @@",
        " one",
        "-two",
        "+2",
    ]
    assert diff_of(text_file("b.txt", "new\n"), tmp_path).startswith("--- /dev/null\n+++ b/b.txt\n")
    assert not (tmp_path / "b.txt").exists()


def test_a_copy_is_told_by_its_name(tmp_path: Path):
    (tmp_path / "source").write_bytes(bytes(100))
    assert diff_of(File("copy", tmp_path / "source"), tmp_path / "out") == "new: copy\n"


def test_other_files_of_the_folder_stay(tmp_path: Path):
    (tmp_path / "mine").write_text("mine")
    write_files(within("sub", [text_file("a", "a")]), tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "mine", "sub"]


def test_a_folder_that_is_a_file_is_told(tmp_path: Path):
    (tmp_path / "out").write_text("")
    with pytest.raises(UsageError, match="out"):
        write_files([text_file("a", "a")], tmp_path / "out")


def test_nothing_is_written_through_a_link(tmp_path: Path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "trust").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="behind a link"):
        write_files([text_file("trust/a", "a")], tmp_path / "out")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_what_is_no_text_is_told_by_its_name(tmp_path: Path):
    assert diff_of(File("a.whl", b"PK\x03\x04\xff"), tmp_path) == "new: a.whl\n"
    assert diff_of(File("b.txt", b"\x1b[2Jcleared\n"), tmp_path) == "new: b.txt\n"
