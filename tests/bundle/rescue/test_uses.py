import ast
import symtable
from pathlib import Path

import pytest

from lading.bundle.rescue.uses import Uses

STANDARD_LIBRARY = ["argparse", "ast", "asyncio/events", "collections/__init__", "dataclasses", "enum", "functools"]
STANDARD_LIBRARY += ["inspect", "json/decoder", "logging/__init__", "pickle", "statistics", "typing", "unittest/mock"]


def globals_of(table, *, is_lazy=False):
    """The global names that the functions in a statement load, as `symtable` says."""
    is_comprehension = table.get_name() in {"listcomp", "setcomp", "dictcomp", "genexpr"}
    is_lazy = is_lazy or (table.get_type() == "function" and not is_comprehension)
    symbols = table.get_symbols() if is_lazy else []
    found = {each.get_name() for each in symbols if each.is_global() and each.is_referenced()}
    return found.union(*(globals_of(child, is_lazy=is_lazy) for child in table.get_children()))


@pytest.mark.parametrize("module", STANDARD_LIBRARY)
def test_the_names_that_functions_need_are_those_of_symtable(module):
    path = Path(ast.__file__).parent / f"{module}.py"
    tree = ast.parse("from __future__ import annotations\n" + path.read_text(encoding="utf-8"))
    statements = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    assert statements
    for node in statements:
        said = globals_of(symtable.symtable(ast.unparse(node), "statement", "exec"))
        # Annotations of local variables are never read; of `__name` in a class `symtable` says `_Class__name`.
        local = [each.annotation for each in ast.walk(node) if isinstance(each, ast.AnnAssign)]
        unread = {each.id for note in local for each in ast.walk(note) if isinstance(each, ast.Name)}
        needed = Uses(node).later
        assert {name for name in said - needed - unread if "__" not in name} == set()
        assert {name for name in needed - said if "__" not in name and not _is_stored(node, name)} == set()


def _is_stored(node, name):
    """Whether a name is only changed by `+=`, which `symtable` does not count as a use."""
    changed = [each.target for each in ast.walk(node) if isinstance(each, ast.AugAssign)]
    return name in {target.id for target in changed if isinstance(target, ast.Name)}
