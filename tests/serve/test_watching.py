"""What is noticed when files change."""

import asyncio
from pathlib import Path

import pytest

from lading.serve import watching
from lading.serve.watching import Changed, Stamps, stamps


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "current").mkdir()
    monkeypatch.chdir(tmp_path / "current")
    folder = tmp_path / "models"
    folder.mkdir()
    path = folder / "model.joblib"
    path.write_bytes(b"1")
    return path


def look(model: Path) -> Stamps:
    """What is there now."""
    return stamps([model], (model.parent, Path.cwd()))


def write(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"another")


@pytest.mark.parametrize("name", ["model.joblib", "lading.toml", "own.py", "package/own.py", "../current/own.py"])
def test_a_change_is_noticed_once_it_has_settled(model: Path, name: str):
    changed = Changed(look(model))
    write(model.parent / name)
    found = [changed.look(look(model)) for _ in range(4)]
    assert [path and Path(path).name for path in found] == [None, Path(name).name, None, None]


@pytest.mark.parametrize("name", ["other.joblib", ".venv/code.py", "__pycache__/own.py", "site-packages/lib.py"])
def test_what_is_not_its_own_is_not_watched(model: Path, name: str):
    before = look(model)
    write(model.parent / name)
    assert look(model) == before


def test_a_file_that_is_still_written_is_waited_for(model: Path):
    changed = Changed(look(model))
    for size in range(2, 6):
        model.write_bytes(b"x" * size)
        assert changed.look(look(model)) is None
    assert changed.look(look(model)) == str(model)


def test_a_file_that_is_gone_has_changed(model: Path):
    changed = Changed(look(model))
    model.unlink()
    assert [changed.look(look(model)) for _ in range(2)] == [None, str(model)]


def test_it_goes_on_when_the_current_folder_is_removed(model: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(watching, "_LOOK_S", 0.01)

    async def run() -> str:
        noticed = watching.changes([model])
        first = asyncio.ensure_future(anext(noticed))
        await asyncio.sleep(0)
        Path.cwd().rmdir()
        while not first.done():  # whether it has looked before the first of these, nobody knows
            model.write_bytes(model.read_bytes() + b".")
            await asyncio.wait({first}, timeout=0.2)
        return await first

    assert asyncio.run(run()) == model.name


def test_a_folder_of_very_many_files_is_not_looked_through(model: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(watching, "MAX_FILES", 100)
    for number in range(20):
        folder = model.parent / f"f{number}"
        folder.mkdir()
        for name in ("1.py", "2.py", "1.csv", "2.csv", "3.csv"):
            (folder / name).touch()
    assert 10 < len(look(model)) <= 41
