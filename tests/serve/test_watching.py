"""What is noticed when files change."""

import os
from pathlib import Path

import pytest

from lading.serve.watching import MAX_FILES, Changed, stamps


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    folder = tmp_path / "models"
    folder.mkdir()
    path = folder / "model.joblib"
    path.write_bytes(b"1")
    return path


def write(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"another")


@pytest.mark.parametrize("name", ["model.joblib", "lading.toml", "own.py", "package/own.py", "../work/own.py"])
def test_a_change_is_noticed_once_it_has_settled(model: Path, name: str):
    changed = Changed(stamps(model))
    write(model.parent / name)
    looks = [changed.look(stamps(model)) for _ in range(4)]
    assert [look and Path(look).name for look in looks] == [None, Path(name).name, None, None]


@pytest.mark.parametrize("name", ["other.joblib", ".venv/code.py", "__pycache__/own.py", "site-packages/lib.py"])
def test_what_is_not_its_own_is_not_watched(model: Path, name: str):
    before = stamps(model)
    write(model.parent / name)
    assert stamps(model) == before


def test_a_file_that_is_still_written_is_waited_for(model: Path):
    changed = Changed(stamps(model))
    for size in range(2, 6):
        model.write_bytes(b"x" * size)
        assert changed.look(stamps(model)) is None
    assert changed.look(stamps(model)) == str(model)


def test_a_file_that_is_gone_has_changed(model: Path):
    changed = Changed(stamps(model))
    model.unlink()
    assert [changed.look(stamps(model)) for _ in range(2)] == [None, str(model)]


def test_a_folder_of_very_many_files_is_not_looked_through(model: Path):
    for number in range(20):
        folder = model.parent / f"f{number}"
        folder.mkdir()
        for file in range(MAX_FILES // 10):
            os.close(os.open(folder / f"{file}.py", os.O_CREAT))
    assert len(stamps(model)) <= MAX_FILES + MAX_FILES // 10 + 1
