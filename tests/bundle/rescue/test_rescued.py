import ast
import asyncio
import pickle
import sys
import types

import numpy as np
import pandas as pd
import pytest

from lading.bundle.rescue.notebook import Cell, Source, read_source
from lading.bundle.rescue.rescued import definitions, rescue
from lading.errors import FormatError, LadingError, UnsupportedModel


def notebook(*cells):
    return Source("churn.ipynb", tuple(Cell(text, f"In [{count}]") for count, text in enumerate(cells, 1)))


def rescued(names, *cells, values=None):
    return rescue(notebook(*cells), names.split(), values=values)


@pytest.fixture
def load():
    """Run a rescued text in a fresh module, as loading a model does."""
    loaded = []

    def run(result):
        module = types.ModuleType(f"rescued_{len(loaded)}")
        sys.modules[module.__name__] = module
        loaded.append(module.__name__)
        exec(compile(result.text, "rescued.py", "exec", dont_inherit=True), vars(module))
        return module

    yield run
    for name in loaded:
        del sys.modules[name]


def refused(names, *cells, values=None):
    with pytest.raises(UnsupportedModel) as caught:
        rescued(names, *cells, values=values)
    assert "\n" not in caught.value.message + caught.value.hint
    return caught.value.message, caught.value.hint


# --- what is carried: cells, an expression, and what it gives in the notebook and in the rescued module

