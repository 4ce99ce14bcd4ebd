"""The author's own modules: seen by each other, by nobody else, and what they raise is said in a line."""

import pickle
import sys
import traceback

import pytest

from lading.errors import EnvironmentMismatch, LadingError, UnsupportedModel
from lading.flavors.modules import OwnModules, error_in_words, place_of, run_model


def test_modules_import_each_other_and_nobody_else_sees_them():
    path = list(sys.path)
    modules = OwnModules({"helpers": "import other\ndef double(x): return other.two * x\n", "other": "two = 2\n"})
    assert modules["helpers"].double(3) == 6
    assert {"helpers", "other"}.isdisjoint(sys.modules)
    assert sys.path == path
    with pytest.raises(ModuleNotFoundError):
        __import__("helpers")


def test_a_module_is_run_once_and_when_it_is_asked_for():
    modules = OwnModules({"helpers": "found = []\n", "broken": "1 / 0\n"})
    assert (sorted(modules), len(modules), "broken" in modules) == (["broken", "helpers"], 2, True)
    assert modules["helpers"] is modules["helpers"]


def test_modules_may_import_each_other_in_a_circle():
    modules = OwnModules({"one": "import two\na = 1\n", "two": "import one\ndef get(): return one.a\n"})
    assert modules["two"].get() == 1


def test_an_own_module_goes_before_an_installed_one():
    model = run_model("import json\nfrom json import mine\n", OwnModules({"json": "mine = True\n"}))
    assert model.mine
    assert not hasattr(sys.modules["json"], "mine")


def test_two_models_have_each_its_own():
    texts = ["value = 1\n", "value = 2\n"]
    models = [run_model("import helpers\n", OwnModules({"helpers": text})) for text in texts]
    assert [model.helpers.value for model in models] == [1, 2]


def test_a_module_of_a_module_is_not_there():
    message = "the file imports `helpers.inner`, which is not here"
    with pytest.raises(EnvironmentMismatch, match=message):
        run_model("import helpers.inner\n", OwnModules({"helpers": ""}))


def test_a_missing_module_is_said_with_both_ways_to_bring_it():
    with pytest.raises(EnvironmentMismatch, match=r"helpers\.py imports `no_such_thing`, which is not here") as raised:
        OwnModules({"helpers": "import no_such_thing\n"})["helpers"]
    assert raised.value.hint == "pip install what has it, or carry it along: --code no_such_thing.py"


def test_a_part_that_an_installed_package_lacks_is_of_another_version():
    with pytest.raises(EnvironmentMismatch, match=r"`json\.no_such_part`") as raised:
        run_model("import json.no_such_part\n", {})
    assert raised.value.hint == "another version of `json` may have it"


RAISED = [
    ("1 / 0\n", "ZeroDivisionError: division by zero (line 1)"),
    ("raise ValueError('one\\n  two')\n", "ValueError: one two (line 1)"),
    ("raise KeyError\n", "KeyError (line 1)"),
    ("x = 1\nimport sys\nsys.exit(3)\n", "SystemExit: 3 (line 3)"),
    ("import json\njson.loads('')\n", "JSONDecodeError: Expecting value: line 1 column 1 (char 0) (line 2)"),
    ("def f(:\n", "SyntaxError: invalid syntax (line 1)"),
    ("from . import other\n", "ImportError: attempted relative import with no known parent package (line 1)"),
    ("class E(BaseException): ...\nraise RecursionError('x' * 999)\n", f"RecursionError: {'x' * 200} (line 2)"),
]


@pytest.mark.parametrize(("text", "words"), RAISED)
def test_what_it_raises_is_said_in_a_line(text: str, words: str):
    with pytest.raises(UnsupportedModel) as raised:
        run_model(text, {})
    assert raised.value.message == f"the file cannot be run: {words}"


@pytest.mark.parametrize("text", ["open('weights.txt')\n", "import os\nhere = os.path.dirname(__file__)\n"])
def test_who_looks_for_a_file_is_told_how_files_come(text: str):
    with pytest.raises(UnsupportedModel) as raised:
        run_model(text, {})
    assert "is given the files named by --file" in str(raised.value.hint)


def test_ctrl_c_is_not_an_error_of_the_model():
    with pytest.raises(KeyboardInterrupt):
        run_model("raise KeyboardInterrupt\n", {})


def test_what_failed_leaves_nothing_behind():
    modules = OwnModules({"helpers": "import sys\nassert __name__ in sys.modules\n1 / 0\n"})
    before = set(sys.modules)
    for _ in range(2):
        with pytest.raises(UnsupportedModel, match=r"helpers.py cannot be run: .* \(helpers.py, line 3\)"):
            modules["helpers"]
    assert set(sys.modules) == before


def test_the_main_block_does_not_run():
    model = run_model("ran = False\nif __name__ == '__main__':\n    ran = True\n", {})
    assert not model.ran


def test_annotations_are_those_of_the_text():
    """Not strings, although the module that runs it has `from __future__ import annotations`."""
    model = run_model("def f(x: float, y: 'int'): ...\n", {})
    assert model.f.__annotations__ == {"x": float, "y": "int"}


def test_data_classes_and_pickles_find_where_they_were_defined():
    text = """
from __future__ import annotations
from dataclasses import dataclass
from typing import get_type_hints
@dataclass
class Row:
    age: float
hints = get_type_hints(Row)
"""
    model = run_model(text, {})
    assert model.hints == {"age": float}
    assert pickle.loads(pickle.dumps(model.Row(2.0))) == model.Row(2.0)


def test_a_traceback_shows_the_line():
    model = run_model("def f():\n    return 1 / 0  # of mine\n", {})
    with pytest.raises(ZeroDivisionError) as raised:
        model.f()
    assert "return 1 / 0  # of mine" in "".join(traceback.format_exception(raised.value))
    assert error_in_words(raised.value) == "ZeroDivisionError: division by zero (line 2)"


def test_an_error_of_nobodys_code_has_no_place():
    assert place_of(ValueError("x")) == ""
    assert place_of(LadingError("x")) == ""
