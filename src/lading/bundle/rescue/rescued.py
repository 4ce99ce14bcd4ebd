"""The part of a notebook or script that a model needs of it, as one module; nothing of it is run to find out."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from lading.bundle.names import shown
from lading.bundle.rescue.notebook import Source
from lading.bundle.rescue.outline import Outline, Statement, read_outline
from lading.bundle.rescue.search import Key, Search
from lading.bundle.rescue.written import Part, part_of, put_together
from lading.errors import FormatError, UnsupportedModel

__all__ = ["Rescued", "definitions", "rescue"]

_MAX_NAME_CHARS = 100


@dataclass(frozen=True)
class Rescued:
    """A module that defines what a model needs.

    Attributes:
        text: its source.
        places: where its parts came from: `In [3]`, or `line 12` of a script.
        notes: what its author should know, one short sentence each.
        imports: the top-level names of the modules that it imports, sorted.
    """

    text: str
    places: tuple[str, ...]
    notes: tuple[str, ...]
    imports: tuple[str, ...]


def rescue(source: Source, names: Iterable[str], *, values: Mapping[str, object] | None = None) -> Rescued:
    """The definitions of names of `__main__`, with everything that they depend on, as one module.

    Args:
        source: where to look.
        names: qualified names; of `Outer.Inner` it is `Outer` that is looked for.
        values: what the names of a running notebook or script hold; plain data are written down as they are now.

    Raises:
        UnsupportedModel: a name is not defined there, is only imported, or depends on data that are not in the source.
        FormatError: the source has too many statements.
    """
    try:
        outline = read_outline(source)
        search = Search(outline, values)
        asked = sorted(set(names))
        for name in asked:
            _refuse_borrowed(outline, name)
        search.find(sorted({name.partition(".")[0] for name in asked}))
        return _module(outline, search)
    except (RecursionError, MemoryError):
        message = f"what the model needs of {source.name} is nested too deeply to be read"
        raise UnsupportedModel(message, hint="put the definitions into a module, and import it") from None


def definitions(source: Source) -> Mapping[str, str]:
    """All names that a source binds at its top level, each with what it is last bound by.

    That is `import`, `definition` (a function or class) or `data`.

    Raises:
        FormatError: the source has too many statements.
    """
    try:
        outline = read_outline(source)
    except (RecursionError, MemoryError):
        message = f"{source.name} is nested too deeply to be read"
        raise FormatError(message, hint="move what the model needs into a file of its own") from None
    return {name: outline.kind(name, positions[-1]) for name, positions in outline.bindings.items()}


def _refuse_borrowed(outline: Outline, name: str) -> None:
    """Raise where a model asks for what the source only imports, or for what is inside of other things than a class.

    No model that was saved there does: it names what is imported by the module that it is from. To give it `os.system`
    because a notebook imports `os` would be to run what somebody else has written.
    """
    first, dot, _ = name.partition(".")
    positions = outline.bindings.get(first)
    kind = outline.kind(first, positions[-1]) if positions else "definition"
    if kind == "import" or (dot and kind != "definition"):
        where = f"{outline.name} defines no {shown(name[:_MAX_NAME_CHARS])}: {shown(first[:_MAX_NAME_CHARS])} is "
        what = "imported there" if kind == "import" else "no class there"
        raise UnsupportedModel(
            where + what, hint="the model was not saved there: lading doctor FILE shows what it names"
        )


def _module(outline: Outline, search: Search) -> Rescued:
    parts = [_part(outline, search, key) for key in _ordered(outline, search)]
    if any("numpy" in part.imports and not part.label for part in parts):
        parts.insert(0, Part("import numpy", frozenset({"numpy"}), ""))
    found = (outline.statements[index].label for index, name in sorted(search.taken) if not name)
    places = tuple(dict.fromkeys(found))
    text = put_together(outline.name, places, parts, outline.futures)
    _check(outline, text)
    notes = [*_redefined(outline, search), *_relative(outline, search), *search.notes]
    imports = sorted(frozenset().union(*(part.imports for part in parts)))
    return Rescued(text, places, tuple(notes), tuple(imports))


def _part(outline: Outline, search: Search, key: Key) -> Part:
    index, name = key
    if not name:
        return part_of(outline.statements[index], search.taken[key])
    text = search.literals[name]
    return Part(f"{name} = {text}", frozenset({"numpy"} if "numpy." in text else ()), "")


def _check(outline: Outline, text: str) -> None:
    """Raise where the module is no Python: a cell may hold what only a notebook may, such as a bare `await`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, "<rescued>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else "unusual characters"
        message = f"what the model needs of {outline.name} is not a Python module: {reason}"
        raise UnsupportedModel(message, hint="put the definitions into a module, and import it") from None


# --- order


def _ordered(outline: Outline, search: Search) -> list[Key]:
    """The parts as in the source, but each after all that it needs when it runs."""
    done: dict[Key, None] = {}
    started: set[Key] = set()

    def emit(key: Key, is_early: bool) -> None:
        if key in started:
            return
        started.add(key)
        for other in sorted(search.first.get(key, ())):
            emit(other, is_early or other > key)
        for other in sorted(_called(outline, search, key, is_early)):
            if not _needs_any(search, other, started - done.keys()):
                emit(other, True)
        done[key] = None

    for key in sorted(search.taken):
        emit(key, False)
    return list(done)


def _called(outline: Outline, search: Search, key: Key, is_early: bool) -> Iterator[Key]:
    """What the functions need that a part may call when it runs; also what it needs itself, where it is moved up."""
    if is_early:
        yield from search.later.get(key, ())
    if not key[1] and not outline.statements[key[0]].is_definition and outline.statements[key[0]].uses.calls:
        for called in search.first.get(key, ()):
            yield from (
                other for other in search.later.get(called, ()) if not _had_another(outline, search, other, key)
            )


def _needs_any(search: Search, key: Key, others: set[Key]) -> bool:
    """Whether a part needs, when it runs, one of some others."""
    seen: set[Key] = set()
    stack = [key]
    while stack:
        key = stack.pop()
        if key in others:
            return True
        if key not in seen:
            seen.add(key)
            stack.extend(search.first.get(key, ()))
    return False


def _had_another(outline: Outline, search: Search, other: Key, key: Key) -> bool:
    """Whether what a part defines had been defined before another part, which then had used that."""
    return any(outline.binding_before(name, key[0]) is not None for name in search.taken[other])


# --- notes


def _redefined(outline: Outline, search: Search) -> Iterator[str]:
    """What is to be said of functions and classes of which the source has several."""
    for index, name in sorted((key[0], name) for key, names in search.taken.items() if not key[1] for name in names):
        bindings = [outline.statements[each] for each in outline.bindings.get(name, ())]
        if outline.kind(name, index) != "definition" or not bindings or bindings[-1].index != index:
            continue
        labels = list(dict.fromkeys(each.label for each in bindings))
        if len(set(map(_dump, bindings))) > 1 and len(labels) > 1:
            listed = f"{', '.join(labels[:-1])} and {labels[-1]}"
            yield f"`{name}` is defined in {listed}: the last one is taken"


def _dump(statement: Statement) -> str:
    return ast.dump(statement.node)


def _relative(outline: Outline, search: Search) -> Iterator[str]:
    for index, name in sorted(search.taken):
        node = None if name else outline.statements[index].node
        if isinstance(node, ast.ImportFrom) and node.level:
            module = "." * node.level + (node.module or "")
            yield f"{outline.statements[index].label} imports from `{module}`, which works only inside of its package"
