"""Which global names one statement binds, changes and needs, by Python's rules of scope.

`symtable` knows these rules too, but from Python 3.12 on it counts the variables of comprehensions among the names
around them; a test holds this module against it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from lading.bundle.rescue.scopes import Comprehension, Function, arguments, bound_in, dotted, parts, root, stored

__all__ = ["Kind", "Uses"]

Kind = Literal["import", "definition", "data"]

_IMPLICIT = {"__module__", "__qualname__"}

# Methods that change what they are called on, by their name; of any other it is not known.
_MUTATORS = frozenset(
    {"add", "add_pipe", "append", "appendleft", "clear", "discard", "extend", "extendleft", "fill", "fit", "insert"}
    | {
        "move_to_end",
        "partial_fit",
        "pop",
        "popitem",
        "popleft",
        "register",
        "remove",
        "reverse",
        "rotate",
        "setdefault",
    }
    | {"setflags", "sort", "subtract", "update", "difference_update", "intersection_update", "fit_transform"}
)
# Methods that show or save.
_SHOWING = frozenset(
    {"copy", "count", "describe", "display", "dump", "get", "head", "hist", "index", "info", "items", "keys", "mean"}
    | {"plot", "predict", "sample", "save", "score", "show", "tail", "transform", "value_counts", "values", "write"}
)


@dataclass
class _Frame:
    """One scope: `inline` is one that runs at once and has names of its own, such as a comprehension."""

    kind: Literal["module", "class", "function", "inline"]
    names: set[str] = field(default_factory=set)
    declared_global: set[str] = field(default_factory=set)


class Uses(ast.NodeVisitor):
    """The global names that a statement uses.

    Attributes:
        binds: names that it binds, and as what.
        changes: names whose value it changes without binding them.
        may_change: names on which it calls a method that may change them.
        now: names that it needs when it runs.
        later: names that a function defined in it needs when it is called.
        calls: what it calls when it runs, as written: `pd.read_csv`; only the last name where more stands before.
        body_calls: what the function defined by it calls.
        global_stores: names that a function in it binds by `global`.
        stars: modules of which it imports everything.
        has_await: whether it awaits outside of functions, which only notebooks may.
    """

    def __init__(self, node: ast.stmt, *, has_lazy_annotations: bool = False) -> None:
        self.binds: dict[str, Kind] = {}
        self.changes: set[str] = set()
        self.may_change: set[str] = set()
        self.now: set[str] = set()
        self.later: set[str] = set()
        self.calls: list[str] = []
        self.body_calls: list[str] = []
        self.global_stores: set[str] = set()
        self.stars: list[str] = []
        self.has_await = False
        self._has_lazy_annotations = has_lazy_annotations
        self._frames = [_Frame("module")]
        self.visit(node)

    # --- names

    def visit_Name(self, node: ast.Name) -> None:  # noqa: D102
        if isinstance(node.ctx, ast.Load):
            self._use(node.id)
        elif isinstance(node.ctx, ast.Store) and node.id not in self._inline_names():
            self._bind(node.id, "data")

    def _use(self, name: str) -> None:
        if name != "__class__" and not self._is_own(name):
            (self.later if self._is_lazy() else self.now).add(name)

    def _is_own(self, name: str) -> bool:
        """Whether the name is bound inside of the statement, before it is used."""
        is_lazy = self._is_lazy()
        for distance, frame in enumerate(reversed(self._frames)):
            if name in frame.declared_global:
                return False
            # Functions and comprehensions do not see the names of the class around them.
            is_hidden = frame.kind == "class" and distance > 0
            if frame.kind == "module" and is_lazy:
                return False
            if name in frame.names and not is_hidden:
                return True
        return False

    def _is_lazy(self) -> bool:
        return any(frame.kind == "function" for frame in self._frames)

    def _is_top(self) -> bool:
        return all(frame.kind in ("module", "inline") for frame in self._frames)

    def _inline_names(self) -> set[str]:
        return self._frames[-1].names if self._frames[-1].kind == "inline" else set()

    def _bind(self, name: str, kind: Kind) -> None:
        frame = next(frame for frame in reversed(self._frames) if frame.kind != "inline")
        if name in frame.declared_global:
            self.global_stores.add(name)
        elif frame.kind != "function":
            frame.names.add(name)
        if frame.kind == "module" and self.binds.get(name, "data") == "data":
            self.binds[name] = kind

    def visit_Global(self, node: ast.Global) -> None:  # noqa: D102
        if not self._is_top():
            self._frames[-1].declared_global.update(node.names)

    # --- statements whose parts do not run in the order in which they are written

    def visit_Assign(self, node: ast.Assign) -> None:  # noqa: D102
        self._visit_all([node.value, *node.targets])
        self._change(node.targets)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:  # noqa: D102
        if not self._is_lazy():
            self._visit_annotations([node.annotation])
        if node.value is not None or not isinstance(node.target, ast.Name):
            self._visit_all([node.value, node.target])
        self._change([node.target])

    def visit_AugAssign(self, node: ast.AugAssign) -> None:  # noqa: D102
        if isinstance(node.target, ast.Name):
            self._use(node.target.id)
        self.visit(node.value)
        if isinstance(node.target, ast.Name) and self._is_top():
            # It needs what it changes, and is no binding of its own.
            self.changes.add(node.target.id)
            return
        self.visit(node.target)
        self._change([node.target])

    def visit_If(self, node: ast.If) -> None:  # noqa: D102
        self.visit(node.test)
        self._visit_branches(node.body, node.orelse)

    def visit_While(self, node: ast.While) -> None:  # noqa: D102
        self.visit(node.test)
        self._visit_branches(node.body, [])
        self._visit_all(node.orelse)

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:  # noqa: D102
        self.visit(node.iter)
        self._visit_branches([node.target, *node.body], [])
        self._visit_all(node.orelse)

    def visit_Try(self, node: ast.Try | ast.TryStar) -> None:  # noqa: D102
        self._visit_branches([*node.body, *node.orelse], *([handler] for handler in node.handlers))
        self._visit_all(node.finalbody)

    def visit_TryStar(self, node: ast.TryStar) -> None:  # noqa: D102
        self.visit_Try(node)

    def visit_Match(self, node: ast.Match) -> None:  # noqa: D102
        self.visit(node.subject)
        self._visit_branches(*([case] for case in node.cases), [])

    def _visit_branches(self, *branches: Sequence[ast.AST]) -> None:
        """Visit what may run instead of each other: bound afterwards is only what all of them bind."""
        frame = self._frames[-1]
        before, ends = frame.names, []
        for branch in branches:
            frame.names = set(before)
            self._visit_all(branch)
            ends.append(frame.names)
        # Of a class the names that only some of them bind are taken for its own.
        frame.names = set.intersection(*ends) if frame.kind == "module" else set.union(*ends)

    def visit_AsyncFor(self, node: ast.AsyncFor) -> None:  # noqa: D102
        self._note_await()
        self.visit_For(node)

    def visit_AsyncWith(self, node: ast.AsyncWith) -> None:  # noqa: D102
        self._note_await()
        self.generic_visit(node)

    def visit_Await(self, node: ast.Await) -> None:  # noqa: D102
        self._note_await()
        self.generic_visit(node)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:  # noqa: D102
        self.visit(node.value)
        self._bind(node.target.id, "data")

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:  # noqa: D102
        self._visit_all([node.type])
        if node.name:
            self._bind(node.name, "data")
        self._visit_all(node.body)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:  # noqa: D102
        self._visit_all([node.pattern])
        self._bind_each(node.name)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:  # noqa: D102
        self._bind_each(node.name)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:  # noqa: D102
        self.generic_visit(node)
        self._bind_each(node.rest)

    def visit_Import(self, node: ast.Import) -> None:  # noqa: D102
        for alias in node.names:
            self._bind(alias.asname or alias.name.partition(".")[0], "import")

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:  # noqa: D102
        for alias in node.names:
            if alias.name == "*":
                self.stars.append("." * node.level + (node.module or ""))
            else:
                self._bind(alias.asname or alias.name, "import")

    # --- scopes

    def visit_FunctionDef(self, node: Function) -> None:  # noqa: D102
        self._decorate(node.decorator_list)
        with_types = self._enter_type_params(node)
        self._visit_defaults(node.args)
        self._visit_annotations([*(each.annotation for each in arguments(node.args)), node.returns])
        self._call_later(node.args, node.body)
        self._leave(with_types)
        self._bind(node.name, "definition")

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:  # noqa: D102
        self.visit_FunctionDef(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:  # noqa: D102
        self._visit_defaults(node.args)
        self._call_later(node.args, [node.body])

    def visit_ClassDef(self, node: ast.ClassDef) -> None:  # noqa: D102
        self._decorate(node.decorator_list)
        with_types = self._enter_type_params(node)
        self._visit_all([*node.bases, *node.keywords])
        self._frames.append(_Frame("class", set(_IMPLICIT)))
        self._visit_all(node.body)
        self._leave(True)
        self._leave(with_types)
        self._bind(node.name, "definition")

    def visit_ListComp(self, node: Comprehension) -> None:  # noqa: D102
        first, *_ = node.generators
        self.visit(first.iter)
        self._frames.append(_Frame("inline", stored(each.target for each in node.generators)))
        for generator in node.generators:
            self._visit_all([None if generator is first else generator.iter, generator.target, *generator.ifs])
            if generator.is_async:
                self._note_await()
        values = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        self._visit_all(values)
        self._leave(True)

    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_ListComp

    def visit_TypeAlias(self, node: ast.AST) -> None:
        """A `type` statement of Python 3.12, whose value is read when it is asked for."""
        with_types = self._enter_type_params(node)
        self._frames.append(_Frame("function"))
        self.visit(node.value)  # type: ignore[attr-defined]
        self._leave(True)
        self._leave(with_types)
        self._bind(node.name.id, "data")  # type: ignore[attr-defined]

    def _call_later(self, args: ast.arguments, body: Iterable[ast.AST]) -> None:
        body = list(body)
        names, declared_global, declared_nonlocal = bound_in(body)
        names |= {each.arg for each in arguments(args)}
        self._frames.append(_Frame("function", names - declared_global - declared_nonlocal, declared_global))
        self._visit_all(body)
        self._leave(True)

    def _enter_type_params(self, node: ast.AST) -> bool:
        """Enter the scope of `def f[T]` of Python 3.12; whether there is one."""
        params = getattr(node, "type_params", [])
        if params:
            self._frames.append(_Frame("inline", {each.name for each in params}))
            self._visit_all(params)
        return bool(params)

    def _leave(self, has_entered: bool) -> None:
        if has_entered:
            self._frames.pop()

    def _visit_defaults(self, args: ast.arguments) -> None:
        self._visit_all([*args.defaults, *args.kw_defaults])

    def _visit_annotations(self, annotations: Iterable[ast.expr | None]) -> None:
        if not self._has_lazy_annotations:
            self._visit_all(annotations)

    def _visit_all(self, nodes: Iterable[ast.AST | None]) -> None:
        for node in nodes:
            if node is not None:
                self.visit(node)

    def _bind_each(self, *names: str | None) -> None:
        for name in names:
            if name:
                self._bind(name, "data")

    # --- calls and changes

    def visit_Call(self, node: ast.Call) -> None:  # noqa: D102
        kinds = [frame.kind for frame in self._frames if frame.kind != "inline"]
        if "function" not in kinds:
            self.calls.append(dotted(node.func))
        elif kinds == ["module", "function"]:
            self.body_calls.append(dotted(node.func))
        if isinstance(node.func, ast.Name) and node.func.id in ("setattr", "delattr"):
            self._change(node.args[:1], is_inside=True)
        if isinstance(node.func, ast.Attribute) and (node.func.attr in _MUTATORS or node.func.attr.startswith("set_")):
            self._change([node.func])
        self.generic_visit(node)

    def visit_Delete(self, node: ast.Delete) -> None:  # noqa: D102
        self.generic_visit(node)
        self._change(node.targets)

    def visit_Expr(self, node: ast.Expr) -> None:  # noqa: D102
        call = node.value
        if self._is_top() and isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            method, name = call.func.attr, root(call.func)
            if name and method not in _SHOWING and not method.startswith("to_"):
                self.may_change.add(name)
        self.generic_visit(node)

    def _decorate(self, decorators: list[ast.expr]) -> None:
        """`@clean.register` changes `clean`."""
        called = [each.func if isinstance(each, ast.Call) else each for each in decorators]
        self._change(each for each in called if isinstance(each, ast.Attribute))
        self._visit_all(decorators)

    def _change(self, targets: Iterable[ast.expr], *, is_inside: bool = False) -> None:
        """Note what is stored into: an attribute or an item of a name, or with `is_inside` a name itself."""
        if self._is_top():
            spots = [part for target in targets for part in parts(target)]
            roots = [root(part) for part in spots if is_inside or not isinstance(part, ast.Name)]
            self.changes.update(name for name in roots if name)

    def _note_await(self) -> None:
        self.has_await |= not self._is_lazy()
