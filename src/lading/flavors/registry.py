"""Finding the flavor: by name for a bundle, by name and content for a file, by trying for a Python object."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from lading.bundle.environment import differences
from lading.bundle.manifest import Requirement
from lading.errors import EnvironmentMismatch, FormatError, UnsupportedModel
from lading.flavors.flavor import Flavor

GROUP = "lading.flavors"

# Digits alone are no ending but part of a version: `churn-1.0`.
_ENDING = re.compile(r"\.[0-9]*[a-z_][a-z0-9_-]*$")
_SHOWN_SUFFIXES = 3


@cache
def _entry_points() -> dict[str, EntryPoint]:
    return {point.name: point for point in sorted(entry_points(group=GROUP), key=lambda point: point.name)}


@cache
def flavor_named(name: str) -> Flavor:
    """The flavor of this name.

    Raises:
        EnvironmentMismatch: no installed package supplies it.
    """
    point = _entry_points().get(name)
    if point is None:
        known = ", ".join(_entry_points()) or "none"
        raise EnvironmentMismatch(f"no installed package supplies the flavor `{name}`", hint=f"installed: {known}")
    flavor: Flavor = point.load()()
    return flavor


def flavors() -> Iterator[Flavor]:
    """Every installed flavor, by name."""
    return (flavor_named(name) for name in _entry_points())


def flavor_of_file(name: str, data: bytes) -> Flavor:
    """The one flavor for a file: what its name declares, where it declares something, else what its content is.

    Raises:
        FormatError: the file is empty, of no known format, or not what its name says; no other loader is tried.
    """
    if not data:
        raise FormatError(f"{name} is empty", hint="save the model again")
    declared = _declared(name)
    found = [flavor for flavor in flavors() if flavor.recognizes(data)]
    fitting = [flavor for flavor in found if not declared or flavor in declared]
    if fitting:
        return fitting[0]
    what = f"looks like {found[0].name}" if found else "is of no format that Lading knows"
    said = f"not what its name says, {declared[0].name}: its content" if declared else "no model file: its content"
    raise FormatError(f"{name} is {said} {what}", hint=_saved_how())


def refuse_mismatch(flavor: Flavor, name: str, data: bytes) -> None:
    """Nothing where a file may be given to this flavor.

    Raises:
        FormatError: its name declares another flavor, or its content is of another format.
    """
    declared = _declared(name)
    if (declared and flavor not in declared) or not flavor.recognizes(data):
        raise FormatError(f"{name} is declared to be {flavor.name}, and is not", hint="pack the model again")


def _declared(name: str) -> list[Flavor]:
    """The flavors whose files are named like this one, by its longest ending; none where the name has no ending.

    Raises:
        FormatError: the ending is that of files that no flavor reads.
    """
    lengths = {flavor: _suffix_chars(name.lower(), flavor) for flavor in flavors()}
    longest = max(lengths.values(), default=0)
    declared = [flavor for flavor, chars in lengths.items() if longest and chars == longest]
    ending = _ENDING.search(name.lower())
    if ending and not declared:
        raise FormatError(f"{name} is no model file by its name: nothing here reads `{ending[0]}`", hint=_saved_how())
    return declared


def _suffix_chars(name: str, flavor: Flavor) -> int:
    return max((len(suffix) for suffix in flavor.suffixes if name.endswith(suffix)), default=0)


def _saved_how() -> str:
    suffixes = sorted({suffix for flavor in flavors() for suffix in flavor.suffixes[:_SHOWN_SUFFIXES]})
    return "a model file is one of " + ", ".join(suffixes)


def require(flavor: Flavor, name: str) -> None:
    """Say what is missing before loading is tried.

    Raises:
        EnvironmentMismatch: the flavor's framework is not installed.
    """
    if flavor.distribution and differences({flavor.distribution: None}):
        hint = f'pip install "lading[{flavor.extra}]"' if flavor.extra else f"pip install {flavor.distribution}"
        raise EnvironmentMismatch(f"{name} needs {flavor.distribution}, which is not installed", hint=hint)


def survives_fork(flavor: Flavor, requirements: Iterable[Requirement]) -> bool:
    """Whether a model that needs these may be loaded before a fork; else each worker loads it for itself.

    Nothing is taken on trust: what no flavor has been shown to survive, it does not survive.
    """
    safe: frozenset[str] = getattr(flavor, "fork_safe", frozenset())  # a flavor of somebody else need not know of it
    needed = {flavor.distribution, *(requirement.name for requirement in requirements)} - {""}
    return bool(safe) and all(_normal(name) in safe for name in needed)


def runs_code(flavor: Flavor) -> bool:
    """Whether a file of this flavor may be a program, which runs when it is opened; yes, unless shown otherwise."""
    return getattr(flavor, "runs_code", True) is not False


def _normal(name: str) -> str:
    """A pip name as it is compared (PyPA, name normalization)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def dump_with_any(model: object) -> tuple[Flavor, str, bytes]:
    """The flavor that owns a Python object, and the file that it makes of it; that of the object's own library first.

    Raises:
        UnsupportedModel: no flavor owns it.
    """
    own = type(model).__module__.split(".")[0]
    # XGBoost's wrappers keep the interface of scikit-learn too: what has the name of their library goes first.
    for flavor in sorted(flavors(), key=lambda flavor: flavor.name != own):
        if not differences({flavor.distribution: None} if flavor.distribution else {}):
            dumped = flavor.dump(model)
            if dumped is not None:
                return flavor, *dumped
    kind = type(model).__qualname__
    raise UnsupportedModel(
        f"a `{kind}` is not a model that an installed flavor serves",
        hint="give a fitted model, or the path of a model file; lading doctor shows what is installed",
    )


__all__ = [
    "dump_with_any",
    "flavor_named",
    "flavor_of_file",
    "flavors",
    "refuse_mismatch",
    "require",
    "runs_code",
    "survives_fork",
]
