"""Python of the author's own as a service: over HTTP, in several workers, and anew when it is written."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import joblib
import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

import lading
from lading.bundle.declared import Declared
from lading.serve.target import Target
from lading.testing import serve

from .family import until

IDENTITY = "import helpers\ndef identity(X: int) -> int: return helpers.times * X\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "score.py").write_text(IDENTITY)
    (tmp_path / "helpers.py").write_text("times = 1\n")
    return tmp_path


def ask(url: str, rows: Any) -> Any:
    answer = httpx.post(f"{url}/score", json=rows, timeout=60)
    return answer.json() if answer.status_code == 200 else (answer.status_code, answer.json()["code"])


def options(folder: Path) -> list[str]:
    return ["--code", str(folder / "helpers.py"), "--output", "score", "--route", "/score"]


def test_a_function_is_a_service_of_several_workers(folder: Path):
    declared = Declared(output="score", route="/score", code=(str(folder / "helpers.py"),))
    packed = lading.pack(f"{folder}/score.py:identity", path=folder / "s.lading", declared=declared)
    (folder / "helpers.py").unlink()
    with serve(packed.path, "--workers", "2") as url:
        assert ask(url, {"X": [1, 2]}) == {"score": [1, 2]}
        assert ask(url, {"X": 7}) == {"score": 7}
        assert ask(url, {"X": "seven"}) == (422, "schema.invalid")
        assert httpx.get(f"{url}/ready", timeout=60).status_code == 200


CODE = """
def preprocess(age: float):
    if age > 1000:
        raise ValueError(age)
    return [age]

def postprocess(outputs):
    return outputs.round(2)
"""


def test_code_around_a_model_fails_for_its_request_alone(tmp_path: Path):
    joblib.dump(LinearRegression().fit([[0.0], [1.0]], [0.0, 2.0]), tmp_path / "model.joblib")
    (tmp_path / "service.py").write_text(CODE)
    said = ("--code", str(tmp_path / "service.py"), "--route", "/score", "--output", "score")
    with serve(tmp_path / "model.joblib", *said) as url:
        assert ask(url, {"age": 2.5}) == {"score": 5.0}
        assert ask(url, {"age": 5000}) == (500, "model.failed")
        assert ask(url, [{"age": 1}, {"age": 2}]) == {"score": [2.0, 4.0]}


def test_requests_together_are_answered_each_for_itself(tmp_path: Path, start: Callable[..., Any]):
    (tmp_path / "score.py").write_text("def f(x: int):\n    if x == 7: raise KeyError(x)\n    return -x\n")
    server = start(tmp_path / "score.py", "--workers", "1", "--route", "/score", "--output", "score")
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda x: ask(server.url, {"x": x}), range(32)))
    assert found == [{"score": -x} if x != 7 else (500, "model.failed") for x in range(32)]


# --- anew


def test_the_stamp_of_a_target_changes_with_each_of_its_files(folder: Path):
    target = Target(f"{folder}/score.py:identity", {"code": [str(folder / "helpers.py")]})
    assert target.files() == (str(folder / "score.py"), str(folder / "helpers.py"))
    stamps = [target.stamp()]
    for name in ("score.py", "helpers.py"):
        (folder / name).write_text((folder / name).read_text() + "# more\n")
        stamps.append(target.stamp())
    assert len(set(stamps)) == 3


@pytest.mark.parametrize("name", ["score.py", "helpers.py"])
def test_a_written_file_of_code_is_loaded_at_a_reload(folder: Path, start: Any, run_lading: Any, name: str):
    server = start(f"{folder}/score.py:identity", "--workers", "2", "--drain-s", "0", *options(folder))
    assert ask(server.url, {"X": 3}) == {"score": 3}
    (folder / name).write_text({"score.py": "def identity(X: int): return -X\n", "helpers.py": "times = -1\n"}[name])
    if name == "score.py":
        (folder / name).write_text("import helpers\ndef identity(X: int): return -X\n")
    done = run_lading("reload", "--port", server.url.rpartition(":")[2], environment=server.environment)
    assert done.returncode == 0, done.stderr
    assert ask(server.url, {"X": 3}) == {"score": -3}


def test_in_development_written_code_is_loaded(folder: Path, start: Any):
    server = start(f"{folder}/score.py:identity", "--reload", "--drain-s", "0", *options(folder))
    (folder / "helpers.py").write_text("times = 100\n")
    until(lambda: ask(server.url, {"X": 3}) == {"score": 300}, "the new code serves")
    assert re.search(r"helpers\.py has changed", server.log())


def test_code_that_is_broken_ends_alone(folder: Path, start: Any, run_lading: Any):
    server = start(f"{folder}/score.py:identity", "--drain-s", "0", "--workers", "2", *options(folder))
    (folder / "helpers.py").write_text("times = \n")
    done = run_lading("reload", "--port", server.url.rpartition(":")[2], environment=server.environment)
    assert done.returncode != 0
    assert "helpers.py cannot be run: SyntaxError" in done.stderr + server.log()
    assert ask(server.url, {"X": 3}) == {"score": 3}


def test_every_kind_of_argument_goes_over_http(tmp_path: Path):
    np.save(tmp_path / "weights.npy", np.array([10.0, 1.0]))
    (tmp_path / "score.py").write_text("""
import io
import numpy as np

class Model:
    def load(self, files):
        self.weights = np.load(io.BytesIO(files["weights.npy"]))

    def predict(self, a, b):
        return np.column_stack([a, b]) @ self.weights
""")
    with serve(tmp_path / "score.py", "--file", str(tmp_path / "weights.npy"), "--route", "/score") as url:
        assert ask(url, [{"b": 2, "a": 1}, {"a": 3, "b": 4}])["predictions"] == [12.0, 34.0]


def test_a_bundle_with_code_holds_in_a_check(folder: Path, run_lading: Any):
    declared = Declared(code=(str(folder / "helpers.py"),))
    packed = lading.pack(f"{folder}/score.py:identity", path=folder / "s.lading", declared=declared)
    done = run_lading("check", str(packed.path), environment={})
    assert done.returncode == 0
    assert "50 rows came back as they were packed" in done.stdout
