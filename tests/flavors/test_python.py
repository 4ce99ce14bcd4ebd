"""Any Python as a model: which function or class it is, and what is said where it cannot be."""

import functools
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lading
from lading.bundle.declared import Declared
from lading.engine.model import Model
from lading.errors import EnvironmentMismatch, FormatError, LadingError, PredictionFailed, UnsupportedModel, UsageError
from lading.flavors.flavor import Support
from lading.flavors.python import PythonFlavor
from lading.schema.table import Table

Open = Callable[..., Model]


@pytest.fixture
def open_text(tmp_path: Path) -> Open:
    """Loads a model of this text."""

    def open_text(text: str | bytes, entry: str = "", **declared: Any) -> Model:
        path = tmp_path / "score.py"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return lading.load(f"{path}:{entry}" if entry else path, declared=Declared(**declared))

    return open_text


def refused(open_text: Open, text: str | bytes, entry: str = "") -> LadingError:
    """The error of a text that is no model: one clear line."""
    with pytest.raises(LadingError) as raised:
        open_text(text, entry)
    assert "\n" not in raised.value.message
    return raised.value


# --- which it is

FLOAT = "def f(x: float): return 2 * x\n"
CHOSEN = [
    (FLOAT, ""),
    (f"def g(x: float): return 0\n{FLOAT}", "f"),
    (f"def f(x: float): return 0\n{FLOAT}", ""),
    (f"def _helper(x): return x\n{FLOAT}", ""),
    (f"from math import *\nfrom json import loads\nimport json as j\n{FLOAT}", ""),
    (f"import logging\nlog = logging.getLogger()\nlimit = 3\nVector = list[float]\n{FLOAT}", ""),
    ("try:\n    import json\nfinally:\n    def f(x: float): return 2 * x\n", ""),
    ("f = lambda x: 2 * x\n", ""),
    ("from functools import partial\ndef _times(k, x: float): return k * x\nf = partial(_times, 2)\n", ""),
    ("from functools import cache\n@cache\ndef f(x: float): return 2 * x\n", ""),
    ("class M:\n    def predict(self, x: float): return 2 * x\n", ""),
    ("class _B:\n    def predict(self, x: float): return 2 * x\nclass M(_B): ...\n", ""),
    ("class M:\n    @staticmethod\n    def predict(x: float): return 2 * x\n", ""),
    (
        "class M:\n    def __init__(self, k): ...\n    def predict(self, x: float): return 2 * x\nm = M(2)\n",
        "m",
    ),
    ("class _C:\n    def __call__(self, x: float): return 2 * x\nf = _C()\n", ""),
    ("from typing import NewType\nAge = NewType('Age', float)\ndef f(x: Age): return 2 * x\n", ""),
    (f"{FLOAT}if __name__ == '__main__':\n    raise SystemExit\n", ""),
    (FLOAT.replace("\n", "\r\n"), ""),
]


@pytest.mark.parametrize(("text", "entry"), CHOSEN)
def test_the_model_is_the_one_that_could_be_or_the_one_that_is_named(open_text: Open, text: str, entry: str):
    assert open_text(text, entry).predict([[1.5]]).tolist() == [3.0]


def test_of_several_one_has_to_be_named(open_text: Open):
    error = refused(open_text, f"def deco(fn): return fn\n@deco\n{FLOAT}")
    assert error.message == "which is the model: `deco`, `f`?"
    assert error.hint == "say it behind the file's name: FILE.py:f"


def test_a_name_that_is_not_there_is_said_with_those_that_are(open_text: Open):
    error = refused(open_text, FLOAT, "g")
    assert (error.message, error.hint) == ("the file defines no `g`", "it defines `f`")


