"""What a framework has to supply, on one page.

A flavor is a class with the four methods of `Flavor`, named in the entry point group `lading.flavors`; the built-in
ones enter by the same door. It knows its files, says what they need before they are opened, and opens them. What it
opens is a `Predictor`, which says what the model takes and answers tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Protocol

import msgspec

from lading.schema.estimator import Learned
from lading.schema.fields import Task, Value
from lading.schema.table import Array, Table


class Predictions(msgspec.Struct, frozen=True, gc=False):
    """What a model gave for a table.

    Attributes:
        prediction: (rows,), or (rows, k) where it predicts k values a row.
        probabilities: (rows, classes) for each predicted target; empty where not asked for.
    """

    prediction: Array
    probabilities: tuple[Array, ...] = ()


@dataclass(frozen=True)
class Needs:
    """What a file asks for, read without opening it as a program.

    Attributes:
        class_name: what it holds, as far as that can be told.
        distributions: pip names and the versions it was saved with; None where the file does not say.
        modules: top-level modules that are not here, and that nobody knows to be of a distribution.
        problems: what will not work here, one sentence each, with what to do.
        metadata: the author's words in the file.
        strange: what it names that no model needs, and that would do something when it is opened.
        names: everything that a pickle names, as `module.name`; empty for formats that name nothing.
        definitions: what it looks up in the notebook or script that saved it (`__main__`).
        hostile: what it names that acts on the machine when it is opened; such a file is not opened.
    """

    class_name: str
    distributions: Mapping[str, str | None] = field(default_factory=dict)
    modules: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    strange: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    definitions: tuple[str, ...] = ()
    hostile: tuple[str, ...] = ()


@dataclass(frozen=True)
class Support:
    """What stands beside a model's file when it is opened.

    Attributes:
        modules: the author's own, by name, in which the file's names are looked up before what is installed;
            `__main__` is what a notebook or script defined.
        entry: the function or class that is the model, where the file is Python.
        files: other files that the model reads, by name.
    """

    modules: Mapping[str, ModuleType] = field(default_factory=dict)
    entry: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)


NO_SUPPORT = Support()


class Predictor(Protocol):
    """A loaded model.

    Attributes:
        class_name: what it is, in words.
        task: what kind of answer it gives.
        classes: the classes of each predicted target, in the order of the probabilities; empty where it has none.
        has_probabilities: whether `proba` may be asked for.
        metadata: the author's words that came with it.
        knows_inputs: whether the inputs that it learns are its own; else they are a guess, which a sample corrects.
    """

    class_name: str
    task: Task
    classes: tuple[tuple[Value, ...], ...]
    has_probabilities: bool
    metadata: Mapping[str, Any]
    knows_inputs: bool

    def learn(self) -> Learned:
        """What the model itself knows about its inputs."""

    def predict(self, table: Table, *, proba: bool = False) -> Predictions:
        """The predictions for a table, in the order of its rows."""


class Flavor(Protocol):
    """A framework.

    Attributes:
        name: as it stands in the manifest.
        suffixes: file name endings that declare it; a file with such a name and other content is refused.
        distribution: the pip name of the framework.
        extra: the extra of lading that installs it.
        fork_safe: pip names of the distributions whose models may be loaded before a fork, and predict after it.
        runs_code: whether a file may be a program, which runs when it is opened: then only who is trusted for code may
            have signed it. Without the attribute it counts as one.
    """

    name: str
    suffixes: tuple[str, ...]
    distribution: str
    extra: str
    fork_safe: frozenset[str]
    runs_code: bool

    def recognizes(self, data: bytes) -> bool:
        """Whether these bytes are of its format, by their beginning; nothing is opened."""

    def needs(self, data: bytes) -> Needs:
        """What the file asks for, without running anything in it.

        Raises:
            FormatError: the file is broken.
        """

    def load(self, data: bytes, support: Support = NO_SUPPORT) -> Predictor:
        """The model in these bytes. Only called for what may be run.

        Raises:
            FormatError: the file is broken.
            UnsupportedModel: nothing that can be served is in it.
        """

    def dump(self, model: object) -> tuple[str, bytes] | None:
        """The file name and bytes of a model of this framework, or None for a model of another."""
