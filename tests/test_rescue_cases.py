"""Models that need what their notebooks define: saved by one process, packed from the notebook, opened by another.

Each case is the cells of a notebook. A process runs them as `__main__`, saves the model and its answers; then
`lading pack --code` takes the definitions out of the notebook's text, and the bundle answers as the model did there.
"""

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import joblib
import pytest
from tests.live import environment, run, started

import lading
import lading.cli
from lading.bundle.declared import Declared

ROWS = [{"a": 1.0, "b": 5.0, "c": 0.0}, {"a": 4.0, "b": 2.0, "c": 1.0}, {"a": 3.0, "b": 7.0, "c": 2.0}]

JSON = {"Content-Type": "application/json"}

IMPORTS = """\
import joblib
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer"""

SAVE = f"""\
frame = pd.DataFrame({ROWS!r} * 4) + np.arange(12)[:, None] % 5 * 0.5
target = frame["a"] * 2 + frame["c"] ** 2
model = make_pipeline(step, LinearRegression()).fit(frame, target)
joblib.dump({{"model": model, "metadata": {{"author": "somebody"}}}}, "model.joblib")
frame.to_csv("train.csv", index=False)
joblib.dump(model.predict(pd.DataFrame({ROWS!r})).tolist(), "answers.pkl")"""

PACK = "import lading\nlading.pack(model, frame, path='live.lading', compile='never')"

STEP = "step = FunctionTransformer(transform)"

CASES = {
    "decorated function": [
        "import functools\ndef doubled(fn):\n    @functools.wraps(fn)\n    def run(X): return fn(X) * 2\n"
        "    return run",
        "@doubled\ndef transform(X):\n    return np.asarray(X)[:, :2]",
        STEP,
    ],
    "base class in another cell": [
        "class Base(TransformerMixin, BaseEstimator):\n    def fit(self, X, y=None): return self",
        "class Last(Base):\n    def __init__(self, n=1): self.n = n\n"
        "    def transform(self, X): return np.asarray(X)[:, -self.n:]",
        "step = Last(2)",
    ],
    "constant": ["COLUMNS = ['a', 'c']", "def transform(X): return X[COLUMNS] ** 2", STEP],
    "import alias": [
        "import math as m\nfrom msgspec import json as codec",
        "def transform(X): return np.vectorize(m.sqrt)(np.asarray(X)) + codec.decode(b'1')",
        STEP,
    ],
    "comprehension helper": [
        "def squared(x): return x * x",
        "def transform(X): return [[squared(x) for x in row if x is not None] for row in np.asarray(X)]",
        STEP,
    ],
    "magics and shell lines": [
        "%matplotlib inline\n!touch canary\nFACTOR = 3",
        "%%bash\ntouch canary",
        "%%time\ndef transform(X):\n    return np.asarray(X) * FACTOR\n!pip list > canary",
        "files = !ls\n%run canary.py",
        STEP,
    ],
    "cells that act": [
        "import os\nos.system('touch canary')",
        "def transform(X): return np.asarray(X) + 1\nos.system('touch canary')",
        "class Unused:\n    os.system('touch canary')",
        "open('canary', 'w').close()",
        STEP,
    ],
    "syntax error in an unrelated cell": [
        "print 'of another time'\ndef other(: pass",
        "def transform(X): return np.asarray(X) - 1",
        STEP,
    ],
    "redefinition": [
        "def helper(X): raise ValueError('the first')",
        "def transform(X): return helper(np.asarray(X))",
        "def helper(X): return X ** 2",
        STEP,
    ],
    "lambda by its name": [
        "POWER = 2",
        "transform = lambda X: np.asarray(X) ** POWER",
        f"transform.__qualname__ = transform.__name__ = 'transform'\n{STEP}",
    ],
    "names of every module": [
        "__doc__ = 'mine'\n__name__ = '__main__'\ndef preprocess(X): raise SystemExit",
        "def transform(X): return np.asarray(X)[:, 1:]",
        STEP,
    ],
}

EXPLAINED = {
    "lambda": ["step = FunctionTransformer(lambda X: np.asarray(X)[:, :1])"],
    "closure": [
        "def make(n):\n    def run(X): return np.asarray(X)[:, :n]\n    return run",
        "step = FunctionTransformer(make(2))",
    ],
}
"""What cannot be pickled, so that it is packed by the notebook itself at best."""


def notebook(cells: list[str]) -> str:
    """A notebook as Jupyter saves it."""
    code = [
        {"cell_type": "code", "execution_count": count, "metadata": {}, "outputs": [], "source": cell.splitlines(True)}
        for count, cell in enumerate(cells, 1)
    ]
    return json.dumps({"cells": code, "metadata": {"language_info": {"name": "python"}}, "nbformat": 4})


def plain(cells: list[str]) -> str:
    """What of the cells a script can do: none that is not Python, nor lines of IPython's own, nor acts."""
    python = [cell for cell in cells if not cell.startswith(("print '", "%%bash"))]
    lines = [line for cell in python for line in cell.splitlines() if not re.match(r"[%!]|files = !", line)]
    return "\n".join(line for line in lines if "canary" not in line or line.startswith("    ")) + "\n"


