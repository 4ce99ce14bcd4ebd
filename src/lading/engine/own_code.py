"""The author's own Python that a model needs, as it stands in a bundle."""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

from lading.bundle.bundle import Bundle
from lading.bundle.manifest import Code
from lading.errors import BundleError
from lading.flavors.modules import OwnModules

_STARTERS = frozenset(
    {"_thread", "asyncio", "concurrent", "ctypes", "http", "multiprocessing", "signal", "socket", "sqlite3"}
    | {"subprocess", "threading", "urllib"}
)
"""Modules of the standard library with which something begins that does not come through a fork."""


@dataclass(frozen=True)
class OwnCode:
    """Files of Python.

    Attributes:
        files: what the manifest says of each.
        texts: of each, by the name of its module.
        notes: what to tell of how they were found.
    """

    files: tuple[Code, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @classmethod
    def of_bundle(cls, bundle: Bundle) -> OwnCode:
        """The code in a bundle, whose bytes are those that were packed.

        Raises:
            BundleError: a file is missing or was changed.
        """
        files = bundle.manifest.code
        try:
            return cls(files, {file.module: bundle.read(file.path).decode() for file in files})
        except UnicodeDecodeError:
            raise BundleError("the code in the bundle is not UTF-8 text") from None

    @property
    def members(self) -> dict[str, bytes]:
        """The files by their path in a bundle."""
        return {file.path: self.texts[file.module].encode() for file in self.files}

    @property
    def around(self) -> str:
        """The module that is called around the model; empty where none is."""
        return next((file.module for file in self.files if file.is_around), "")

    @property
    def imports(self) -> frozenset[str]:
        """The top-level modules that it imports, less its own."""
        found = frozenset[str]().union(*(imported(text) for text in self.texts.values()))
        return found - self.texts.keys()

    @property
    def survives_fork(self) -> bool:
        """Whether running it begins nothing that would be missing after a fork, as far as its imports tell.

        What is called around a model may do anything when it is run.
        """
        return not self.around and self.imports.isdisjoint(_STARTERS)

    def modules(self) -> OwnModules:
        """The modules, each run when it is first asked for."""
        return OwnModules(self.texts)


NO_CODE = OwnCode()


def imported(text: str) -> frozenset[str]:
    """The top-level modules that a text imports, wherever it does; none where it is no Python."""
    try:
        with warnings.catch_warnings():  # of its syntax: they come once more when it is run
            warnings.simplefilter("ignore")
            tree = ast.parse(text.removeprefix("\ufeff"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset()
    names = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names.add(node.module.partition(".")[0])
    return frozenset(names)


def third_party(modules: frozenset[str]) -> frozenset[str]:
    """Those that do not come with Python."""
    return modules - sys.stdlib_module_names