CARRIED = {
    "function": (["def f(x): return x + 1"], "f(1)"),
    "decorated": (
        ["import functools", "def twice(g):\n    @functools.wraps(g)\n    def run(x): return 2 * g(x)\n    return run",
         "@twice\ndef f(x): return x + 1"],
        "f(1), f.__name__",
    ),
    "class with a base in another cell": (["class Base:\n    n = 2", "class f(Base): pass"], "f().n"),
    "constant": (["LIMIT = 3", "def f(x): return min(x, LIMIT)"], "f(9)"),
    "constants that need each other": (["A = 1", "B = A + 1", "def f(): return B"], "f()"),
    "import alias": (["import math, os.path as files", "def f(a): return files.basename(a)"], "f('a/b')"),
    "from import": (["from math import floor, sqrt as root", "def f(x): return root(x)"], "f(4)"),
    "submodules": (["import xml.dom\nimport xml.sax", "def f(): return xml.dom.__name__, xml.sax.__name__"], "f()"),
    "comprehension": (["def half(x): return x / 2", "def f(xs): return [half(x) for x in xs if half(x)]"], "f([2])"),
    "magics and shell": (["%matplotlib inline\n!ls\nK = 2", "%%time\ndef f(): return K"], "f()"),
    "unrelated syntax error": (["print 'old'", "def f(): return 1"], "f()"),
    "redefinition": (["def f(): return 1", "def f(): return 2"], "f()"),
    "helper redefined": (["def h(): return 1", "def f(): return h()", "def h(): return 2"], "f()"),
    "base redefined after subclass": (["class B:\n    n = 1", "class f(B): pass", "class B:\n    n = 2"], "f.n, f().n"),
    "both bases": (["class B:\n    n = 1", "class f(B):\n    def g(self): return B.n", "class B:\n    n = 2"],
        "f().g()"),
    "lambda by name": (["K = 3", "f = lambda x: x * K"], "f(2)"),
    "closure by call": (["def make(n):\n    def run(x): return x + n\n    return run", "f = make(2)"], "f(1)"),
    "helper redefined after a call": (
        ["def h(): return 1", "def make(): return h()", "V = make()", "def h(): return 2", "def f(): return V, h()"],
        "f()",
    ),
    "partial": (["from functools import partial", "def g(x, y): return x - y", "f = partial(g, y=1)"], "f(3)"),
    "mutual recursion": (
        ["def f(n): return n == 0 or odd(n - 1)", "def odd(n): return n != 0 and f(n - 1)"],
        "f(4), odd(4)",
    ),
    "class attribute": (["K = 2", "class f:\n    k = K\n    twice = [K * i for i in range(2)]"], "f.k, f.twice"),
    "class attribute of the same name": (["K = 2", "class f:\n    K = K + 1"], "f.K"),
    "default argument": (["K = 2", "def f(x=K): return x", "K = 3"], "f()"),
    "constant bound anew": (["K = 2", "def f(x=K): return x, K", "K = 3"], "f()"),
    "dataclass": (
        ["from dataclasses import dataclass, field", "K = 2",
        "@dataclass\nclass f:\n    a: int = K\n    b: list = field(default_factory=list)"],
        "f().a, f().b",
    ),
    "enum": (["from enum import Enum", "class Color(Enum):\n    RED = 1", "def f(): return Color.RED.value"], "f()"),
    "named tuple": (["from typing import NamedTuple", "class f(NamedTuple):\n    a: int = 1"], "f().a"),
    "type hints": (["from typing import Optional", "def f(x: Optional[int] = None) -> Optional[int]: return x"],
        "f(1)"),
    "hints that are never read": (["from __future__ import annotations", "def f(x: Nothing) -> Nowhere: return x"],
        "f(1)"),
    "star import": (["from math import *", "def f(x): return sqrt(x)"], "f(4)"),
    "global": (["N = 0", "def f():\n    global N\n    N += 1\n    return N"], "f(), f()"),
    "global bound by a call": (["def set_up():\n    global N\n    N = 5", "set_up()", "def f(): return N"], "f()"),
    "global bound by itself": (["def f():\n    global N\n    N = 5\n    return g()", "def g(): return N"], "f()"),
    "import or else": (["try:\n    import nothing_here as n\nexcept ImportError:\n    n = None", "def f(): return n"],
        "f()"),
    "helper or else": (["try:\n    1 / 0\nexcept ZeroDivisionError:\n    def h(): return 7", "def f(): return h()"],
        "f()"),
    "async": (["async def g(): return 4", "async def f(): return await g()"], "asyncio.run(f())"),
    "walrus": (["print(K := 5)", "def f(): return K"], "f()"),
    "tuple": (["A, (B, *C) = 1, (2, 3, 4)", "def f(): return A, B, C"], "f()"),
    "annotated": (["K: int = 5", "def f(): return K"], "f()"),
    "several on a line": (["A = 1; K = 'é'; B = 2", "def f(): return K"], "f()"),
    "changed in place": (["W = {'a'}\nW.update('b')\nW |= {'c'}", "for w in 'de': W.add(w)",
        "def f(): return sorted(W)"], "f()"),
    "changed by what gives a value": (["W = [1, 2]", "last = W.pop()", "def f(): return W"], "f()"),
    "changed items": (["D = {}", "D['a'] = 1\ndel D['a']\nD['b'] = 2", "def f(): return D"], "f()"),
    "changed attributes": (["def f(): return f.n", "f.n = 2", "setattr(f, 'm', 3)"], "f(), f.m"),
    "changed through a name": (["W = []", "class f:\n    w = W", "W.append(1)"], "f.w"),
    "bound anew": (["W = [1]\nW.append(2)", "W = [3]\nW.append(4)", "def f(): return W"], "f()"),
    "registered": (
        ["from functools import singledispatch", "@singledispatch\ndef f(x): return 'any'",
         "@f.register\ndef _(x: int): return 'int'", "@f.register\ndef _(x: str): return 'str'"],
        "f(1), f('a'), f(None)",
    ),
    "main": (["if __name__ == '__main__':\n    K = '''a\n    b'''\n    def f(): return K  # own"], "f()"),
    "builtin bound anew": (["def sum(xs): return -1", "def f(): return sum([1])"], "f()"),
    "match": (["K = 4",
        "def f(x):\n    match x:\n        case [a, *b]: return a, b\n        case {'k': k, **r}: return k, r, K"],
        "f({'k': 1})"),
    "generator used at once": (["K = 2", "S = sum(K * i for i in range(3))", "def f(): return S"], "f()"),
    "lambda used at once": (["K = -1", "S = sorted([1, 2], key=lambda i: K * i)", "K = 1", "def f(): return S, K"],
        "f()"),
    "nested class": (["K = 1", "class f:\n    class Inner:\n        def g(self): return K"], "f.Inner().g()"),
    "super": (["class B:\n    def g(self): return 1", "class f(B):\n    def g(self): return super().g(), __class__"],
        "f().g()[0]"),
}  # fmt: skip


