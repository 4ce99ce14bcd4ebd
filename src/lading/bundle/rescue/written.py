"""Statements as they were written, put together into one module."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from lading.bundle.rescue.magics import parse_quietly
from lading.bundle.rescue.outline import Statement

__all__ = ["Part", "part_of", "put_together"]

_MAX_PLACES = 8
"""Places that the header lists; the rest are counted."""


@dataclass(frozen=True)
class Part:
    """One piece of the module, the top-level names of the modules that it imports, and where it came from."""

    text: str
    imports: frozenset[str]
    label: str
    is_block: bool = False


def part_of(statement: Statement, names: Collection[str]) -> Part:
    """What of a statement is needed for some names: all of it, but of an import only these names."""
    node = statement.node
    if isinstance(node, ast.Import | ast.ImportFrom):
        needed = [alias for alias in node.names if alias.name == "*" or _bound(alias) in names]
        if len(needed) < len(node.names):
            node = _with_aliases(node, needed)
            return Part(ast.unparse(node), _imports(node), statement.label)
    is_block = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    return Part(_text(node, statement.lines), _imports(node), statement.label, is_block)


def _bound(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]


def _with_aliases(node: ast.Import | ast.ImportFrom, aliases: list[ast.alias]) -> ast.Import | ast.ImportFrom:
    if isinstance(node, ast.Import):
        return ast.Import(names=aliases)
    return ast.ImportFrom(module=node.module, names=aliases, level=node.level)


def _imports(node: ast.AST) -> frozenset[str]:
    """The modules that the code imports when it runs or is called; relative ones have no name of their own."""
    inner = list(ast.walk(node))
    plain = {alias.name for each in inner if isinstance(each, ast.Import) for alias in each.names}
    plain |= {each.module for each in inner if isinstance(each, ast.ImportFrom) and each.module and not each.level}
    return frozenset(name.partition(".")[0] for name in plain)


# --- the text of one statement


def _text(node: ast.stmt, lines: Sequence[str]) -> str:
    """The statement as written, with its decorators and comments.

    Where that cannot be cut out so that it means the same, it is written anew from its syntax.
    """
    wanted = ast.dump(node)
    cut = _cut(node, lines)
    for text in (cut, _dedented(cut)):
        if _dump(text) == wanted:
            return text
    # A text over several lines may not be moved to the left.
    indented = f"if True:\n{cut}"
    return indented if _dump(indented, is_indented=True) == wanted else ast.unparse(node)


def _dump(text: str, *, is_indented: bool = False) -> str | None:
    try:
        body = parse_quietly(text).body
    except (SyntaxError, ValueError):
        return None
    if is_indented and isinstance(body[0], ast.If):
        body = body[0].body
    return ast.dump(body[0]) if len(body) == 1 else None


def _cut(node: ast.stmt, lines: Sequence[str]) -> str:
    """Its lines; but only its part of the first and the last, where it shares them with others."""
    start = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
    end = node.end_lineno or node.lineno
    cut = list(lines[start - 1 : end])
    # Positions are counted in bytes.
    rest = cut[-1].encode()[node.end_col_offset or 0 :].decode().strip()
    if rest and not rest.startswith("#"):
        cut[-1] = cut[-1].encode()[: node.end_col_offset].decode()
    if start == node.lineno and cut[0].encode()[: node.col_offset].strip():
        cut[0] = cut[0].encode()[node.col_offset :].decode()
    return "\n".join(cut).rstrip()


def _dedented(text: str) -> str:
    indent = text[: len(text) - len(text.lstrip())]
    return "\n".join(line.removeprefix(indent) for line in text.split("\n"))


# --- the module


def put_together(name: str, places: Sequence[str], parts: Sequence[Part], futures: Iterable[str]) -> str:
    """The text of the module, below a line that says where its parts are from."""
    header = _plain(f"# From {name}{_listed(places)}: what the model needs.")
    asked = sorted(futures)
    blocks = [f"from __future__ import {', '.join(asked)}"] if asked else []
    text = "\n\n".join([header, *blocks])
    before_is_block = True
    for position, part in enumerate(parts):
        gap = "\n\n\n" if part.is_block or (before_is_block and position) else "\n"
        text += ("\n\n" if position == 0 else gap) + part.text
        before_is_block = part.is_block
    return text + "\n"


def _listed(labels: Sequence[str]) -> str:
    if not labels:
        return ""
    shown = [*labels[:_MAX_PLACES], *([f"{len(labels) - _MAX_PLACES} more"] if len(labels) > _MAX_PLACES else [])]
    words = shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
    return f", {words}"


def _plain(line: str) -> str:
    """The line without anything that could end it or disguise it."""
    return "".join(character if character.isprintable() else "?" for character in line)
