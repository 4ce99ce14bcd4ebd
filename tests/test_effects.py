"""What the package does to its surroundings: who reads the environment, who writes files, what a start loads.

A rule is a function from sources (module name to text) to a list of what breaks it; see `test_layout.py`.
"""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

import lading

Sources = Mapping[str, str]
Rule = Callable[[Sources], list[str]]

SRC = Path(__file__).parents[1] / "src"

SERVING = ("http", "grpc", "ui", "monitor", "features", "service", "engine.batcher")
"""What runs while requests are answered and is not the journal."""

MEMORY = "lading.monitor.slots"
"""Makes shared memory before anything is served: a file without a name, where the system has nothing better."""

STORE = "lading.features.sqlite"
"""Opens files of SQLite to be read only, which its tests hold."""

ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv", "expandvars"}
CLICK_ENVIRONMENT = {"envvar", "auto_envvar_prefix"}
OPENERS = {"open", "fdopen", "open_file"}
WRITING_MODULES = {"tempfile", "shutil", "sqlite3", "shelve", "dbm"}
WRITING_CALLS = {"os.replace", "os.remove", "os.link", "os.symlink", "os.truncate"}
WRITING_NAMES = {
    *("write_text", "write_bytes", "touch", "mkdir", "makedirs", "rename", "renames", "symlink_to"),
    *("hardlink_to", "FileHandler", "tofile", "savez", "savetxt", "to_csv", "to_parquet", "to_pickle"),
    *("O_WRONLY", "O_RDWR", "O_CREAT", "O_APPEND", "O_TRUNC"),
}
LATE = {
    *("numpy", "scipy", "pandas", "pyarrow", "sklearn", "joblib", "skops", "onnx", "onnxruntime"),
    *("starlette", "uvicorn", "psycopg", "redis", "sqlite3"),
}
"""What neither `import lading` nor `lading --help` loads."""
MAX_PUBLIC_NAMES = 12


# --- the rules


def environment_readers(sources: Sources) -> list[str]:
    """Places outside of `settings` that touch the process environment, by themselves or through click."""
    others = {module: source for module, source in sources.items() if not module.startswith("lading.settings.")}
    return _found(others, _touches_environment)