NOTEBOOKS = """\
import os, sys, types
import joblib, numpy, pandas, sklearn.linear_model, sklearn.pipeline, sklearn.preprocessing
import lading
lading.pack
for folder in sys.argv[1:]:
    if os.fork() == 0:
        os.chdir(folder)
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        main.__file__ = "train.py"
        try:
            exec(compile(open("train.py").read(), "train.py", "exec"), vars(main))
        except lading.LadingError as error:
            open("error.txt", "w").write(f"{error.message}\\n{error.hint}")
        os._exit(0)
    os.wait()
"""
"""Runs the `train.py` of each folder as `__main__`, in a process of its own that has read the libraries already."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By the name of the case: what its notebook has saved, and the notebook."""
    base = tmp_path_factory.mktemp("cases")
    scripts = {case: [*cells, SAVE] for case, cells in CASES.items()}
    scripts |= {case: [*cells, SAVE.split("joblib")[0], PACK] for case, cells in EXPLAINED.items()}
    for case, cells in scripts.items():
        (base / case).mkdir()
        (base / case / "train.ipynb").write_text(notebook([IMPORTS, *cells]))
        (base / case / "train.py").write_text(plain([IMPORTS, *cells]))
    command = [sys.executable, "-c", NOTEBOOKS, *(str(base / case) for case in scripts)]
    quiet = environment(PYTHONWARNINGS="ignore")
    ended = subprocess.run(command, env=quiet, capture_output=True, text=True, timeout=100)
    assert (ended.returncode, ended.stderr) == (0, "")
    for case in scripts:
        (base / case / "train.py").unlink()
        (base / case / "canary").unlink(missing_ok=True)
    return {case: base / case for case in scripts}


PACKING = ["pack", "model.joblib", "--data", "train.csv", "--compile", "never", "--code", "train.ipynb"]


def pack(target: str) -> Path:
    lading.cli.cli([*PACKING, "-o", target], "lading", standalone_mode=False)
    return Path(target)


@pytest.mark.parametrize("case", CASES)
def test_the_bundle_answers_as_the_notebook_did(
    case: str, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folders[case])
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    path = pack("first.lading")
    assert "the model needs" in capfd.readouterr().err
    assert path.read_bytes() == pack("second.lading").read_bytes()
    model = lading.load(path)
    assert model.predict(ROWS).tolist() == pytest.approx(joblib.load("answers.pkl"))
    assert model.manifest.code[0].origin.startswith("train.ipynb, In [")
    assert model.manifest.metadata == {"author": "somebody"}
    assert not Path("canary").exists()


def test_what_the_definitions_import_is_a_requirement(folders: dict[str, Path]) -> None:
    folder = folders["import alias"]
    manifest = lading.load(folder / "model.joblib", declared=Declared(code=str(folder / "train.ipynb"))).manifest
    assert {"msgspec", "numpy", "scikit-learn"} <= {requirement.name for requirement in manifest.requirements}


def test_what_stands_in_the_file_beside_it_need_not_be_said(folders: dict[str, Path], tmp_path: Path) -> None:
    for name in ("model.joblib", "train.ipynb"):
        (tmp_path / name).write_bytes((folders["constant"] / name).read_bytes())
    (tmp_path / "lading.toml").write_text('code = "train.ipynb"\n')
    model = lading.load(tmp_path / "model.joblib")
    assert model.predict(ROWS).tolist() == pytest.approx(joblib.load(folders["constant"] / "answers.pkl"))


def test_it_is_served_by_processes_that_know_nothing_of_the_notebook(folders: dict[str, Path]) -> None:
    folder = folders["redefinition"]
    packed = run(*PACKING, "-o", "served.lading", folder=folder)
    assert packed.returncode == 0
    assert b"`helper` is defined in In [2] and In [4]: the last one is taken" in packed.stderr
    with started("serve", "served.lading", "--port", "0", "--workers", "2", folder=folder) as (url, _):
        request = urllib.request.Request(f"{url}/predict", json.dumps(ROWS).encode(), JSON)
        with urllib.request.urlopen(request, timeout=30) as response:
            predictions = json.load(response)["predictions"]
    assert predictions == pytest.approx(joblib.load(folder / "answers.pkl"))


@pytest.mark.parametrize(
    ("case", "words"), [("lambda", "is a lambda"), ("closure", "`make.<locals>.run`, a function defined inside")]
)
def test_what_cannot_be_pickled_is_named(case: str, words: str, folders: dict[str, Path]) -> None:
    message, hint = (folders[case] / "error.txt").read_text().splitlines()
    assert message.startswith("the model cannot be pickled: `func` of `FunctionTransformer` in step")
    assert words in message
    assert "def name(X)" in hint
    assert not (folders[case] / "live.lading").exists()
