"""From names to the statements of a source that define them, with all that these need."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass

from lading.bundle.names import shown
from lading.bundle.rescue.literals import write_literal
from lading.bundle.rescue.outline import Outline, Statement
from lading.bundle.rescue.outside import outside_call
from lading.errors import UnsupportedModel
from lading.schema.problems import suggest

__all__ = ["Key", "Search"]

Key = tuple[int, str]
"""A statement's position and "", or the position after which a value is written and its name; in their order."""

_GIVEN = frozenset(
    {"__annotations__", "__builtins__", "__cached__", "__debug__", "__doc__", "__file__", "__loader__", "__name__"}
    | {"__package__", "__spec__"}
)
"""Names that every module has."""
_NOTEBOOK_NAMES = frozenset({"In", "Out", "display", "exit", "get_ipython", "quit"})
"""Names that IPython puts into every notebook."""

_MIN_SUGGESTED = 3
_MAX_NAME_CHARS = 100


@dataclass(frozen=True)
class _Need:
    """A name that is needed.

    Attributes:
        name: the name.
        at: the statement that needs it when it runs; None where it is needed once everything has run.
        by: what needs it; None for the model itself.
        definition: the function or class for whose sake it is needed; empty for the model itself.
        data: the first name, of those that lie between, that holds data, and where it is bound.
    """

    name: str
    at: int | None = None
    by: Key | None = None
    definition: str = ""
    data: tuple[str, str] | None = None


