"""Finding the flavor: by name for a bundle, by name and content for a file, by trying for a Python object."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from lading.bundle.environment import differences
from lading.errors import EnvironmentMismatch, FormatError, UnsupportedModel
from lading.flavors.flavor import Flavor

GROUP = "lading.flavors"


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
    declared = [flavor for flavor in flavors() if name.lower().endswith(flavor.suffixes)]
    found = [flavor for flavor in flavors() if flavor.recognizes(data)]
    if declared and not any(flavor in declared for flavor in found):
        what = f"looks like {found[0].name}" if found else "is of no format that Lading knows"
        raise FormatError(f"{name} is not a {declared[0].name} file by its content: it {what}", hint=_saved_how())
    if not found:
        raise FormatError(f"{name} is of no format that Lading knows", hint=_saved_how())
    return next((flavor for flavor in declared if flavor in found), found[0])


def _saved_how() -> str:
    suffixes = sorted({suffix for flavor in flavors() for suffix in flavor.suffixes})
    return "a model file is one of " + ", ".join(suffixes)


def require(flavor: Flavor, name: str) -> None:
    """Say what is missing before loading is tried.

    Raises:
        EnvironmentMismatch: the flavor's framework is not installed.
    """
    if flavor.distribution and differences({flavor.distribution: None}):
        hint = f'pip install "lading[{flavor.extra}]"' if flavor.extra else f"pip install {flavor.distribution}"
        raise EnvironmentMismatch(f"{name} needs {flavor.distribution}, which is not installed", hint=hint)


def dump_with_any(model: object) -> tuple[Flavor, str, bytes]:
    """The flavor that owns a Python object, and the file that it makes of it.

    Raises:
        UnsupportedModel: no flavor owns it.
    """
    for flavor in flavors():
        if not differences({flavor.distribution: None} if flavor.distribution else {}):
            dumped = flavor.dump(model)
            if dumped is not None:
                return flavor, *dumped
    kind = f"{type(model).__module__}.{type(model).__qualname__}"
    raise UnsupportedModel(f"no installed flavor serves a {kind}", hint="lading doctor shows what is installed")


__all__ = [
    "dump_with_any",
    "flavor_named",
    "flavor_of_file",
    "flavors",
    "require",
]