def results(module, expression):
    return repr(eval(expression, {**vars(module), "asyncio": asyncio}))


@pytest.mark.parametrize(("cells", "expression"), CARRIED.values(), ids=CARRIED)
def test_what_is_rescued_does_what_the_notebook_did(cells, expression, load, monkeypatch):
    result = rescued("f", *cells)
    namespace = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", namespace)
    futures = [cell for cell in cells if cell.startswith("from __future__")]
    for cell in cells:
        # A stand-in for IPython: no magics, and what is no Python fails alone.
        plain = "\n".join(line for line in cell.split("\n") if line[:1] not in "%!" or not line)
        if not plain.startswith("print '"):
            exec(compile("\n".join([*futures, plain]), "cell", "exec", dont_inherit=True), vars(namespace))
    assert results(load(result), expression) == results(namespace, expression)


def test_every_name_that_is_asked_for_is_there(load):
    module = load(rescued("Outer.Inner clean", "class Outer:\n    class Inner: pass", "def clean(): pass"))
    assert module.Outer.Inner.__name__ == "Inner"
    assert module.clean() is None


def test_a_pickle_loads_with_what_was_rescued(load, monkeypatch):
    module = load(rescued("Scaler", "import math", "class Scaler:\n    def go(self, x): return math.sqrt(x)"))
    monkeypatch.setattr(sys.modules["__main__"], "Scaler", module.Scaler, raising=False)
    data = b"c__main__\nScaler\n)\x81."
    assert pickle.loads(data).go(4) == 2


# --- what is not carried


LOCALS = [
    "def f(df): return df",
    "def f():\n    df = 1\n    return df",
    "def f(): return [df for df in (1, 2)]",
    "def f(x): return x.df + x.g(df=1)",
    "def f(x):\n    for df in x: pass\n    return df",
    "def f(x):\n    with x as df: return df",
    "def f():\n    df = 1\n    def g(): return df\n    return g",
    "def f():\n    def g():\n        nonlocal df\n        df = 2\n    df = 1",
    "f = lambda df, *a, **k: df",
    "f = [df for df in (1, 2)]",
    "f = {df: 1 for df in 'ab'}",
    "class f:\n    df = 1\n    x = df",
    "def f():\n    import numpy as df\n    return df",
    "def f():\n    try: pass\n    except ValueError as df: return df",
    "def f():\n    class df: pass\n    return df",
    "def f(x): return (df := x) + df",
]


@pytest.mark.parametrize("cell", LOCALS)
def test_a_local_name_is_never_taken_for_a_global_one(cell):
    result = rescued("f", "import pandas as pd\ndf = pd.read_csv('train.csv')", cell)
    assert "read_csv" not in result.text
    assert result.imports in ((), ("numpy",))


def test_nothing_else_of_the_notebook_is_carried():
    cells = ["import os, pandas as pd\nos.system('rm -rf /')", "pd.options.mode = 1\ndf = pd.read_csv('a')"]
    result = rescued("f", *cells, "def f(x): return pd.isna(x)\nf(df)\nf.show()")
    assert result.text == (
        "# From churn.ipynb, In [1] and In [3]: what the model needs.\n\n"
        "import pandas as pd\n\n\ndef f(x): return pd.isna(x)\n"
    )
    assert result.places == ("In [1]", "In [3]")
    assert result.imports == ("pandas",)


