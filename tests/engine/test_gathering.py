"""The author's code for a model: which place a file has, what is said when one is missing, and what is never read."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from lading.bundle.rescue.notebook import MAX_BYTES
from lading.engine.gathering import gather
from lading.engine.own_code import OwnCode
from lading.errors import FormatError, LadingError, UnsupportedModel, UsageError
from lading.flavors.flavor import Needs

NEEDS = Needs("Pipeline", names=("sklearn.pipeline.Pipeline", "__main__.last"), definitions=("last",))
DEFINES = "import numpy as np\nSCALE = 2\nprint('train')\ndef last(X):\n    return np.asarray(X)[:, -1:] * SCALE\n"


def write(folder: Path, name: str, *cells: str) -> Path:
    """A script, or a notebook of these cells."""
    code = [{"cell_type": "code", "source": cell, "execution_count": count} for count, cell in enumerate(cells, 1)]
    text = json.dumps({"cells": code, "nbformat": 4}) if name.endswith(".ipynb") else "\n".join(cells)
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def gathered(*paths: Path, needs: Needs = NEEDS, **named: Any) -> OwnCode:
    return gather(paths, needs, "", **named)


def refused(kind: type[LadingError], *paths: Path, needs: Needs = NEEDS, model: object = "") -> tuple[str, str]:
    with pytest.raises(kind) as caught:
        gather(paths, needs, str(model))
    assert "\n" not in f"{caught.value.message}{caught.value.hint}"
    return caught.value.message, caught.value.hint


# --- places


@pytest.mark.parametrize(("name", "place"), [("a.ipynb", "In [1]"), ("a.py", "line 1, line 2, line 4")])
def test_what_a_pickle_looks_up_is_taken_and_nothing_else(tmp_path: Path, name: str, place: str) -> None:
    code = gathered(write(tmp_path, name, DEFINES))
    (file,) = code.files
    assert (file.path, file.module, file.origin) == ("code/__main__.py", "__main__", f"{name}, {place}")
    assert "SCALE = 2" in code.texts["__main__"]
    assert "print" not in code.texts["__main__"]


def test_two_notebooks_are_read_as_one_after_the_other(tmp_path: Path) -> None:
    first = write(tmp_path, "first.ipynb", "K = 1\ndef half(x): return x / 2")
    second = write(tmp_path, "second.ipynb", "def last(X): return half(X) + K\ndef other(): pass")
    needs = Needs("Pipeline", definitions=("last", "half"))
    code = gathered(first, second, needs=needs)
    assert code.files[0].origin.startswith("first.ipynb and second.ipynb")
    assert "other" not in code.texts["__main__"]


@pytest.mark.parametrize("needs", [Needs("M", modules=("own",)), Needs("M", names=("own.Model",))])
def test_what_is_imported_by_its_name_is_carried_whole(tmp_path: Path, needs: Needs) -> None:
    code = gathered(write(tmp_path, "own.py", "import json\nclass Model: pass\nprint(1)"), needs=needs)
    assert [(file.module, file.is_around) for file in code.files] == [("own", False)]
    assert "print(1)" in code.texts["own"]
    assert code.imports == {"json"}


def test_what_the_notebook_imports_may_be_carried_beside_it(tmp_path: Path) -> None:
    main = write(tmp_path, "train.ipynb", "from own import half\ndef last(X): return half(X)")
    own = write(tmp_path, "own.py", "from deeper import two\ndef half(x): return x / two")
    deeper = write(tmp_path, "deeper.py", "two = 2")
    code = gathered(deeper, main, own)
    assert {file.module for file in code.files} == {"__main__", "own", "deeper"}
    assert code.modules()["__main__"].last(4) == 2


@pytest.mark.parametrize("text", ["def preprocess(X): return X", "from own import postprocess"])
def test_what_is_called_around_the_model_is_known_by_its_names(tmp_path: Path, text: str) -> None:
    code = gathered(write(tmp_path, "steps.py", text), needs=Needs("Pipeline"))
    assert (code.around, code.survives_fork) == ("steps", False)


def test_a_notebook_that_defines_preprocess_is_not_put_around_its_model(tmp_path: Path) -> None:
    notebook = write(tmp_path, "train.ipynb", DEFINES, "def preprocess(X): raise SystemExit")
    code = gathered(notebook)
    assert code.around == ""
    assert "preprocess" not in code.texts["__main__"]


def test_what_it_imports_counts_for_forks(tmp_path: Path) -> None:
    assert gathered(write(tmp_path, "a.py", DEFINES)).survives_fork
    assert not gathered(
        write(tmp_path, "b.py", f"import threading\nL = threading.Lock()\n{DEFINES}    L")
    ).survives_fork


# --- what is refused


def test_without_a_file_it_says_what_to_type(tmp_path: Path) -> None:
    message, hint = refused(UnsupportedModel, model=tmp_path / "my model.joblib")
    assert message == "my model.joblib needs `last` from the notebook or script that saved it"
    assert hint.endswith(f"lading serve '{tmp_path}/my model.joblib' --code FILE")


@pytest.mark.parametrize("name", ["train.ipynb", "train.py"])
def test_a_file_beside_the_model_that_defines_it_is_named(tmp_path: Path, name: str) -> None:
    write(tmp_path, "broken.ipynb").write_bytes(b"last \xff")
    write(tmp_path, "imports.py", "from train import last")
    write(tmp_path, "mentions.py", "last()")
    write(tmp_path, name, DEFINES)
    _, hint = refused(UnsupportedModel, model=tmp_path / "model.joblib")
    assert hint.startswith(f"{name} beside it defines that: ")
    assert hint.endswith(f"--code {tmp_path / name}")


def test_a_file_that_nothing_needs_is_said(tmp_path: Path) -> None:
    message, _ = refused(UsageError, write(tmp_path, "other.py", "x = 1"), needs=Needs("Pipeline"))
    assert message.startswith("nothing needs other.py")


def test_a_notebook_without_the_definition_says_which_cell_could_not_be_read(tmp_path: Path) -> None:
    message, hint = refused(UnsupportedModel, write(tmp_path, "a.ipynb", "def last(X) return X"))
    assert message == "`last` is not defined in a.ipynb"
    assert hint == "In [1] could not be read (syntax error in line 1)"


def test_two_files_for_one_place_are_refused(tmp_path: Path) -> None:
    paths = [write(tmp_path, name, "def preprocess(X): return X") for name in ("a.py", "b.py")]
    assert refused(UsageError, *paths, needs=Needs("P"))[0] == "two files of code have the same place"


@pytest.mark.parametrize(
    "name", ["os.system", "__builtins__.exec", "__name__", "Last.__init__.__globals__", "sh.run", "a\nb", "x" * 10_000]
)
def test_a_pickle_is_not_given_what_the_notebook_only_uses(tmp_path: Path, name: str) -> None:
    text = "import os\nimport subprocess as sp\nsh = sp\nclass Last:\n    def __init__(self): pass\n__name__ = 1"
    needs = Needs("?", definitions=("Last", name))
    if "__globals__" in name:
        needs = Needs("?", definitions=(name.partition(".")[2], "Last"))
    message, _ = refused(UnsupportedModel, write(tmp_path, "a.ipynb", text), needs=needs)
    assert len(message) < 300


def test_a_notebook_that_binds_names_of_every_module_harms_nobody(tmp_path: Path) -> None:
    notebook = write(tmp_path, "a.ipynb", "__builtins__ = {}\n__name__ = 'numpy'\n__import__ = None", DEFINES)
    code = gathered(notebook)
    assert "__builtins__" not in code.texts["__main__"]
    assert code.modules()["__main__"].last([[1, 2]]).tolist() == [[4]]


# --- files that are none


def test_a_folder_a_pipe_and_a_device_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "folder.ipynb").mkdir()
    (tmp_path / "zero.py").symlink_to("/dev/zero")
    for name, words in (("pipe.py", "not a regular file"), ("folder.ipynb", "a folder"), ("zero.py", "not a regular")):
        assert words in refused(UsageError, tmp_path / name)[0]
    assert "there is no file" in refused(UsageError, tmp_path / "missing.ipynb")[0]
    assert "cannot read" in refused(UsageError, Path("a\0b.py"))[0]


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "large.ipynb").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    assert "larger than 64 MiB" in refused(FormatError, tmp_path / "large.ipynb")[0]


def test_what_is_not_text_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"# \xff\xfe")
    assert "not text" in refused(FormatError, tmp_path / "a.py")[0]


def test_a_link_to_a_notebook_is_read_under_its_own_name(tmp_path: Path) -> None:
    write(tmp_path, "real.ipynb", DEFINES)
    (tmp_path / "link.ipynb").symlink_to(tmp_path / "real.ipynb")
    assert gathered(tmp_path / "link.ipynb").files[0].origin == "link.ipynb, In [1]"


def test_what_stands_beside_a_model_is_not_looked_through_for_long(tmp_path: Path) -> None:
    slow = "\n".join(f"!ls # last {number}" for number in range(4000))
    for number in range(200):
        write(tmp_path, f"{number:03}.ipynb", slow)
    os.mkfifo(tmp_path / "000.py")
    started = time.monotonic()
    _, hint = refused(UnsupportedModel, model=tmp_path / "model.joblib")
    assert hint.startswith("name the .ipynb or .py file")
    assert time.monotonic() - started < 15


def test_the_file_that_saved_the_model_is_named_before_others(tmp_path: Path) -> None:
    model = tmp_path / "churn.joblib"
    (tmp_path / "a.py").write_text("def clean(X):\n    return X\n")
    (tmp_path / "b.py").write_text("def clean(X):\n    return X\n\n\njoblib.dump(model, 'churn.joblib')\n")
    with pytest.raises(UnsupportedModel) as caught:
        gather((), Needs("Pipeline", definitions=("clean",)), str(model))
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("b.py beside it defines that")
