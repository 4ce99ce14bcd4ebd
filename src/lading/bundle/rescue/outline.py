"""The top-level statements of a notebook or script: what each binds and needs, and where it stands."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from lading.bundle.rescue.magics import MAX_MENDED_CHARS, Python, read_python
from lading.bundle.rescue.notebook import Cell, Source
from lading.bundle.rescue.scopes import dotted
from lading.bundle.rescue.uses import Uses
from lading.errors import FormatError

__all__ = ["MAX_STATEMENTS", "Outline", "Skipped", "Statement", "read_outline"]

MAX_STATEMENTS = 50_000
"""Statements at the top level of all cells: more are data rather than a program."""


@dataclass(frozen=True)
class Statement:
    """One top-level statement.

    Attributes:
        index: its position among all statements of the source, as they run.
        label: where people find it: `In [7]`, or `line 12` of a script.
        node: its syntax.
        lines: the lines of the whole cell.
        uses: the names that it uses.
    """

    index: int
    label: str
    node: ast.stmt
    lines: Sequence[str]
    uses: Uses

    @property
    def is_definition(self) -> bool:
        """Whether it is a function, a class or an import, and nothing else."""
        kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom
        return isinstance(self.node, kinds)

    @property
    def is_import(self) -> bool:
        """Whether it is an import, and nothing else."""
        return isinstance(self.node, ast.Import | ast.ImportFrom)


@dataclass(frozen=True)
class Skipped:
    """A cell that is not Python, and why."""

    label: str
    reason: str
    text: str


@dataclass
class Outline:
    """All statements, and by name the positions of those that bind it and of those that change it."""

    name: str
    statements: list[Statement] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    bindings: dict[str, list[int]] = field(default_factory=dict)
    changes: dict[str, list[int]] = field(default_factory=dict)
    futures: set[str] = field(default_factory=set)

    def binding_before(self, name: str, index: int) -> int | None:
        """The last statement before a position that binds the name."""
        return max((each for each in self.bindings.get(name, ()) if each < index), default=None)

    def kind(self, name: str, index: int) -> str:
        """As what a statement binds a name; data where it only changes it."""
        return self.statements[index].uses.binds.get(name, "data")


def read_outline(source: Source) -> Outline:
    """The statements of a source, those under `if __name__ == "__main__":` among them.

    Raises:
        FormatError: there are more than `MAX_STATEMENTS`.
    """
    outline = Outline(source.name)
    left = MAX_MENDED_CHARS
    for cell in source.cells:
        python = read_python(cell.text, left)
        left -= python.mended
        try:
            read = list(_statements(cell, python, outline))
        except RecursionError:
            python, read = Python(cell.text, None, "could not be read (it is nested too deeply)"), []
        if python.tree is None:
            outline.skipped.append(Skipped(cell.label or "it", python.reason, cell.text))
        outline.statements.extend(read)
    _index(outline)
    return outline


def _statements(cell: Cell, python: Python, outline: Outline) -> Iterator[Statement]:
    lines = python.text.split("\n")
    first = len(outline.statements)
    body = _flat(python.tree.body) if python.tree else []
    if first + len(body) > MAX_STATEMENTS:
        hint = "move what the model needs into a file of its own"
        raise FormatError(f"`{outline.name}` has more than {MAX_STATEMENTS} statements", hint=hint)
    for node in body:
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            # IPython keeps what one cell asks for in all that follow.
            outline.futures.update(alias.name for alias in node.names)
    for index, node in enumerate(body, first):
        label = cell.label or f"line {node.lineno}"
        uses = Uses(node, has_lazy_annotations="annotations" in outline.futures)
        yield Statement(index, label, node, lines, uses)


def _flat(body: list[ast.stmt]) -> list[ast.stmt]:
    """The statements, with those that run only in a program put in place of their condition."""
    return [inner for node in body for inner in (_flat(node.body) if _is_main(node) else [node])]  # type: ignore[attr-defined]


def _is_main(node: ast.stmt) -> bool:
    if not isinstance(node, ast.If) or not isinstance(node.test, ast.Compare):
        return False
    sides = [node.test.left, *node.test.comparators]
    names = [side.id for side in sides if isinstance(side, ast.Name)]
    texts = [side.value for side in sides if isinstance(side, ast.Constant)]
    return names == ["__name__"] and texts == ["__main__"] and isinstance(node.test.ops[0], ast.Eq)


def _index(outline: Outline) -> None:
    for statement in outline.statements:
        if isinstance(statement.node, ast.ImportFrom) and statement.node.module == "__future__":
            continue
        for name in statement.uses.binds:
            outline.bindings.setdefault(name, []).append(statement.index)
        for name in statement.uses.changes | statement.uses.may_change:
            outline.changes.setdefault(name, []).append(statement.index)
    _index_globals(outline)


def _index_globals(outline: Outline) -> None:
    """Count a call of a function that binds a global name as a change of the name, or as what binds it."""
    stores: dict[str, set[str]] = {}
    for statement in outline.statements:
        called = _called(statement.node)
        for name in stores.get(called or "", ()):
            kind = outline.bindings if name not in outline.bindings else outline.changes
            kind.setdefault(name, []).append(statement.index)
            statement.uses.changes.add(name)
        if statement.uses.global_stores:
            stores.update(dict.fromkeys(statement.uses.binds, statement.uses.global_stores))
    for statement in outline.statements:
        for name in (name for name in statement.uses.global_stores if name not in outline.bindings):
            # Never called on its own: the function binds the name itself before it needs it.
            outline.bindings[name] = [statement.index]
    for positions in (*outline.bindings.values(), *outline.changes.values()):
        positions[:] = sorted(set(positions))


def _called(node: ast.stmt) -> str | None:
    """The function that a statement consists of calling."""
    call = node.value if isinstance(node, ast.Expr | ast.Assign) else None
    return dotted(call.func) if isinstance(call, ast.Call) else None