def test_text_is_as_it_was_written():
    cell = "# above\n@deco  # why\ndef f(a,b = 1):\n    # inside\n    return  a  # after\n\n# below"
    text = rescued("f", "deco = lambda g:g  # plain", cell).text
    assert (
        "\ndeco = lambda g:g  # plain\n\n\n@deco  # why\ndef f(a,b = 1):\n    # inside\n    return  a  # after\n"
        in text
    )
    assert "above" not in text
    assert "below" not in text


def test_a_script_is_quoted_by_lines():
    source = read_source("train.py", b"import math\r\n\r\nK = 2\r\ndef f(x):\r\n    return math.floor(x) + K\r\n")
    result = rescue(source, ["f"])
    assert result.places == ("line 1", "line 3", "line 4")
    assert result.text.startswith("# From train.py, line 1, line 3 and line 4: ")
    assert "\r" not in result.text


def test_imports_inside_of_functions_are_listed_too():
    assert rescued("f", "def f():\n    import re, os.path\n    from json.decoder import x").imports == (
        "json",
        "os",
        "re",
    )


def test_rescuing_twice_gives_the_same_text():
    cells, _ = CARRIED["changed in place"]
    assert rescued("f", *cells).text == rescued("f", *cells).text


def test_a_name_of_a_file_cannot_leave_its_comment():
    source = Source("a\nimport os\n.ipynb", (Cell("def f(): pass", "In [1]\nimport re"),))
    assert [type(node) for node in ast.parse(rescue(source, ["f"]).text).body] == [ast.FunctionDef]


def test_definitions_are_the_names_at_the_top_level():
    source = notebook("import os.path, re as r\nA, b = 1, 2", "def f():\n    inner = 1", "class C:\n    x = 1", "f(")
    kinds = {"os": "import", "r": "import", "A": "data", "b": "data", "f": "definition", "C": "definition"}
    assert definitions(source) == kinds


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("os.system", "`os` is imported there"),
        ("root", "`root` is imported there"),
        ("alias.system", "`alias` is no class there"),
        ("__builtins__.exec", "`__builtins__` is no class there"),
        ("__name__", "`__name__` is not defined"),
    ],
)
def test_what_a_notebook_only_borrows_is_not_its_own(name, words):
    cells = ["import os\nfrom math import sqrt as root", "alias = os", "__name__ = __builtins__ = 1"]
    with pytest.raises(UnsupportedModel, match=words):
        rescue(notebook(*cells), [name])


# --- order


def test_what_is_defined_below_its_first_use_is_moved_up(load):
    cells = ["f = make(2)", "def make(n): return Helper(n)", "class Helper:\n    def __init__(self, n): self.n = n"]
    assert load(rescued("f", *cells)).f.n == 2


def test_cells_that_ran_in_another_order_are_taken_in_that_order(load):
    cell = '{"cell_type": "code", "source": "%s", "execution_count": %d}'
    cells = ", ".join([cell % ("K = 2", 3), cell % ("def f(x=K): return x", 2), cell % ("K = 1", 1)])
    source = read_source("a.ipynb", f'{{"cells": [{cells}]}}'.encode())
    assert load(rescue(source, ["f"])).f() == 1


# --- notes


NOTES = {
    "`f` is defined in In [1] and In [3]: the last one is taken": ["def f(): return 1", "", "def f(): return 2"],
    "`sqrt` is taken to come from `from math import *`": ["from math import *", "def f(x): return sqrt(x)"],
    "`f` calls `display`, which only notebooks have": ["def f(x): display(x)"],
    "In [1] imports from `.own`, which works only inside of its package": ["from .own import g", "def f(): return g"],
    "In [2] calls a method of `W`, which is not carried along": ["W = []", "W.join(df)", "def f(): return W"],
}