class Search:
    """Finds what some names need.

    Attributes:
        taken: the statements and values that are needed, each with the names for which it is.
        literals: by name, the expression for the value that it has now.
        first: by what needs it: what it needs when it runs.
        later: by what needs it: what it needs when it is called.
        notes: what is to be said of it, one sentence each.
    """

    def __init__(self, outline: Outline, values: Mapping[str, object] | None) -> None:
        self.taken: dict[Key, frozenset[str]] = {}
        self.literals: dict[str, str] = {}
        self.first: dict[Key, frozenset[Key]] = {}
        self.later: dict[Key, frozenset[Key]] = {}
        self.notes: dict[str, None] = {}
        self._outline = outline
        self._values = values
        self._needs: list[_Need] = []
        self._maybe: list[tuple[int, _Need]] = []
        self._followed: set[tuple[Key, int]] = set()

    def find(self, names: Iterable[str]) -> None:
        """Take what the names need.

        Raises:
            UnsupportedModel: one of them, or something that they need, is not in the source.
        """
        self._needs = [_Need(name) for name in names]
        self._meet_all()
        self._take_earlier()
        while self._maybe:
            self._try(*self._maybe.pop())

    def _meet_all(self) -> None:
        while self._needs:
            need = self._needs.pop()
            key = self._resolve(need)
            if key is not None:
                self._link(need, key)
                self._take(key, need)

    def _link(self, need: _Need, key: Key) -> None:
        if need.by is not None and need.by != key:
            links = self.later if need.at is None else self.first
            links[need.by] = links.get(need.by, frozenset()) | {key}

    def _try(self, index: int, need: _Need) -> None:
        """Take a statement that may change a name, unless what it needs is not there."""
        before = copy(self.taken), copy(self.literals), copy(self.first), copy(self.later), copy(self.notes)
        try:
            self._take((index, ""), need)
            self._meet_all()
        except UnsupportedModel:
            self.taken, self.literals, self.first, self.later, self.notes = before
            self._needs.clear()
            self._note(f"{self._label(index)} calls a method of `{need.name}`, which is not carried along")

    # --- from a name to what defines it

    def _resolve(self, need: _Need) -> Key | None:
        """What gives a name its value; None where it needs nothing."""
        if need.name in _GIVEN:
            if need.by is None:
                raise self._not_defined(need)
            return None
        bindings = [each for each in self._outline.bindings.get(need.name, ()) if each != need.at]
        if need.at is not None:
            before = self._outline.binding_before(need.name, need.at)
            if before is not None:
                literal = self._literal(need.name, before) if before == bindings[-1] else None
                return literal if literal and literal[0] < need.at else (before, "")
            if hasattr(builtins, need.name) or self._binds_itself(need):
                return None
        if not bindings:
            return self._resolve_unbound(need)
        return self._literal(need.name, bindings[-1]) or (bindings[-1], "")

    def _binds_itself(self, need: _Need) -> bool:
        """Whether a name is bound, in some case, by the very block of statements that needs it."""
        statement = self._outline.statements[need.at or 0]
        return need.name in statement.uses.binds and hasattr(statement.node, "body")

    def _literal(self, name: str, index: int) -> Key | None:
        """The value that a name has now, where that is known and plain; it stands after all that changes it."""
        if self._values is None or name not in self._values:
            return None
        if index >= 0 and self._outline.kind(name, index) != "data":
            return None
        text = write_literal(self._values[name])
        if text is None:
            return None
        self.literals[name] = text
        return max([index, *self._outline.changes.get(name, ())]), name

    def _resolve_unbound(self, need: _Need) -> Key | None:
        literal = self._literal(need.name, -1)
        if literal:
            return literal
        if need.by is None:
            raise self._not_defined(need)
        if hasattr(builtins, need.name):
            return None
        if need.name in _NOTEBOOK_NAMES and need.at is None:
            self._note(f"`{need.definition}` calls `{need.name}`, which only notebooks have")
            return None
        if not self._take_stars(need):
            raise self._not_defined(need)
        return None

    def _take_stars(self, need: _Need) -> bool:
        """Take every star import, since any of them may supply the name; whether there is one."""
        stars = [each for each in self._outline.statements if each.uses.stars]
        for statement in stars:
            key = (statement.index, "")
            self._link(need, key)
            self._take(key, need)
        if stars:
            listed = " or ".join(f"`from {module} import *`" for each in stars for module in each.uses.stars)
            self._note(f"`{need.name}` is taken to come from {listed}")
        return bool(stars)

    # --- from a statement to what it needs

    def _take(self, key: Key, need: _Need) -> None:
        names = self.taken.get(key, frozenset())
        if need.name in names:
            return
        self.taken[key] = names | {need.name}
        if key[1]:
            self._note(f"`{need.name}` is written with the value that it has now")
            return
        statement = self._outline.statements[key[0]]
        definition, data = self._reason(statement, need)
        if not names:
            self._check_outside(statement, need, definition, data)
            self._needs += [_Need(name, key[0], key, definition, data) for name in sorted(statement.uses.now)]
            self._needs += [_Need(name, None, key, definition, data) for name in sorted(statement.uses.later)]
        if statement.uses.binds.get(need.name) == "import":
            self._take_submodules(statement, need)
        elif need.name in statement.uses.binds or need.name in statement.uses.global_stores:
            self._take_changes(statement, need)

    def _reason(self, statement: Statement, need: _Need) -> tuple[str, tuple[str, str] | None]:
        if statement.uses.binds.get(need.name) == "definition":
            return need.name, None
        return need.definition, need.data or (need.name, statement.label)

    def _take_submodules(self, statement: Statement, need: _Need) -> None:
        """Take `import a.b` beside `import a.c`: together they make what `a` is."""
        for index in self._outline.bindings[need.name]:
            other = self._outline.statements[index]
            names = [alias.name for alias in getattr(other.node, "names", ()) if not alias.asname]
            if other.is_import and any(name.startswith(f"{need.name}.") for name in names) and other != statement:
                self.taken[index, ""] = self.taken.get((index, ""), frozenset()) | {need.name}

    def _take_changes(self, statement: Statement, need: _Need) -> None:
        """Take what changes a name before it is bound anew."""
        bindings = self._outline.bindings[need.name]
        after = min((each for each in bindings if each > statement.index), default=len(self._outline.statements))
        for index in self._outline.changes.get(need.name, ()):
            uses = self._outline.statements[index].uses
            if not statement.index < index < after:
                continue
            if need.name in uses.changes:
                self._take((index, ""), need)
            elif statement.uses.binds.get(need.name) == "data":
                self._maybe.insert(0, (index, need))

    def _take_earlier(self) -> None:
        """Take the earlier definitions that were in force when a statement called a function that needs them.

        Without this, only the last definition of what a function needs would be there, and that comes too late.
        """
        count = -1
        while count != len(self.taken):
            count = len(self.taken)
            for index, name in sorted(self.taken):
                if not name and self._outline.statements[index].uses.calls:
                    self._follow_calls(index)

    def _follow_calls(self, at: int) -> None:
        stack: list[Key] = [(at, "")]
        while stack:
            key = stack.pop()
            if key[1] or (key, at) in self._followed:
                continue
            self._followed.add((key, at))
            stack.extend(sorted(self.first.get(key, ())))
            for name in sorted(self._outline.statements[key[0]].uses.later):
                index = self._outline.binding_before(name, at)
                if index is None or (name in self.literals and index == self._outline.bindings[name][-1]):
                    continue
                if name not in self.taken.get((index, ""), ()):
                    self._try_earlier(index, _Need(name, at, key))
                stack.append((index, ""))

    def _try_earlier(self, index: int, need: _Need) -> None:
        notes = copy(self.notes)
        self._try(index, need)
        self.notes = notes

    # --- what cannot be taken

    def _check_outside(self, statement: Statement, need: _Need, definition: str, data: tuple[str, str] | None) -> None:
        call = None if statement.is_import else outside_call(self._outline, statement)
        if call is None:
            return
        if data is None:
            raise UnsupportedModel(
                f"`{definition}` reads data where {statement.label} defines it (`{call}`)",
                hint="read the data inside of the function, or write what it needs into the source",
            )
        who = f"`{definition}`" if definition else "the model"
        message = f"{who} needs `{data[0]}`, which {data[1]} computes from data (`{call}`)"
        raise UnsupportedModel(message, hint=self._outside_hint(data[0]))

    def _outside_hint(self, name: str) -> str:
        if self._values is None or name not in self._values:
            where = f"write its value into {self._outline.name}"
            return f"{where}, or pack from inside the notebook, where its value is known"
        kind = type(self._values[name]).__name__
        return f"its value is a `{kind}`: keep only the numbers and texts that are needed, in a list or dictionary"

    def _not_defined(self, need: _Need) -> UnsupportedModel:
        where = f"is not defined in {self._outline.name}"
        who = f"`{need.definition}`" if need.definition else "the model"
        message = f"{shown(need.name[:_MAX_NAME_CHARS])} {where}"
        if need.data:
            name, label = need.data
            message = f"{who} needs `{name}`, which {label} computes from `{need.name}`, which {where}"
        elif need.definition:
            message = f"{who} needs `{need.name}`, which {where}"
        return UnsupportedModel(message, hint=self._not_defined_hint(need.name))

    def _not_defined_hint(self, name: str) -> str:
        skipped = [
            f"{each.label} {each.reason}"
            for each in self._outline.skipped
            if "could not" in each.reason or name in each.text
        ]
        if skipped:
            more = f", and {len(skipped) - 1} more cells" if len(skipped) > 1 else ""
            return f"{skipped[0]}{more}"
        # Any two short names are alike.
        meant = suggest(name, self._outline.bindings) if len(name) >= _MIN_SUGGESTED else None
        return f"did you mean `{meant}`?" if meant else "give the notebook or script that defines it"

    def _note(self, note: str) -> None:
        self.notes[note] = None

    def _label(self, index: int) -> str:
        return self._outline.statements[index].label
