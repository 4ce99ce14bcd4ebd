"""The folder in which a bundle is trained: what goes into it, and what does not."""

from pathlib import Path

import pytest

from lading.bundle.signing.keys import PrivateKey
from lading.errors import UsageError
from lading.ship.image.training import training_context

PACK = ("model.pkl",)
SECRET = (
    *(".netrc", "id_rsa", "KEY.PEM", "a.Key", "prod.env", "credentials.json", "service-account.json", "token.secret"),
    *("keys.json", "terraform.tfstate", "store.jks", "client.pfx", "pgpass", "my_password.txt"),
)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "train.py").write_text("print()")
    (folder / "data.csv").write_text("a,b\n1,2\n")
    return folder / "train.py"


def copied(script: Path, folder: Path) -> set[str]:
    training_context(script, folder, base="x:1", pack=PACK)
    return {path.name for path in (folder / "train").rglob("*")}


def test_the_script_goes_with_what_lies_beside_it(script: Path, tmp_path: Path):
    assert copied(script, tmp_path / "out") == {"train.py", "data.csv"}
    text = (tmp_path / "out" / "Dockerfile").read_text()
    assert '"pack", "model.pkl", "--out", "/trained/trained.lading"' in text


def test_what_looks_secret_stays(script: Path, tmp_path: Path):
    for name in SECRET:
        (script.parent / name).write_text("word")
    assert copied(script, tmp_path / "out") == {"train.py", "data.csv"}


def test_links_are_not_followed(script: Path, tmp_path: Path):
    (tmp_path / "outside").write_text("word")
    (script.parent / "notes").symlink_to(tmp_path / "outside")
    (script.parent / "folder").symlink_to(tmp_path)
    assert copied(script, tmp_path / "out") == {"train.py", "data.csv"}


def test_a_private_key_is_refused_whatever_it_is_called(script: Path, tmp_path: Path):
    PrivateKey.generate().write(script.parent / "notes")
    with pytest.raises(UsageError, match="`notes` holds a private key"):
        training_context(script, tmp_path / "out", base="x:1", pack=PACK)


def test_a_home_is_too_much(script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(script.parent))
    with pytest.raises(UsageError, match="folder of a script"):
        training_context(script, tmp_path / "out", base="x:1", pack=PACK)