@pytest.mark.parametrize(("note", "cells"), NOTES.items())
def test_the_author_is_told(note, cells):
    assert rescued("f", *cells).notes == (note,)


def test_the_same_definition_twice_is_not_worth_a_note():
    assert rescued("f", "def f(): return 1", "def f():  # again\n    return 1").notes == ()


# --- what cannot be rescued

HINT = "write its value into churn.ipynb, or pack from inside the notebook, where its value is known"
NOWHERE = "give the notebook or script that defines it"
REFUSED = {
    "nowhere": (["a = 1"], "`f` is not defined in churn.ipynb", NOWHERE),
    "misspelled": (["def clean_up(): pass", "def f(): return clean_pu()"],
             "`f` needs `clean_pu`, which is not defined in churn.ipynb", "did you mean `clean_up`?"),
    "skipped": (["", "\ndef f(:"],
        "`f` is not defined in churn.ipynb", "In [2] could not be read (syntax error in line 2)"),
    "other magic": (["%%cython\ndef f(): pass"],
        "`f` is not defined in churn.ipynb", "In [1] is not Python (`%%cython`)"),
    "needs what is nowhere": (["def f(): return g()"], "`f` needs `g`, which is not defined in churn.ipynb", NOWHERE),
    "read": (["import pandas as pd\ndf = pd.read_csv('a')", "limits = df.quantile()", "def f(): return limits"],
             "`f` needs `limits`, which In [2] computes from data (`pd.read_csv`)", HINT),
    "of what is nowhere": (["limits = dff.quantile()", "def f(): return limits"],
             "`f` needs `limits`, which In [1] computes from `dff`, which is not defined in churn.ipynb", NOWHERE),
    "opened": (["with open('a') as file:\n    W = file.read().split()", "def f(): return W"],
             "`f` needs `W`, which In [1] computes from data (`open`)", HINT),
    "read by a helper": (["import json\ndef get(): return json.load(open('a'))", "W = get()", "def f(): return W"],
             "`f` needs `W`, which In [2] computes from data (`json.load`)", HINT),
    "fitted": (["enc = Encoder()\nenc.fit(1)", "class Encoder: pass", "def f(x): return enc"],
             "`f` needs `enc`, which In [1] computes from data (`enc.fit`)", HINT),
    "fitted on the way": (
            ["enc = Encoder()", "X = enc.fit_transform(1)", "class Encoder: pass", "def f(x): return enc"],
             "`f` needs `enc`, which In [2] computes from data (`enc.fit_transform`)", HINT),
    "changed by data": (["W = []", "W.extend(df)", "def f(): return W"],
             "`f` needs `W`, which In [2] computes from `df`, which is not defined in churn.ipynb", NOWHERE),
    "requested": (["import requests", "f = requests.get('http://a')"],
             "the model needs `f`, which In [2] computes from data (`requests.get`)", HINT),
    "awaited": (["f = await g()", "async def g(): pass"],
        "the model needs `f`, which In [1] computes from data (`await`)", HINT),
    "default": (["import numpy", "def f(x=numpy.load('a')): pass"],
        "`f` reads data where In [2] defines it (`numpy.load`)",
             "read the data inside of the function, or write what it needs into the source"),
    "star does not define": (["from math import *"], "`f` is not defined in churn.ipynb", NOWHERE),
    "not one module": (["def f(a, a): pass"], "what the model needs of churn.ipynb is not a Python module: "
             "duplicate argument 'a' in function definition", "put the definitions into a module, and import it"),
}  # fmt: skip