REFUSED = [
    ("import json\n", "", "defines neither a function nor a class with `predict`"),
    ("class C: ...\n", "", "defines neither a function nor a class with `predict`"),
    ("class C: ...\n", "C", "`C` is no function, and has no `predict`"),
    ("c = 3\n", "c", "`c` is no function, and has no `predict`"),
    ("async def f(x: float): return x\n", "", "`f` is `async`, and nobody waits for it"),
    ("def f(x: float):\n    yield x\n", "", "`f` yields its answers"),
    ("def f(*args): return 0\n", "", "`f` takes any number of parameters"),
    ("def f(x: float): return None\n", "", "`f` returned nothing (is a `return` missing?) for a row"),
    ("def f(x: float): return {'a': x}\n", "", "`f` returned `dict` for a row"),
    ("def f(x: float): return 1j\n", "", "`f` returned `complex` for a row"),
    ("def f(x: float):\n    import sys\n    sys.exit(3)\n", "", "SystemExit: 3 (line 3)"),
    ("def f(x: float): return f(x)\n", "", "RecursionError"),
    ("import math\ndef f(x: float): return math.log(-abs(x))\n", "", "ValueError: math domain error (line 2)"),
    ("import random\ndef f(x: float): return random.random()\n", "", "from call to call"),
    ("def f(x): return x - x.mean()\n", "", "`f` answers a row differently when other rows are beside it"),
    (
        "from typing import Literal\ndef f(x: float) -> Literal['a']: return 'b'\n",
        "",
        "not among the values",
    ),
    ("class C:\n    def __init__(self, k): ...\n    def predict(self, x: float): return x\n", "", "argument: 'k'"),
    (
        "class C:\n    def load(self): raise OSError('no weights')\n    def predict(self, x: float): ...\n",
        "",
        "no weights",
    ),
    ("class C:\n    async def load(self): ...\n    def predict(self, x: float): ...\n", "", "`C.load` is `async`"),
    ("class C:\n    classes = 'abc'\n    def predict(self, x: float): ...\n", "", "`classes` of `C` are no list"),
    ("1 / 0\ndef f(x: float): ...\n", "", "the file cannot be run: ZeroDivisionError"),
]


@pytest.mark.parametrize(("text", "entry", "message"), REFUSED)
def test_what_cannot_answer_is_refused_in_a_line(open_text: Open, text: str, entry: str, message: str):
    error = refused(open_text, text, entry)
    assert isinstance(error, UnsupportedModel)
    assert message in error.message


SINGLE = [
    "def f(x, y): return 1 if x > y else 0\n",
    "def f(x, y): return max(x, y)\n",
    "import math\ndef f(x, y): return math.hypot(x, y)\n",
    "from functools import cache\n@cache\ndef f(x, y): return x + y\n",
    "def f(x, y): return 3.0\n",
    "def f(x: list[float], y: list[float]): return x - y\n",
]


@pytest.mark.parametrize("text", SINGLE)
def test_what_was_written_for_single_values_is_told_how_to_get_them(open_text: Open, text: str):
    error = refused(open_text, text)
    assert isinstance(error, UnsupportedModel)
    assert "with plain annotations (`x: float`) it is called for each row" in str(error.hint)


@pytest.mark.parametrize("text", ["import no_such_thing\n" + FLOAT, "def f(x: float):\n    import no_such_thing\n"])
def test_a_module_that_is_not_here_is_missed_wherever_it_is_imported(open_text: Open, text: str):
    error = refused(open_text, text)
    assert isinstance(error, EnvironmentMismatch)
    assert "imports `no_such_thing`, which is not here" in error.message


# --- the file


ENCODED = [
    "\ufeffdef f(x: str): return 'é' + x\n".encode(),
    "# -*- coding: latin-1 -*-\ndef f(x: str): return 'é' + x\n".encode("latin-1"),
]


@pytest.mark.parametrize("data", ENCODED)
def test_the_encoding_is_the_one_that_the_file_says(open_text: Open, data: bytes):
    assert open_text(data).predict({"x": "a"}).tolist() == ["éa"]


NO_PYTHON = [
    (b"def f(x: float) return x\n", "SyntaxError: expected ':' (line 1)"),
    ("def f(x: float): return 'é'\n".encode("latin-1"), "encoding"),
    (b"# coding: no-such\ndef f(x): return x\n", "encoding"),
    (b"def f(x): return " + b"(" * 500 + b")" * 500, "too many nested parentheses"),
]


@pytest.mark.parametrize(("data", "words"), NO_PYTHON)
def test_a_file_that_python_does_not_read_is_broken(open_text: Open, data: bytes, words: str):
    error = refused(open_text, data)
    assert isinstance(error, FormatError)
    assert f"nothing that Python {'.'.join(map(str, sys.version_info[:3]))} reads" in error.message
    assert words in error.message


NOT_RECOGNIZED = [
    b'{"def f": 1}',
    b"a,b\n1,2\n",
    b"\x80\x05def",
    b"PK\x03\x04import x",
    b"import x\0",
    b"hello",
    b"# no code",
]


@pytest.mark.parametrize("data", NOT_RECOGNIZED)
def test_what_reads_as_no_statement_is_not_recognized(data: bytes):
    assert not PythonFlavor().recognizes(data)


def test_a_large_file_of_another_format_is_not_parsed():
    assert not PythonFlavor().recognizes(b"[" + b"[1, 2]," * 10_000_000)


