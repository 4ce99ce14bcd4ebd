"""Files that would act on the machine when they are opened: every verb refuses them, and nothing of them is run."""

import gzip
import io
import json
import os
import pickle
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import FunctionTransformer
from tests.live import run as run_process

import lading
from lading.bundle.bundle import write_bundle
from lading.bundle.manifest import ENGINE
from lading.engine.loading import open_bundle

TOUCH = "touch canary"


class Acts:
    """Its pickle calls a function when it is loaded."""

    def __init__(self, fn: Callable[..., Any], *arguments: Any) -> None:
        self.call = fn, arguments

    def __reduce__(self) -> Any:
        return self.call


class Sings(LogisticRegression):
    """A fitted estimator that pickles as a program."""

    def __reduce__(self) -> Any:
        return exec, ("open('canary', 'w').close()",)


SYSTEM = Acts(os.system, TOUCH)


def dumped(value: Any) -> bytes:
    file = io.BytesIO()
    joblib.dump(value, file)
    return file.getvalue()


def named(module: str, name: str, argument: str, *, protocol: int = 4) -> bytes:
    """A pickle that calls what it names with a text."""
    if protocol < 4:
        return f"c{module}\n{name}\n(V{argument}\ntR.".encode()
    texts = b"".join(b"\x8c" + bytes([len(text)]) + text.encode() for text in (module, name))
    return b"\x80\x04" + texts + b"\x93\x8c" + bytes([len(argument)]) + argument.encode() + b"\x85R."


HOSTILE = {
    "system.joblib": (dumped(SYSTEM), "`posix.system`"),
    "exec.pkl": (pickle.dumps(Acts(exec, "open('canary', 'w').close()")), "`builtins.exec`"),
    "eval.pkl": (pickle.dumps(Acts(eval, "open('canary', 'w').close()"), protocol=2), "`builtins.eval`"),
    "popen.pkl": (pickle.dumps(Acts(subprocess.Popen, ["touch", "canary"])), "`subprocess.Popen`"),
    "open.pkl": (pickle.dumps(Acts(open, "canary", "w")), "`io.open`"),
    "text.pkl": (named("posix", "system", TOUCH, protocol=0), "`posix.system`"),
    "estimator.joblib": (dumped(Sings()), "`builtins.exec`"),
    "function.joblib": (dumped(FunctionTransformer(os.system)), "`posix.system`"),
    "array.joblib": (dumped({"model": LogisticRegression(), "rows": np.array([SYSTEM, 1], object)}), "`posix.system`"),
    "beside.joblib": (dumped({"model": LogisticRegression(), "metadata": {"author": SYSTEM}}), "`posix.system`"),
    "packed.pkl.gz": (gzip.compress(pickle.dumps(SYSTEM)), "`posix.system`"),
    "packed.joblib.z": (zlib.compress(dumped(SYSTEM)), "`posix.system`"),
    "broken.pkl": (pickle.dumps(SYSTEM)[:-1] + b"\xff\xff", "the pickle is broken"),
    "borrowed.pkl": (named("joblib.memory", "os.system", TOUCH), "`joblib.memory.os.system`"),
    "inner.pkl": (named("__main__", "__builtins__.exec", "1"), "`__main__.__builtins__.exec`"),
    "main.pkl": (named("__main__", "os.system", TOUCH), "`__main__.os.system`"),
}
"""By the name of the file: what is in it, and what its refusal says."""

NOTEBOOK = {"cells": [{"cell_type": "code", "execution_count": 1, "source": "import os"}], "nbformat": 4}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.ipynb").write_text(json.dumps(NOTEBOOK))
    return tmp_path


def assert_refused(place: Path, result: Any, words: str) -> None:
    assert result.code if hasattr(result, "code") else result.returncode
    said = result.err if hasattr(result, "err") else result.stderr.decode()
    error, *hint = said.splitlines()
    assert error.startswith("error: ")
    assert words in error
    assert len(hint) <= 1
    assert not (place / "canary").exists()


ROW = '{"a": 1}'
VERBS = (["inspect"], ["pack"], ["predict"], ["serve", "--port", "0"])


@pytest.mark.parametrize("name", HOSTILE)
def test_no_verb_opens_it(name: str, place: Path, run: Any) -> None:
    data, words = HOSTILE[name]
    (place / name).write_bytes(data)
    code = ["--code", "train.ipynb"] if name == "main.pkl" else []
    for verb, *options in VERBS:
        result = run(verb, name, *([ROW] if verb == "predict" else []), *options, *code)
        assert_refused(place, result, words)
    assert run("check", name).code == 3
    assert not (place / "canary").exists()


@pytest.mark.parametrize("name", HOSTILE)
def test_doctor_shows_it(name: str, place: Path, run: Any) -> None:
    data, words = HOSTILE[name]
    (place / name).write_bytes(data)
    told = run("doctor", name)
    assert told.code == 1
    assert words.strip("`") in told.out
    assert not (place / "canary").exists()


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
def test_no_process_of_a_verb_opens_it(verb: list[str], place: Path) -> None:
    for name in ("system.joblib", "main.pkl"):
        (place / name).write_bytes(HOSTILE[name][0])
        code = ["--code", "train.ipynb"] if name == "main.pkl" else []
        result = run_process(verb[0], name, *([ROW] if verb == ["predict"] else []), *verb[1:], *code, folder=place)
        assert result.returncode == 1
        assert_refused(place, result, HOSTILE[name][1])


def test_the_canaries_would_sing(place: Path) -> None:
    for name in ("system.joblib", "array.joblib", "beside.joblib", "packed.joblib.z", "estimator.joblib"):
        (place / name).write_bytes(HOSTILE[name][0])
        joblib.load(place / name)
        assert (place / "canary").exists()
        (place / "canary").unlink()


def test_a_bundle_with_such_a_model_is_not_opened(place: Path, run: Any) -> None:
    data = load_iris(as_frame=True).data
    bundle = lading.pack(LogisticRegression().fit(data, data.index > 50), path=place / "m.lading").path
    with open_bundle(bundle) as opened:
        manifest = opened.manifest
        members = {file.path: opened.read(file.path) for file in manifest.files}
    assert ENGINE not in members
    write_bundle(bundle, manifest, members | {manifest.model: dumped(SYSTEM)})
    for verb in (["predict", "m.lading", ROW], ["serve", "m.lading", "--port", "0"], ["check", "m.lading"]):
        result = run(*verb)
        assert result.code
        assert "`posix.system`" in result.out + result.err
        assert not (place / "canary").exists()
