"""`lading ship` and `lading image`, as they are typed."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.live import run
from tests.signed import sign, trusting

import lading
from lading.bundle.declared import Declared
from lading.bundle.signing.keys import PrivateKey

DEMO = Path(lading.__file__).parent / "flavors" / "iris.linear.json"
Verb = Callable[..., Any]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a signed bundle, an unsigned one, and whom to trust."""
    folder = tmp_path_factory.mktemp("shop")
    for name in ("iris", "unsigned"):
        lading.pack(DEMO, path=folder / f"{name}.lading", declared=Declared(name=name, version="1.0.0"))
    key = PrivateKey.generate()
    key.write(folder / "key")
    sign(folder / "iris.lading", key)
    trusting(folder / "trust", key)
    return folder


@pytest.fixture
def ship(shop: Path, tmp_path: Path) -> Verb:
    """`lading ship` in a folder of the test."""

    def call(*arguments: object) -> Any:
        return run("ship", *arguments, "--trust", shop / "trust", "--no-lock", folder=tmp_path)

    return call


def test_it_says_what_it_wrote_and_what_comes_next(ship: Verb, shop: Path, tmp_path: Path):
    done = ship("docker", shop / "iris.lading", "-o", "image")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "image" / "Dockerfile").read_text().startswith("# Made by Lading")
    words = done.stderr.decode()
    assert "new      image/Dockerfile" in words
    assert "next: docker build -t lading/iris:1.0.0 image" in words
    assert "lading keys create" in words
    again = ship("docker", shop / "iris.lading", "-o", "image").stderr.decode()
    assert "same     image/Dockerfile" in again


def test_nothing_is_written_where_that_is_said(ship: Verb, shop: Path, tmp_path: Path):
    for option in ("--dry-run", "--diff"):
        assert ship("docker", shop / "iris.lading", option).returncode == 0
        assert list(tmp_path.iterdir()) == []


def test_what_somebody_has_changed_is_not_overwritten_unless_that_is_said(ship: Verb, shop: Path, tmp_path: Path):
    ship("docker", shop / "iris.lading", "-o", "image")
    (tmp_path / "image" / "Dockerfile").write_text("mine\n")
    refused = ship("docker", shop / "iris.lading", "-o", "image")
    assert refused.returncode == 2
    assert b"somebody has changed Dockerfile since" in refused.stderr
    assert (tmp_path / "image" / "Dockerfile").read_text() == "mine\n"
    assert ship("docker", shop / "iris.lading", "-o", "image", "--overwrite").returncode == 0
    assert (tmp_path / "image" / "Dockerfile").read_text().startswith("# Made by Lading")


def test_what_was_said_the_last_time_holds(ship: Verb, shop: Path, tmp_path: Path):
    ship("docker", shop / "iris.lading", "-o", "image", "--auth", "network", "--set", "max_rows=5", "--base", "x:1")
    again = ship("docker", shop / "iris.lading", "-o", "image", "--set", "workers=2")
    assert b"as before" in again.stderr
    text = (tmp_path / "image" / "Dockerfile").read_text()
    assert "BASE=x:1" in text
    for variable in ('LADING_AUTH="network"', 'LADING_MAX_ROWS="5"', 'LADING_WORKERS="2"'):
        assert variable in text


def test_what_is_not_shipped_any_more_goes_and_what_is_somebody_s_stays(ship: Verb, shop: Path, tmp_path: Path):
    shutil.copy(shop / "iris.lading", tmp_path / "old.lading")
    sign(tmp_path / "old.lading", PrivateKey.read(shop / "key", lambda: ""))
    ship("docker", tmp_path / "old.lading", "-o", "image")
    (tmp_path / "image" / "mine.txt").write_text("mine")
    diff = ship("docker", shop / "iris.lading", "-o", "image", "--diff").stdout.decode()
    assert "gone: old.lading\n" in diff
    ship("docker", shop / "iris.lading", "-o", "image")
    names = {path.name for path in (tmp_path / "image").iterdir()}
    assert {"iris.lading", "mine.txt"} <= names
    assert not {"old.lading", "old.lading.sig"} & names


def test_a_folder_of_another_target_is_not_written(ship: Verb, shop: Path, tmp_path: Path):
    ship("docker", shop / "iris.lading", "-o", "here")
    done = ship("systemd", shop / "iris.lading", "-o", "here")
    assert done.returncode == 2
    assert b"`here` was written for `docker`" in done.stderr


@pytest.mark.parametrize(
    "record", ["{}", "not JSON", '{"lading":"1","target":"docker","choices":{},"files":{"../x":""}}']
)
def test_a_record_that_is_none_is_told(ship: Verb, shop: Path, tmp_path: Path, record: str):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / ".lading-ship").write_text(record)
    done = ship("docker", shop / "iris.lading", "-o", "here")
    assert done.returncode == 2
    assert b".lading-ship" in done.stderr