def test_a_file_may_be_called_as_no_module_could(tmp_path: Path):
    path = tmp_path / "my-score 2.py"
    path.write_text(FLOAT)
    assert lading.load(path).predict([[1.0]]).tolist() == [2.0]


# --- a class


WEIGHTS = """
import io
import numpy as np

class Model:
    classes = ["low", "high"]

    def load(self, files):
        self.weights = np.load(io.BytesIO(files["weights.npy"]))

    def predict(self, age, income):
        return np.array(self.classes)[self.predict_proba(age, income).argmax(axis=1)]

    def predict_proba(self, age, income):
        high = 1 / (1 + np.exp(-np.column_stack([age, income]) @ self.weights))
        return np.column_stack([1 - high, high])
"""


def test_a_class_is_loaded_with_its_files_once(open_text: Open, tmp_path: Path):
    np.save(tmp_path / "weights.npy", np.array([1.0, -1.0]))
    model = open_text(WEIGHTS, files=(str(tmp_path / "weights.npy"),))
    assert (model.schema.task, model.schema.outputs[0].classes) == ("classification", ("low", "high"))
    rows = [{"age": 3.0, "income": 0.0}, {"age": 0.0, "income": 3.0}]
    assert model.predict(rows).tolist() == ["high", "low"]
    assert model.predict_proba(rows).sum(axis=1).tolist() == [1.0, 1.0]


def test_a_file_that_was_not_given_is_said_with_how(open_text: Open):
    error = refused(open_text, WEIGHTS)
    assert error.message == "`Model` cannot be opened: KeyError: 'weights.npy' (line 9)"
    assert "the files named by --file, as bytes by name; here are none" in str(error.hint)


PROBABILITIES = [
    ("x: float", "return 0.5", r"`predict_proba` returned \(8,\), expected \(8, 2\), a probability a class"),
    ("x: float", "return [0.1, 0.2, 0.7]", r"`predict_proba` returned \(8, 3\), expected \(8, 2\)"),
    ("y: float", "return [0.5, 0.5]", "`predict_proba` of `M` takes other parameters than `predict`"),
]


@pytest.mark.parametrize(("parameter", "body", "message"), PROBABILITIES)
def test_probabilities_are_one_a_class(open_text: Open, parameter: str, body: str, message: str):
    text = "class M:\n    classes = (0, 1)\n    def predict(self, x: float): return 1\n"
    with pytest.raises(UnsupportedModel, match=message):
        open_text(f"{text}    def predict_proba(self, {parameter}): {body}\n")


def test_a_fitted_estimator_may_be_the_model(iris: Any, model: Any, tmp_path: Path):
    import joblib

    joblib.dump(model, tmp_path / "m.joblib")
    (tmp_path / "score.py").write_text("""
import io
import joblib
import pandas as pd

class Model:
    def load(self, files):
        self.inner = joblib.load(io.BytesIO(files["m.joblib"]))

    def predict(self, frame: pd.DataFrame):
        return self.inner.predict(frame)
""")
    declared = Declared(files=(str(tmp_path / "m.joblib"),))
    packed = lading.pack(tmp_path / "score.py", iris.data, path=tmp_path / "m.lading", declared=declared)
    assert [requirement.name for requirement in packed.manifest.requirements] == ["joblib", "pandas"]
    assert lading.load(packed.path).predict(iris.data).tolist() == model.predict(iris.data).tolist()


# --- data


def test_data_tell_the_range_and_the_annotation_the_kind(tmp_path: Path):
    import pandas

    (tmp_path / "score.py").write_text("def f(x: float, n: int, d: float | None): return x\n")
    data = pandas.DataFrame({"x": [1, 2, 3], "n": [1.0, 2.0, None], "d": [1.0, 2.0, 3.0], "y": [0, 0, 0]})
    model = lading.load(lading.pack(tmp_path / "score.py", data, path=tmp_path / "m.lading").path)
    assert [(f.kind, f.nullable) for f in model.schema.inputs] == [("float", False), ("int", False), ("float", True)]
    assert [str(field.seen) for field in model.schema.inputs] == ["1 to 3", "1 to 2", "1 to 3"]
    assert model.schema.unused == ("y",)
    assert model.predict({"x": 1.5, "n": 1, "d": None}).tolist() == [1.5]


