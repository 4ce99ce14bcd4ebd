"""The process that converts: whatever becomes of it is a reason, and never more than that."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from tests.live import environment

from lading.engine import converting
from lading.engine.conversion import Job, convert, reason_of
from lading.engine.converting import NotConverted, convert_apart
from lading.errors import FormatError
from lading.flavors.onnx import open_session
from lading.flavors.registry import dump_with_any
from lading.schema.fields import Field

IRIS = load_iris(as_frame=True)
FIELDS = tuple(Field(name) for name in IRIS.data.columns)


def saved(model: Any) -> bytes:
    _, _, data = dump_with_any(model)
    return data


@pytest.fixture(scope="module")
def ridge() -> bytes:
    return saved(Ridge().fit(IRIS.data.to_numpy(), IRIS.target))


def test_a_model_is_converted_in_either_precision(ridge: bytes) -> None:
    graphs = dict(convert_apart("sklearn", FIELDS, "array", ridge))
    assert list(graphs) == ["float64", "float32"]
    rows = IRIS.data.to_numpy()[:3]
    answers = open_session(graphs["float64"]).run(None, {"x": rows})[0][:, 0]
    assert np.allclose(answers, Ridge().fit(IRIS.data, IRIS.target).predict(IRIS.data.head(3)))


def stand_in(script: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program in the place of the interpreter; the folder of the job is its last argument."""
    program = folder / "program"
    program.write_text(f"#!/bin/sh\nfor folder; do :; done\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(converting.sys, "executable", str(program))


PROGRAMS = {
    "a crash": ("kill -SEGV $$", "its conversion ended with signal 11"),
    "a failure": ("echo words; echo more >&2; exit 7", "its conversion ended with exit code 7"),
    "nothing": ("exit 0", "its conversion gave nothing that can be read"),
    "garbage": ('echo garbage > "$folder/outcome.json"', "its conversion gave nothing that can be read"),
    "something else": ('echo \'{"precisions": [5]}\' > "$folder/outcome.json"', "nothing that can be read"),
    "no reason": ("echo '{}' > \"$folder/outcome.json\"", "its conversion gave nothing"),
    "no graph": ('echo \'{"precisions": ["float64"]}\' > "$folder/outcome.json"', "nothing that can be read"),
    "too many words": ('head -c 2000000 /dev/zero > "$folder/outcome.json"', "gave more than 1 MiB"),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_whatever_the_process_does_is_a_reason(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], ridge: bytes
) -> None:
    script, reason = PROGRAMS[name]
    stand_in(script, tmp_path, monkeypatch)
    with pytest.raises(NotConverted, match=reason):
        convert_apart("sklearn", FIELDS, "array", ridge)
    assert capfd.readouterr() == ("", "")


def test_a_process_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(f'echo $$ > "{tmp_path}/pid"; exec sleep 600', tmp_path, monkeypatch)
    monkeypatch.setattr(converting, "LIMIT_S", 1.0)
    with pytest.raises(NotConverted, match="its conversion took more than 1 s"):
        convert_apart("sklearn", FIELDS, "array", b"")
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGTERM)


def test_a_graph_beyond_the_bound_is_not_taken(ridge: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(converting, "MAX_GRAPH_BYTES", 100)
    with pytest.raises(NotConverted, match="more memory than there is"):
        convert_apart("sklearn", FIELDS, "array", ridge)


def test_a_process_that_cannot_be_started_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(converting.sys, "executable", "/nowhere/python")
    with pytest.raises(NotConverted, match="cannot be started: FileNotFoundError"):
        convert_apart("sklearn", FIELDS, "array", b"")


def test_nothing_is_left_behind(ridge: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(converting.sys, "executable", "/nowhere/python")
    with pytest.raises(NotConverted):
        convert_apart("sklearn", FIELDS, "array", ridge)
    assert list(tmp_path.iterdir()) == []


def test_it_ends_with_the_process_that_asked(tmp_path: Path) -> None:
    # Its end of the pipe is closed before it has a job: without one it would fail in another way.
    command = [sys.executable, "-m", "lading.engine.conversion", str(tmp_path)]
    os.mkfifo(tmp_path / "job.json")  # which nobody writes to
    done = subprocess.run(command, stdin=subprocess.DEVNULL, env=environment(), timeout=30, check=False)
    assert done.returncode == 1


# --- why a model is not converted


def reason(model: Any, fields: tuple[Field, ...] = FIELDS, wants: str = "array") -> str:
    with pytest.raises(Exception) as caught:  # noqa: PT011  what a converter raises is of any class
        convert(Job("sklearn", fields, wants), saved(model), "float64")
    return reason_of(caught.value)


def test_a_class_that_is_not_known_is_named() -> None:
    model = make_pipeline(FunctionTransformer(np.log1p), Ridge()).fit(IRIS.data.to_numpy(), IRIS.target)
    assert reason(model) == "a function of a FunctionTransformer cannot be converted"


def test_texts_are_not_converted() -> None:
    frame = IRIS.data.assign(text="some words")
    columns = make_column_transformer((CountVectorizer(), "text"), remainder="passthrough")
    model = make_pipeline(columns, LogisticRegression(max_iter=5000)).fit(frame, IRIS.target)
    assert "CountVectorizer reads texts in another way" in reason(model, (*FIELDS, Field("text", kind="text")), "frame")


def test_a_reason_is_one_line_that_is_the_same_each_time() -> None:
    told = reason_of(ValueError("two\nlines of <object at 0x7f12ab>\t" + "x" * 1000))
    assert told.startswith("its conversion ended with ValueError: two lines of <object at 0x>")
    assert len(told) == 200
    assert told.isprintable()


def test_our_own_errors_are_told_as_they_are() -> None:
    assert reason_of(FormatError("the file is broken", hint="mend it")) == "the file is broken"


def test_others_are_converted_where_there_is_a_converter() -> None:
    X = IRIS.data.to_numpy()
    for model in (
        KMeans(3, n_init=1, random_state=0).fit(X),
        GaussianProcessClassifier().fit(X[:60], IRIS.target[:60]),
    ):
        assert convert(Job("sklearn", FIELDS, "array"), saved(model), "float64").startswith(b"\x08")


def shout() -> None:
    """What a notebook has saved beside its model."""


def test_a_model_that_needs_its_authors_code_is_converted_with_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shout, "__module__", "__main__")
    monkeypatch.setattr(sys.modules["__main__"], "shout", shout, raising=False)
    data = saved({"model": Ridge().fit(IRIS.data.to_numpy(), IRIS.target), "said": shout})
    with pytest.raises(NotConverted, match="shout"):
        convert_apart("sklearn", FIELDS, "array", data)
    code = {"__main__": "def shout():\n    pass\n"}
    assert list(dict(convert_apart("sklearn", FIELDS, "array", data, code))) == ["float64", "float32"]
