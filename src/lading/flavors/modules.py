"""The author's own Python, run as modules that only the model that needs them can see.

Nothing is put on the path that Python imports from, and no module takes the place of an installed one: what one of
these modules imports is looked for among the others first, and what a pickle names is looked up in them.
"""

from __future__ import annotations

import builtins
import hashlib
import linecache
import sys
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from lading.errors import EnvironmentMismatch, LadingError, UnsupportedModel

__all__ = ["OwnModules", "error_in_words", "missing_module", "place_of", "run_model"]

_MODEL = "the file"
_OF_THE_MODEL = " of the model>"
_FILES_HINT = "a model has no folder of its own: a class with `load(self, files)` is given the files named by --file"


class OwnModules(Mapping[str, ModuleType]):
    """Modules by name, each run when it is first asked for.

    Args:
        texts: of each, by name.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self._modules: dict[str, ModuleType] = {}

    def __getitem__(self, name: str) -> ModuleType:
        """The module.

        Raises:
            EnvironmentMismatch: it imports what is not installed.
            UnsupportedModel: it raised; says what and where.
        """
        module = self._modules.get(name)
        if module is None:
            # Known before it has run: two modules may import each other.
            module = self._modules[name] = _new_module(name, self._texts[name], self)
            try:
                _run(module, self._texts[name], f"{name}.py")
            except BaseException:
                del self._modules[name]
                raise
        return module

    def __contains__(self, name: object) -> bool:
        return name in self._texts

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)


def run_model(text: str, modules: Mapping[str, ModuleType]) -> ModuleType:
    """The module of a model that is Python, which finds others in `modules` before those that are installed.

    Raises:
        EnvironmentMismatch: it imports what is not installed.
        UnsupportedModel: it raised; says what and where.
    """
    module = _new_module("model", text, modules)
    _run(module, text, _MODEL)
    return module


def _new_module(name: str, text: str, modules: Mapping[str, ModuleType]) -> ModuleType:
    # Unlike any other name, and known to the interpreter: data classes and pickles look up where they were defined.
    # Without a dot, behind which they would look for a package.
    module = ModuleType(f"lading_code_{hashlib.sha256(text.encode()).hexdigest()[:12]}_{name.strip('_')}")
    module.__package__ = ""
    vars(module)["__builtins__"] = vars(builtins) | {"__import__": _importer(modules)}
    return module


def _importer(modules: Mapping[str, ModuleType]) -> Any:
    def own_import(name: str, *rest: Any, **named: Any) -> ModuleType:
        first, dot, _ = name.partition(".")
        if first not in modules:
            return builtins.__import__(name, *rest, **named)
        if dot:
            raise ModuleNotFoundError(f"No module named {name!r}; {first!r} is not a package", name=name)
        return modules[name]

    return own_import


def _run(module: ModuleType, text: str, title: str) -> None:
    file = f"<{title}{_OF_THE_MODEL}"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)  # for tracebacks
    before = sys.modules.get(module.__name__)
    sys.modules[module.__name__] = module
    try:
        exec(compile(text, file, "exec", dont_inherit=True), vars(module))
    # It is anybody's code: it may raise anything, and may even call `sys.exit`.
    except BaseException as error:
        if before is None:
            del sys.modules[module.__name__]
        else:
            sys.modules[module.__name__] = before
        if isinstance(error, LadingError) or not isinstance(error, Exception | SystemExit):
            raise
        raise _failure(title, error) from error


def _failure(title: str, error: BaseException) -> LadingError:
    if isinstance(error, ModuleNotFoundError):
        return missing_module(title, error)
    wants_folder = isinstance(error, FileNotFoundError) or (isinstance(error, NameError) and error.name == "__file__")
    hint = _FILES_HINT if wants_folder else None
    return UnsupportedModel(f"{title} cannot be run: {error_in_words(error)}", hint=hint)


def missing_module(title: str, error: ModuleNotFoundError) -> EnvironmentMismatch:
    """The error of code that imports what is not here, with what to do."""
    name = error.name or "a module"
    message = f"{title} imports `{name}`, which is not here"
    if "." in name:
        return EnvironmentMismatch(message, hint=f"another version of `{name.partition('.')[0]}` may have it")
    return EnvironmentMismatch(message, hint=f"pip install what has it, or carry it along: --code {name}.py")


def error_in_words(error: BaseException) -> str:
    """The kind of an error of the author's own code, its words in one line, and where it was raised.

    Not for errors that a request caused: their words may repeat values.
    """
    words = " ".join((error.msg if isinstance(error, SyntaxError) else str(error)).split())[:200]
    return (f"{type(error).__name__}: {words}" if words else type(error).__name__) + place_of(error)


def place_of(error: BaseException) -> str:
    """Where in the author's own code an error was raised, as ` (helpers.py, line 3)`; empty where it was elsewhere."""
    found = [(error.filename, error.lineno)] if isinstance(error, SyntaxError) else []
    trace = error.__traceback__
    while trace is not None:
        found.append((trace.tb_frame.f_code.co_filename, trace.tb_lineno))
        trace = trace.tb_next
    own = [(str(file), line) for file, line in found if str(file).endswith(_OF_THE_MODEL) and line]
    if not own:
        return ""
    title = own[-1][0][1 : -len(_OF_THE_MODEL)]
    return f" (line {own[-1][1]})" if title == _MODEL else f" ({title}, line {own[-1][1]})"