@pytest.mark.parametrize(("hint", "values"), [("int", [1.5]), ("bool", [1]), ("float", ["a"]), ("Literal['a']", ["b"])])
def test_data_that_the_annotation_contradicts_are_refused(tmp_path: Path, hint: str, values: list[Any]):
    import pandas

    (tmp_path / "score.py").write_text(f"from typing import Literal\ndef f(x: {hint}): return 1\n")
    with pytest.raises(UsageError, match="`x` of the data holds what the model does not take, which is "):
        lading.pack(tmp_path / "score.py", pandas.DataFrame({"x": values}), path=tmp_path / "m.lading")


def test_columns_of_everything_at_once_come_from_data(tmp_path: Path, iris: Any):
    (tmp_path / "score.py").write_text("def f(columns: dict): return columns['petal width (cm)'] * 2\n")
    with pytest.raises(UnsupportedModel, match="f does not say how many columns it takes"):
        lading.load(tmp_path / "score.py")
    model = lading.load(lading.pack(tmp_path / "score.py", iris.data, path=tmp_path / "m.lading").path)
    expected = (iris.data["petal width (cm)"] * 2).tolist()
    assert model.predict(iris.data).tolist() == expected


# --- answers


def test_an_error_in_it_is_of_the_request_alone(open_text: Open):
    model = open_text("def f(x: int):\n    if x == 7: raise KeyError('seven')\n    return x\n")
    with pytest.raises(PredictionFailed, match=r"(?m)^the model failed on this input \(KeyError\)$") as raised:
        model.predict([[7]])
    assert (raised.value.code, "seven" in raised.value.message) == ("model.failed", False)
    assert model.predict([[8]]).tolist() == [8]


@pytest.mark.parametrize(
    ("hint", "task"), [("float", "regression"), ("str", "unknown"), ("Literal[1]", "classification")]
)
def test_what_it_says_that_it_gives_is_its_task(open_text: Open, hint: str, task: str):
    text = f"from typing import Literal\ndef f(x: int) -> {hint}: return {'1' if hint != 'str' else repr('a')}\n"
    assert open_text(text).schema.task == task


def test_the_flavor_makes_no_file_of_an_object():
    assert PythonFlavor().dump(lambda x: x) is None


IDENTITIES = {
    "int": st.integers(-(2**53), 2**53),
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "str": st.text(),
    "bool": st.booleans(),
}


@pytest.mark.parametrize("hint", IDENTITIES)
@given(data=st.data())
def test_what_came_in_goes_out(hint: str, data: st.DataObject):
    values = data.draw(st.lists(IDENTITIES[hint], min_size=1, max_size=10))
    model = _identity(hint)
    answered = list(model.answer({"columns": ["x"], "data": [[value] for value in values]}).predictions)
    assert answered == values
    assert list(map(type, answered)) == list(map(type, values))


@functools.cache
def _identity(hint: str) -> Model:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "score.py"
        path.write_text(f"def f(x: {hint}) -> {hint}: return x\n")
        return lading.load(path)


def test_it_is_opened_with_what_stands_beside_it():
    modules = {"helpers": type(sys)("helpers")}
    modules["helpers"].two = 2
    support = Support(modules, "g", {"a.txt": b"3"})
    text = b"""
import helpers
class f: ...
class g:
    def load(self, files): self.k = int(files["a.txt"])
    def predict(self, x: float): return helpers.two * self.k * x
"""
    loaded = PythonFlavor().load(text, support)
    table = Table.from_rows(loaded.learn().fields, [(1.5,)])
    assert (loaded.class_name, loaded.predict(table).prediction.tolist()) == ("g", [9.0])


def test_a_script_is_not_run_to_find_a_model_in_it(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    (tmp_path / "train.py").write_text(f"open({str(canary)!r}, 'w')\nmodel = 1\n")
    with pytest.raises(UnsupportedModel, match="defines neither a function nor a class"):
        lading.load(tmp_path / "train.py")
    assert not canary.exists()


def test_a_function_that_says_numbers_gives_numbers(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text("def f(x: int) -> float:\n    return 'abc' if x > 10**6 else 1.5\n")
    model = lading.load(tmp_path / "m.py")
    assert model.answer([{"x": 1}]).predictions == [1.5]
    with pytest.raises(PredictionFailed):
        model.answer([{"x": 10**6 + 1}])


def test_rows_that_are_all_alike_do_not_vouch_for_others(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text("def best(x: list[str]) -> list[str]:\n    return [max(x, key=len)] * len(x)\n")
    model = lading.load(tmp_path / "m.py")
    assert model.answer([{"x": "a"}, {"x": "a"}]).predictions == ["a", "a"]
    with pytest.raises(PredictionFailed):
        model.answer([{"x": "a"}, {"x": "a secret"}])
