"""A real notebook in a real kernel: it packs its own model while it runs, and later its saved file is packed."""

import json
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from sklearn.datasets import load_iris
from tests.live import environment

import lading
from lading.bundle.bundle import Bundle
from lading.bundle.declared import Declared
from lading.errors import UnsupportedModel

X = load_iris(as_frame=True).data

CELLS = """\
%precision 4
import joblib
import numpy as np
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
import lading

SCALE = 1
LIMITS = np.loadtxt("limits.txt").tolist()
!echo shell > shell.txt

def scaled(X):
    raise ValueError("the first")

def get_last_column(X):
    return scaled(np.asarray(X)[:, -1:]) * SCALE + LIMITS[0]

1 / 0

def scaled(X):
    return X - 1

SCALE = 5

X, y = load_iris(return_X_y=True, as_frame=True)
model = make_pipeline(FunctionTransformer(get_last_column), LogisticRegression()).fit(X, y)
saved = {"model": model, "metadata": {"author": "somebody"}}
joblib.dump(saved, "model.joblib")

%%time
packed = lading.pack(saved, X, y, "live.lading", compile="never")

lading.pack(make_pipeline(FunctionTransformer(lambda X: X), LogisticRegression()).fit(X, y))

import json
loaded = lading.load("model.joblib")
answers = model.predict_proba(X).tolist()
json.dump([answers, loaded.predict_proba(X).tolist(), packed.manifest.notes], open("answers.json", "w"))"""
"""The cells, with an empty line between them."""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """The folder in which the notebook was run, and the notebook with its outputs, saved there as `train.ipynb`."""
    folder = tmp_path_factory.mktemp("notebook")
    (folder / "limits.txt").write_text("3 2 1")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in CELLS.split("\n\n")])
    client = NotebookClient(notebook, timeout=60, allow_errors=True, resources={"metadata": {"path": str(folder)}})
    client.execute(env=environment(PYTHONWARNINGS="ignore"))
    nbformat.write(notebook, folder / "train.ipynb")
    return folder, notebook


@pytest.fixture
def folder(ran: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(ran[0])
    return ran[0]


def errors(notebook: Any) -> list[str]:
    outputs = [output for cell in notebook.cells for output in cell.outputs]
    return [f"{output.ename}: {output.evalue}" for output in outputs if output.output_type == "error"]


def test_a_running_notebook_packs_its_own_model(folder: Path) -> None:
    model = lading.load("live.lading")
    answers, loaded, notes = json.loads((folder / "answers.json").read_text())
    assert model.predict_proba(X) == pytest.approx(np.array(answers))
    assert loaded == answers
    assert notes == [
        "`scaled` is defined in In [3] and In [6]: the last one is taken",
        "`SCALE` is written with the value that it has now",
        "`LIMITS` is written with the value that it has now",
    ]
    assert model.manifest.code[0].origin == "the notebook, In [1], In [4], In [6]"


def test_only_what_the_model_needs_is_in_the_bundle(folder: Path) -> None:
    with Bundle.open(folder / "live.lading") as bundle:
        text = bundle.read("code/__main__.py").decode()
    assert "SCALE = 5\n" in text
    assert "LIMITS = [3.0, 2.0, 1.0]\n" in text
    for word in ("joblib", "load_iris", "echo", "1 / 0", "the first", "lading"):
        assert word not in text


def test_in_the_notebook_a_lambda_is_named(ran: tuple[Path, Any]) -> None:
    division, refusal = errors(ran[1])
    assert division.startswith("ZeroDivisionError")
    assert refusal.startswith("UnsupportedModel: the model cannot be pickled: `func` of `FunctionTransformer`")
    assert "is a lambda" in refusal


def test_afterwards_the_saved_notebook_does_not_know_what_was_computed_from_data(folder: Path) -> None:
    with pytest.raises(UnsupportedModel) as caught:
        lading.load("model.joblib", declared=Declared(code="train.ipynb"))
    assert "`LIMITS`, which In [2] computes from data (`np.loadtxt`)" in caught.value.message
    assert "pack from inside the notebook" in caught.value.hint


def test_with_the_value_written_down_the_saved_notebook_gives_the_same_model(folder: Path) -> None:
    text = (folder / "train.ipynb").read_text().replace('np.loadtxt(\\"limits.txt\\").tolist()', "[3.0, 2.0, 1.0]")
    (folder / "written.ipynb").write_text(text)
    model = lading.load("model.joblib", declared=Declared(code="written.ipynb"))
    answers, _, _ = json.loads((folder / "answers.json").read_text())
    assert model.predict_proba(X) == pytest.approx(np.array(answers))
    assert model.manifest.metadata == {"author": "somebody"}
