"""What users install: the wheel holds the whole package, its licence and its commands, and nothing else."""

import subprocess
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from email import message_from_string
from email.message import Message
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def wheel(wheel_path: Path) -> Iterator[ZipFile]:
    with ZipFile(wheel_path) as archive:
        yield archive


def _read(wheel: ZipFile, ending: str) -> str:
    [name] = [name for name in wheel.namelist() if name.endswith(ending)]
    return wheel.read(name).decode()


@pytest.fixture
def metadata(wheel: ZipFile) -> Message:
    return message_from_string(_read(wheel, ".dist-info/METADATA"))


@pytest.fixture
def entry_points(wheel: ZipFile) -> ConfigParser:
    parser = ConfigParser()
    parser.read_string(_read(wheel, ".dist-info/entry_points.txt"))
    return parser


def test_every_file_of_the_package_is_in_the_wheel_and_no_other(wheel: ZipFile):
    files = {path for path in (ROOT / "src" / "lading").rglob("*") if path.is_file()}
    expected = {str(path.relative_to(ROOT / "src")) for path in files if path.parent.name != "__pycache__"}
    assert {name for name in wheel.namelist() if ".dist-info/" not in name} == expected


def test_the_types_are_announced(wheel: ZipFile):
    assert "lading/py.typed" in wheel.namelist()


def test_the_license_is_there_and_whole(wheel: ZipFile, metadata: Message):
    assert metadata["License-Expression"] == "Apache-2.0"
    assert _read(wheel, ".dist-info/licenses/LICENSE") == (ROOT / "LICENSE").read_text("utf-8")


def test_the_readme_is_the_description(metadata: Message):
    assert metadata.get_payload() == (ROOT / "README.md").read_text("utf-8")


def test_every_entry_point_names_a_module_in_the_wheel(wheel: ZipFile, entry_points: ConfigParser):
    targets = [target for section in entry_points.sections() for _, target in entry_points.items(section)]
    modules = [target.partition(":")[0].replace(".", "/") for target in targets]
    missing = [name for name in modules if not {f"{name}.py", f"{name}/__init__.py"} & {*wheel.namelist()}]
    assert entry_points["console_scripts"]["lading"] == "lading.cli:main"
    assert missing == []


def test_the_wheel_alone_is_the_version_that_it_says(wheel_path: Path, metadata: Message):
    # `-I` ignores the checkout on `PYTHONPATH`; a wheel of pure Python can be imported as it is.
    script = f"import sys; sys.path.insert(0, {str(wheel_path)!r}); import lading; print(lading.__file__)"
    command = [sys.executable, "-I", "-c", f"{script}; print(lading.__version__)"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    place, version = done.stdout.splitlines()
    assert place.startswith(str(wheel_path))
    assert version == metadata["Version"]
