"""Parts of the syntax that say which names a scope has."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence

__all__ = ["Comprehension", "Function", "arguments", "bound_in", "dotted", "parts", "root", "stored"]

Function = ast.FunctionDef | ast.AsyncFunctionDef
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


def arguments(args: ast.arguments) -> list[ast.arg]:
    """All parameters of a function."""
    stars = [each for each in (args.vararg, args.kwarg) if each is not None]
    return [*args.posonlyargs, *args.args, *args.kwonlyargs, *stars]


def parts(target: ast.expr) -> Iterator[ast.expr]:
    """The single targets in a target of an assignment, which may be a tuple."""
    if isinstance(target, ast.Tuple | ast.List):
        for part in target.elts:
            yield from parts(part)
    else:
        yield target.value if isinstance(target, ast.Starred) else target


def root(node: ast.expr) -> str | None:
    """The name before all attributes, items and calls."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def dotted(node: ast.expr) -> str:
    """What is called, as written: `pd.read_csv`; only the last name where more than names stands before it."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(names)]) if isinstance(node, ast.Name) else ".".join(names[:1])


def stored(targets: Iterable[ast.expr]) -> set[str]:
    """The names to which targets bind."""
    nodes = [node for target in targets for node in ast.walk(target)]
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def bound_in(body: Sequence[ast.AST]) -> tuple[set[str], set[str], set[str]]:
    """The names that a function's body binds, and those that it declares global and nonlocal."""
    bound: set[str] = set()
    declared_global: set[str] = set()
    declared_nonlocal: set[str] = set()
    for node in _own_nodes(body):
        if isinstance(node, ast.Global):
            declared_global.update(node.names)
        elif isinstance(node, ast.Nonlocal):
            declared_nonlocal.update(node.names)
        else:
            bound.update(_names_bound_by(node))
    return bound, declared_global, declared_nonlocal


def _names_bound_by(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Name):
        return [] if isinstance(node.ctx, ast.Load) else [node.id]
    if isinstance(node, ast.alias):
        return [node.asname or node.name.partition(".")[0]]
    if isinstance(node, Function | ast.ClassDef | ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
        return [node.name] if node.name else []
    if isinstance(node, ast.MatchMapping):
        return [node.rest] if node.rest else []
    return []


def _own_nodes(body: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """The nodes of a function's own scope; of a comprehension, those that it binds outside of itself."""
    stack = list(body)
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, Comprehension):
            stack.extend(inner.target for inner in ast.walk(node) if isinstance(inner, ast.NamedExpr))
        elif isinstance(node, Function | ast.ClassDef | ast.Lambda):
            stack.extend(_around(node))
        else:
            stack.extend(ast.iter_child_nodes(node))


def _around(node: Function | ast.ClassDef | ast.Lambda) -> list[ast.AST]:
    """What of a definition runs in the scope around it."""
    if isinstance(node, ast.ClassDef):
        return [*node.decorator_list, *node.bases, *node.keywords]
    defaults = [each for each in [*node.args.defaults, *node.args.kw_defaults] if each is not None]
    return [*defaults, *([] if isinstance(node, ast.Lambda) else node.decorator_list)]