def test_the_difference_is_data(ship: Verb, shop: Path, tmp_path: Path):
    ship("docker", shop / "iris.lading", "-o", "image")
    (tmp_path / "image" / "Dockerfile").write_text("mine\n")
    done = ship("docker", shop / "iris.lading", "-o", "image", "--diff")
    assert done.stdout.decode().startswith("--- a/Dockerfile\n+++ b/Dockerfile\n@@")
    assert (tmp_path / "image" / "Dockerfile").read_text() == "mine\n"


def test_json_tells_the_same(ship: Verb, shop: Path):
    told = json.loads(ship("docker", shop / "iris.lading", "-o", "image", "--json").stdout)
    assert told["files"]["Dockerfile"] == "new"
    assert told["is_written"]
    assert told["next"][0] == "docker build -t lading/iris:1.0.0 image"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("dokcer", "iris.lading"), 2, "did you mean `docker`?"),
        (("docker", "unsigned.lading"), 3, "unsigned"),
        (("docker", "missing.lading"), 3, "there is no file"),
        (("docker", "iris.lading", "--auth", "kyes"), 2, "did you mean `keys`?"),
        (("docker", "iris.lading", "--auth", "jwt"), 2, "jwt_issuer"),
        (("docker", "iris.lading", "--extra", "parket"), 2, "did you mean `parquet`?"),
        (("docker", "iris.lading", "--subnet", "172.30.57.1/24"), 2, "--subnet"),
        (("docker", "model.joblib"), 2, "only a bundle"),
        (("docker", "iris.lading", "--set", "max_rows"), 2, "expected a setting and its value"),
        (("docker", "iris.lading", "--set", "max_row=1"), 2, "LADING_MAX_ROW"),
        (("docker", "iris.lading", "--base", "x; id"), 2, "--base"),
    ],
)
def test_what_cannot_be_is_one_line_and_the_way_out(
    ship: Verb, shop: Path, arguments: tuple[str, ...], code: int, words: str
):
    target, bundle, *rest = arguments
    done = ship(target, shop / bundle, *rest)
    assert done.returncode == code
    lines = done.stderr.decode().splitlines()
    assert lines[0].startswith("error: ")
    assert len(lines) <= 2
    assert words in done.stderr.decode()


def test_no_library_of_the_model_is_loaded(shop: Path, tmp_path: Path):
    code = (
        "import sys; from lading.cli import cli;"
        f"cli(['ship', 'docker', {str(shop / 'iris.lading')!r}, '--trust', {str(shop / 'trust')!r}, '--no-lock'],"
        "standalone_mode=False);"
        "print(sorted({'sklearn', 'onnxruntime', 'pandas', 'joblib', 'starlette', 'uvicorn'} & set(sys.modules)))"
    )
    import sys

    from tests.live import environment

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


# --- images


def test_without_an_engine_there_is_a_way(shop: Path, tmp_path: Path):
    path = {"PATH": str(tmp_path)}
    done = run("image", shop / "iris.lading", "--trust", shop / "trust", folder=tmp_path, **path)
    assert done.returncode == 4
    assert b"lading ship docker" in done.stderr


def stand_in(folder: Path, body: str) -> dict[str, str]:
    """A command `docker` that says and does what it is told; what a real one does is in test_images.py."""
    (folder / "docker").write_text(f"#!{shutil.which('sh')}\n{body}\n")
    (folder / "docker").chmod(0o755)
    return {"PATH": str(folder)}


def test_an_engine_that_does_not_answer_is_told(shop: Path, tmp_path: Path):
    path = stand_in(tmp_path, "echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    done = run("image", shop / "iris.lading", "--trust", shop / "trust", folder=tmp_path, **path)
    assert done.returncode == 4
    assert b"Cannot connect to the Docker daemon" in done.stderr


def test_a_build_that_fails_says_the_last_of_what_it_said(shop: Path, tmp_path: Path):
    path = stand_in(tmp_path, '[ "$1" = version ] || { echo "no space left on device" >&2; exit 1; }')
    done = run("image", shop / "iris.lading", "--trust", shop / "trust", "--no-lock", folder=tmp_path, **path)
    assert done.returncode == 1
    assert b"the image cannot be built" in done.stderr
    assert b"no space left on device" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("iris.lading", "--", "model.pkl"), b"--train"),
        (("--train", "missing.py", "--", "model.pkl"), b"missing.py"),
        (("--train", "train.py"), b"behind `--`"),
    ],
)
def test_training_wants_a_script_and_what_to_pack(shop: Path, tmp_path: Path, arguments: tuple[str, ...], words: bytes):
    (tmp_path / "train.py").write_text("")
    PrivateKey.generate().write(tmp_path / "signing.key")
    path = stand_in(tmp_path, "exit 0")
    shutil.copy(shop / "iris.lading", tmp_path)
    done = run("image", "--trust", shop / "trust", "--key", "signing.key", *arguments, folder=tmp_path, **path)
    assert done.returncode == 2
    assert words in done.stderr
