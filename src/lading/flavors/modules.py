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

__all__ = ["OwnModules", "error_in_words", "run_module"]


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


def run_module(title: str, text: str, modules: Mapping[str, ModuleType]) -> ModuleType:
    """A module of this text, which finds others in `modules` before those that are installed.

    Raises:
        EnvironmentMismatch: it imports what is not installed.
        UnsupportedModel: it raised; says what and where.
    """
    module = _new_module(title.removesuffix(".py"), text, modules)
    _run(module, text, title)
    return module


def _new_module(name: str, text: str, modules: Mapping[str, ModuleType]) -> ModuleType:
    # Unlike any other name, and known to the interpreter: data classes and pickles look up where they were defined.
    module = ModuleType(f"lading_code_{hashlib.sha256(text.encode()).hexdigest()[:12]}.{name}")
    vars(module)["__builtins__"] = vars(builtins) | {"__import__": _importer(modules)}
    sys.modules[module.__name__] = module
    return module


def _importer(modules: Mapping[str, ModuleType]) -> Any:
    def own_import(name: str, *rest: Any, **named: Any) -> ModuleType:
        return modules[name] if name in modules else builtins.__import__(name, *rest, **named)

    return own_import


def _run(module: ModuleType, text: str, title: str) -> None:
    file = f"<{title} of the model>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)  # for tracebacks
    try:
        exec(compile(text, file, "exec"), vars(module))
    except LadingError:
        raise
    except ModuleNotFoundError as error:
        hint = f"pip install what has it, or carry it along: --code {error.name}.py"
        raise EnvironmentMismatch(f"{title} imports `{error.name}`, which is not here", hint=hint) from error
    # It is anybody's code: it may raise anything, and may even call `sys.exit`.
    except (Exception, SystemExit) as error:
        raise UnsupportedModel(f"{title} cannot be run: {error_in_words(error, file)}") from error


def error_in_words(error: BaseException, file: str = "") -> str:
    """The kind of an error of the author's own code, its words in one line, and the last line of `file` that it left.

    Not for errors that a request caused: their words may repeat values.
    """
    line = getattr(error, "lineno", None) if isinstance(error, SyntaxError) else None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            line = trace.tb_lineno
        trace = trace.tb_next
    words = " ".join(str(error).split())[:200]
    place = f" (line {line})" if line else ""
    return f"{type(error).__name__}: {words}{place}" if words else f"{type(error).__name__}{place}"