@pytest.mark.parametrize(("cells", "message", "hint"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_rescued_is_explained(cells, message, hint):
    assert refused("f", *cells) == (message, hint)


@pytest.mark.parametrize("name", ["a\nb", "\ud800", "x" * 10_000, "", "print"])
def test_a_name_that_is_none_is_refused_in_one_line(name):
    with pytest.raises(UnsupportedModel, match="is not defined in") as caught:
        rescue(notebook("a = 1"), [name])
    assert len(caught.value.message) < 200
    assert caught.value.message.isprintable()


HOSTILE = [
    "f = " + "-" * 3000 + "1",
    "f = " + "[" * 150 + "]" * 150,
    "f = 1" + "+1" * 20_000,
    "f = x" + ".a" * 900,
    "if 1:\n" + "".join(" " * depth + "if 1:\n" for depth in range(1, 99)) + " " * 99 + "f = 1",
    "f = 1\n" * 60_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_source_ends_in_a_module_or_an_error(text):
    try:
        message = rescue(notebook(text), ["f"]).places[0]
    except LadingError as error:
        message = error.message
    assert message
    assert "\n" not in message


def test_too_many_statements_are_refused():
    with pytest.raises(FormatError, match="more than 50000 statements"):
        definitions(notebook("a\n" * 50_001))


def test_a_long_chain_of_needs_ends():
    cells = [f"x{number} = x{number + 1}" for number in range(2000)]
    with pytest.raises(UnsupportedModel, match="`x2000`, which is not defined in"):
        rescued("f", *cells, "def f(): return x0")


# --- live values


def test_a_value_that_came_from_data_is_written_as_it_is(load):
    cells = ["import pandas as pd\ndf = pd.read_csv('a')", "limits = df.quantile()", "def f(x): return x < limits['a']"]
    result = rescued("f", *cells, values={"limits": {"a": 1.5}, "df": pd.DataFrame()})
    assert "read_csv" not in result.text
    assert result.notes == ("`limits` is written with the value that it has now",)
    assert load(result).f(1)


def test_a_constant_has_the_value_that_it_has_now(load):
    assert load(rescued("f", "K = 1", "def f(): return K", values={"K": 2, "f": print})).f() == 2


def test_changes_are_not_made_twice(load):
    result = rescued("f", "W = [1]\nW.append(2)", "def f(): return W", values={"W": [1, 2, 3]})
    assert load(result).f() == [1, 2, 3]


def test_a_value_used_before_it_was_bound_anew_comes_from_the_source(load):
    result = rescued("f", "K = 1", "def f(x=K): return x, K", "K = 2", values={"K": 3})
    assert load(result).f() == (1, 3)


def test_a_value_that_no_cell_binds_is_written(load):
    assert load(rescued("f", "def f(): return K", values={"K": (1, "a")})).f() == (1, "a")


def test_functions_classes_and_modules_come_from_the_source():
    cells = ["import re\ndef g(): return re", "class C: pass", "try:\n    import x\nexcept ImportError:\n    x = None"]
    result = rescued("f", *cells, "def f(): return g, C, x", values={"re": 1, "g": 2, "C": 3, "x": None})
    assert result.notes == ()


def test_an_array_brings_numpy(load):
    limits = np.array([[1.5, 2], [3, 4]], dtype=np.float32)
    result = rescued("f", "limits = load()", "def f(): return limits", values={"limits": limits})
    assert "numpy" in result.imports
    got = load(result).f()
    assert got.dtype == np.float32
    assert np.array_equal(got, limits)


def test_a_value_that_is_not_plain_is_explained():
    cells = ["import pandas as pd\nlimits = pd.read_csv('a')", "def f(): return limits"]
    message, hint = refused("f", *cells, values={"limits": pd.DataFrame()})
    assert message == "`f` needs `limits`, which In [1] computes from data (`pd.read_csv`)"
    assert hint.startswith("its value is a `DataFrame`: keep only the numbers and texts")


def test_cells_full_of_magics_are_not_mended_for_ever():
    cell = f"#{'-' * 300_000}\n" + "%who\n" * 6
    source = notebook(*[f"{cell}a{number} = 1" for number in range(3)], "def f(): return 1")
    assert definitions(source) == {"a0": "data", "f": "definition"}