def _touches_environment(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.module in {"os", "os.path"} and bool(_names(node) & (ENVIRONMENT | {"*"}))
    if isinstance(node, ast.Call):
        return any(keyword.arg in CLICK_ENVIRONMENT for keyword in node.keywords)
    return isinstance(node, ast.Attribute) and node.attr in ENVIRONMENT


def file_writers(sources: Sources) -> list[str]:
    """Places that may write a file while requests are served."""
    names = tuple(f"lading.{part}." for part in SERVING)
    serving = {module: source for module, source in sources.items() if f"{module}.".startswith(names)}
    for exempt in (MEMORY, STORE):
        serving.pop(exempt, None)
    return _found(serving, _writes)


def _writes(node: ast.AST) -> bool:
    if isinstance(node, ast.Import):
        return bool(_names(node) & WRITING_MODULES)
    if isinstance(node, ast.ImportFrom):
        return node.module in WRITING_MODULES or bool(_names(node) & (WRITING_NAMES | {"replace"}))
    if isinstance(node, ast.Call):
        return _opens_to_write(node) or _replaces_file(node)
    return isinstance(node, ast.Attribute) and node.attr in WRITING_NAMES


def _names(node: ast.Import | ast.ImportFrom) -> set[str]:
    return {alias.name for alias in node.names}


def _opens_to_write(call: ast.Call) -> bool:
    """True for `open` in any spelling, unless its mode is absent or is plainly a reading one."""
    if ast.unparse(call.func).rpartition(".")[2] not in OPENERS or ast.unparse(call.func) == "os.open":
        return False  # the flags of `os.open` are found by their names
    modes = [*call.args[1:2], *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]
    if any(not isinstance(mode, ast.Constant) for mode in modes):
        return True
    # `Path.open` takes the mode first, functions take it second.
    first = call.args[:1] if isinstance(call.func, ast.Attribute) else []
    texts = [str(mode.value) for mode in [*modes, *first] if isinstance(mode, ast.Constant)]
    return any(re.fullmatch(r"[rbt]*[wax+][rwaxbt+]*", text) for text in texts)


def _replaces_file(call: ast.Call) -> bool:
    # `str.replace` takes two arguments, `dataclasses.replace` keywords, `Path.replace` one argument alone.
    name = ast.unparse(call.func)
    is_path = name.endswith(".replace") and len(call.args) == 1 and not call.keywords
    return is_path or name in WRITING_CALLS


def _found(sources: Sources, is_wrong: Callable[[ast.AST], bool]) -> list[str]:
    return [
        f"{module}:{node.lineno} has `{ast.unparse(node)}`"
        for module, source in sources.items()
        for node in ast.walk(ast.parse(source))
        if is_wrong(node)
    ]


# --- what each rule must catch, and what it must let pass; a case is `module: source`

BROKEN: dict[Rule, list[str]] = {
    environment_readers: [
        "cli.serve: import os; port = os.environ['PORT']",
        "cli.serve: import os as system; system.environ.get('PORT')",
        "cli.serve: def port(): return os.getenv('PORT')",
        "cli.serve: from os import environ as table",
        "cli.serve: from os import *",
        "cli.serve: os.environb",
        "cli.serve: os.putenv('A', 'b')",
        "cli.serve: os.path.expandvars('$HOME')",
        "cli.serve: @click.option('--port', envvar='PORT')\ndef serve(port): ...",
    ],
    file_writers: [
        "http.app: open('a.txt', 'w')",
        "features.store: import sqlite3",
        "http.app: open('a.txt', mode='rb+')",
        "http.app: open('a.txt', mode)",
        "http.app: path.open('ab')",
        "http.app: os.open(path, os.O_WRONLY)",
        "grpc: path.write_text('')",
        "ui.pages: write = path.write_bytes",
        "monitor.drift: def save(): os.replace(a, b)",
        "monitor.drift: path.replace(other)",
        "service: import tempfile",
        "service: from tempfile import TemporaryFile",
        "service: from os import replace",
        "engine.batcher: async def spill(): path.touch()",
    ],
}

FINE: list[tuple[Rule, str]] = [
    (environment_readers, "settings.reading: import os; os.environ['PORT']"),
    (environment_readers, "cli: import os; from os import getpid; os.path.expanduser('~')"),
    (file_writers, "http: open(a); open(a, 'rb'); path.open(); path.open('r'); os.open(a, os.O_RDONLY)"),
    (file_writers, "http: 'a'.replace('a', 'b'); dataclasses.replace(a, b=1); memory.unlink()"),
    (file_writers, "journal.segments: open(a, 'ab')"),
    (file_writers, "monitor.slots: import tempfile"),
    (file_writers, "engine.onnx: path.write_bytes(b'')"),
]


def _sources(case: str) -> Sources:
    module, source = case.split(": ", 1)
    return {f"lading.{module}": source}


BROKEN_CASES = [(rule, case) for rule, cases in BROKEN.items() for case in cases]


@pytest.mark.parametrize(("rule", "case"), BROKEN_CASES, ids=[rule.__name__ for rule, _ in BROKEN_CASES])
def test_the_rule_catches_what_breaks_it(rule: Rule, case: str):
    assert len(rule(_sources(case))) == 1


@pytest.mark.parametrize(("rule", "case"), FINE, ids=[rule.__name__ for rule, _ in FINE])
def test_the_rule_lets_pass_what_keeps_it(rule: Rule, case: str):
    assert rule(_sources(case)) == []


# --- the package itself


@pytest.mark.parametrize("rule", BROKEN, ids=lambda rule: rule.__name__)
def test_the_package_keeps_the_rule(rule: Rule, package_sources: Sources):
    assert rule(package_sources) == []


# --- what a start loads


def _loads(*arguments: str) -> set[str]:
    """The late libraries that a fresh interpreter has imported when the command is done."""
    command = [sys.executable, "-X", "importtime", *arguments]
    environment = os.environ | {"PYTHONPATH": str(SRC)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.splitlines()[-1:]
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().split(".")[0] for line in lines} & LATE


def test_a_late_library_is_noticed():
    assert _loads("-c", "import json, numpy") == {"numpy"}


def test_import_loads_no_ml_library_and_no_web_framework():
    assert _loads("-c", "import lading") == set()


def test_help_loads_no_ml_library_and_no_web_framework():
    assert _loads("-m", "lading", "--help") == set()


def test_the_public_names_are_few_and_all_there():
    assert len(lading.__all__) <= MAX_PUBLIC_NAMES
    assert [name for name in lading.__all__ if not hasattr(lading, name)] == []
