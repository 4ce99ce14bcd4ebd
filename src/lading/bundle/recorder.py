"""What a pickle asks for, read without running it: a reader for people, never a gate.

It sees what loading would look up by name. What a hostile program would do with those names, such as building
further names out of text, it does not see.
"""

from __future__ import annotations

import importlib.util
import io
import sys
from dataclasses import dataclass
from typing import Any, Literal

from lading.bundle.environment import distributions_of
from lading.bundle.machine import Instance, Mapping, Named, Notes, Reader
from lading.bundle.wrapped import find_model
from lading.errors import FormatError

__all__ = ["Missing", "Recording", "distributions", "record", "unresolved"]


@dataclass(frozen=True)
class Recording:
    """What a pickle asks for.

    Attributes:
        names: module and qualified name of all that loading would look up, once, in order of appearance.
        top: the type of the loaded object, such as `sklearn.pipeline.Pipeline` or `dict`.
        versions: distributions and the versions with which they say that they saved their parts.
        metadata: what stands beside a model in a dictionary, as `find_model` gives it; else `None`.
        model_key: the key of that dictionary which holds the model; else `None`.
    """

    names: tuple[tuple[str, str], ...]
    top: str
    versions: dict[str, str]
    metadata: dict[str, Any] | None
    model_key: str | None


@dataclass(frozen=True)
class Missing:
    """A name that this environment cannot supply.

    Attributes:
        module: the module that the pickle names.
        name: the qualified name in it.
        reason: `main` for what a script or notebook defined; `package` where no such package is installed.
    """

    module: str
    name: str
    reason: Literal["main", "package"]


def record(data: bytes) -> Recording:
    """What the pickle asks for; nothing in it is imported, called or built.

    Args:
        data: a raw pickle stream, as `lading.bundle.pickles.unwrap` gives it, by pickle or by joblib.

    Raises:
        FormatError: the stream is broken, cut off, or uses operations that no model file needs.
    """
    notes = Notes()
    try:
        top = Reader(io.BytesIO(data), len(data), notes).load()
    except Exception as error:
        # a broken stream can end in any exception; its message may hold data out of the file
        raise FormatError(
            f"the pickle is broken: reading it ended with `{type(error).__name__}`",
            hint="copy the file again, or save the model again",
        ) from None
    key, _, metadata = find_model(top)
    names = tuple((named.module, named.qualname) for named in notes.names.values())
    return Recording(names, _type_name(top), notes.versions, None if key is None else metadata, key)


def unresolved(recording: Recording) -> tuple[Missing, ...]:
    """The names that this environment cannot supply, in order of appearance; nothing is imported to find out.

    Only the first part of a module's name is looked for: to look deeper would import it.
    """
    missing = []
    for module, name in recording.names:
        if module in _MAIN_MODULES:
            missing.append(Missing(module, name, "main"))
        elif not _is_installed(module.partition(".")[0]):
            missing.append(Missing(module, name, "package"))
    return tuple(missing)


def distributions(recording: Recording) -> tuple[str, ...]:
    """The installed distributions that the pickle needs, by the names that `pip install` takes, sorted."""
    packages = {module.partition(".")[0] for module, _ in recording.names} - sys.stdlib_module_names
    return distributions_of(packages)


_MAIN_MODULES = frozenset({"__main__", "__mp_main__"})


def _is_installed(package: str) -> bool:
    if not package.isidentifier():
        return False
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        return False


def _type_name(top: object) -> str:
    if isinstance(top, Named):
        return str(top)
    return str(top.of) if isinstance(top, Instance | Mapping) else type(top).__name__
