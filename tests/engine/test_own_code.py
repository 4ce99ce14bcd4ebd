"""The author's own Python in a bundle: carried whole, seen by the model alone, the same bytes each time."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

import lading
from lading.bundle.bundle import Bundle
from lading.bundle.declared import Declared
from lading.bundle.manifest import Code
from lading.engine.own_code import NO_CODE, OwnCode, imported, third_party
from lading.errors import EnvironmentMismatch, UsageError

SCORE = "import helpers\ndef score(x: float) -> float: return helpers.double(x)\n"
HELPERS = "import other\ndef double(x): return other.two * x\n"
FILES = {"score.py": SCORE, "helpers.py": HELPERS, "other.py": "two = 2\n"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def pack(folder: Path, target: str = "m.lading", **declared: Any) -> lading.Packed:
    code = tuple(str(folder / name) for name in ("helpers.py", "other.py"))
    return lading.pack(folder / "score.py", path=folder / target, declared=Declared(code=code, **declared))


def test_a_bundle_opens_where_its_sources_are_not(folder: Path, monkeypatch: pytest.MonkeyPatch):
    packed = pack(folder)
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    moved = packed.path.rename(elsewhere / "m.lading")
    for name in FILES:
        (folder / name).unlink()
    monkeypatch.chdir(elsewhere)
    assert lading.load(moved).predict([[1.5]]).tolist() == [3.0]


def test_what_it_carries_is_seen_by_the_model_alone(folder: Path):
    path = list(sys.path)
    lading.load(pack(folder).path).predict([[1.0]])
    assert {"helpers", "other", "score"}.isdisjoint(sys.modules)
    assert sys.path == path


def test_packing_twice_gives_the_same_bytes(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    (folder / "weights.txt").write_text("3")
    packed = [pack(folder, f"{name}.lading", files=(str(folder / "weights.txt"),)) for name in ("a", "b")]
    assert packed[0].path.read_bytes() == packed[1].path.read_bytes()


def test_the_manifest_says_what_it_carries(folder: Path):
    manifest = pack(folder).manifest
    assert [(code.path, code.module, code.is_around) for code in manifest.code] == [
        ("code/helpers.py", "helpers", False),
        ("code/other.py", "other", False),
    ]


def test_two_bundles_have_each_their_own_module(folder: Path):
    first = lading.load(pack(folder, "a.lading").path)
    (folder / "other.py").write_text("two = 20\n")
    second = lading.load(pack(folder, "b.lading").path)
    assert [model.predict([[1.0]]).tolist() for model in (first, second, first)] == [[2.0], [20.0], [2.0]]


def test_what_is_imported_and_not_given_is_missed(folder: Path):
    declared = Declared(code=(str(folder / "helpers.py"),))
    with pytest.raises(EnvironmentMismatch, match=r"helpers\.py imports `other`, which is not here") as raised:
        lading.load(folder / "score.py", declared=declared)
    assert "--code other.py" in str(raised.value.hint)


def test_what_nothing_imports_is_refused(folder: Path):
    (folder / "more.py").write_text("x = 1\n")
    with pytest.raises(UsageError, match=r"nothing needs more\.py"):
        lading.load(folder / "score.py", declared=Declared(code=(str(folder / "more.py"),)))


def test_code_around_a_model_may_import_a_module(folder: Path):
    data = load_iris()
    joblib.dump(LogisticRegression(max_iter=1000).fit(data.data, data.target), folder / "model.joblib")
    (folder / "service.py").write_text("import other\ndef postprocess(outputs): return outputs + 10 * other.two\n")
    code = (str(folder / "service.py"), str(folder / "other.py"))
    packed = lading.pack(folder / "model.joblib", path=folder / "m.lading", declared=Declared(code=code))
    assert lading.load(packed.path).predict(data.data[:1]).tolist() == [20]


def test_the_code_of_a_bundle_is_what_was_packed(folder: Path):
    with Bundle.open(pack(folder).path) as bundle:
        code = OwnCode.of_bundle(bundle)
    assert code.texts == {"helpers": HELPERS, "other": "two = 2\n"}
    assert code.members == {"code/helpers.py": HELPERS.encode(), "code/other.py": b"two = 2\n"}
    assert (code.around, code.imports) == ("", frozenset())


IMPORTS: list[tuple[str, set[str]]] = [
    ("import a, b.c as d\nfrom e.f import g\n", {"a", "b", "e"}),
    ("def f():\n    import a\n", {"a"}),
    ("from . import a\nfrom .b import c\n", set()),
    ("\ufeffimport a\n", {"a"}),
    ("import a(\n", set()),
    ("'\\d'\nimport a\n", {"a"}),
]


@pytest.mark.parametrize(("text", "modules"), IMPORTS)
def test_what_a_text_imports_is_read_wherever_it_does(text: str, modules: set[str]):
    assert imported(text) == modules


def test_what_comes_with_python_is_of_no_third_party():
    assert third_party(frozenset({"json", "numpy", "sys"})) == {"numpy"}


SURVIVES: list[tuple[Callable[[], OwnCode], bool]] = [
    (lambda: NO_CODE, True),
    (lambda: OwnCode((), {"helpers": "import math\n"}), True),
    (lambda: OwnCode((), {"helpers": "def f():\n    import threading\n"}), False),
    (lambda: OwnCode((), {"helpers": "from concurrent.futures import Future\n"}), False),
    (lambda: OwnCode((Code("code/s.py", "s", "s.py", True),), {"s": "x = 1\n"}), False),
]


@pytest.mark.parametrize(("make", "survives"), SURVIVES)
def test_what_may_start_something_does_not_come_through_a_fork(make: Callable[[], OwnCode], survives: bool):
    assert make().survives_fork == survives
