import sys
import types
from pathlib import Path

import pytest

from lading.bundle.rescue.live import live_source, live_values
from lading.bundle.rescue.notebook import MAX_CODE_CHARS, Cell
from lading.bundle.rescue.rescued import rescue
from lading.errors import FormatError


class Shell:
    """What IPython leaves in `__main__`, as far as it matters."""

    def __init__(self, typed):
        self.history_manager = types.SimpleNamespace(input_hist_raw=typed)


@pytest.fixture
def run_as_main(monkeypatch):
    def run(**names):
        main = types.ModuleType("__main__")
        vars(main).update(names)
        monkeypatch.setitem(sys.modules, "__main__", main)

    return run


def test_the_cells_of_a_notebook_are_those_that_were_run_as_typed(run_as_main):
    shell = Shell(["", "%time K = 1", "", "def f(): return K"])
    run_as_main(get_ipython=lambda: shell, In=["", "get_ipython()", "", "def f(): return K"])
    source = live_source()
    assert source.name == "the notebook"
    assert source.cells == (Cell("%time K = 1", "In [1]"), Cell("def f(): return K", "In [3]"))


@pytest.mark.parametrize("shell", [None, Shell(None), Shell("text"), Shell([1])])
def test_without_a_history_the_cells_are_those_that_were_run(run_as_main, shell):
    run_as_main(get_ipython=lambda: shell, In=["", "a = 1"])
    assert live_source().cells == (Cell("a = 1", "In [1]"),)


def test_the_cell_that_runs_now_does_no_harm(run_as_main):
    shell = Shell(["", "def f(): return 1", "import lading\nlading.serve_model(f"])
    run_as_main(get_ipython=lambda: shell)
    assert "return 1" in rescue(live_source(), ["f"]).text


def test_a_history_of_more_than_anybody_reads_is_refused(run_as_main):
    shell = Shell(["#" * (MAX_CODE_CHARS + 1)])
    run_as_main(get_ipython=lambda: shell)
    with pytest.raises(FormatError, match="1 MiB of code"):
        live_source()


@pytest.mark.parametrize("name", ["train.py", "train"])
def test_the_source_of_a_script_is_its_file(run_as_main, tmp_path, name):
    path = tmp_path / name
    path.write_text("def f(): return 1\n", encoding="utf-8")
    run_as_main(__file__=str(path))
    source = live_source()
    assert source.name == "train.py"
    assert rescue(source, ["f"]).places == ("line 1",)


@pytest.mark.parametrize("file", [None, 1, "missing.py", ""])
def test_a_plain_shell_has_no_source(run_as_main, tmp_path, monkeypatch, file):
    monkeypatch.chdir(tmp_path)
    run_as_main(__file__=file)
    assert live_source() is None


def test_a_file_that_is_no_script_is_no_source(run_as_main, tmp_path):
    path = Path(tmp_path, "train.py")
    path.write_bytes(b"\xff\xfe")
    run_as_main(__file__=str(path))
    assert live_source() is None


def test_values_are_what_the_names_hold_now(run_as_main):
    run_as_main(K=1, f=print)
    assert live_values(["K", "missing"]) == {"K": 1}
    assert live_values()["f"] is print


def test_a_running_notebook_is_rescued_with_its_values(run_as_main):
    shell = Shell(["", "K = load('a')", "def f(): return K"])
    run_as_main(get_ipython=lambda: shell, K=[1, 2])
    assert "K = [1, 2]" in rescue(live_source(), ["f"], values=live_values()).text
