"""Whether this environment has what a model needs: said before anything is loaded, with the command that mends it."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata

from lading.bundle.manifest import Requirement
from lading.errors import EnvironmentMismatch


@dataclass(frozen=True)
class Difference:
    """A distribution that is not as the model needs it; `installed` is None where it is missing."""

    name: str
    wanted: str | None
    installed: str | None

    @property
    def command(self) -> str:
        """What mends it."""
        return f'pip install "{self.name}=={self.wanted}"' if self.wanted else f'pip install "{self.name}"'

    def __str__(self) -> str:
        wanted = f"{self.name} {self.wanted}" if self.wanted else self.name
        has = f"this environment has {self.installed}" if self.installed else "it is not installed"
        return f"{wanted} is needed, {has}"


def installed_version(distribution: str) -> str | None:
    """The installed version of a distribution, or None."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def installed(distributions: Iterable[str]) -> tuple[Requirement, ...]:
    """The requirements that this environment meets exactly: each distribution that is here, with its version."""
    versions = {name: installed_version(name) for name in distributions}
    return tuple(Requirement(name, version) for name, version in sorted(versions.items()) if version)


def distributions_of(packages: Iterable[str]) -> tuple[str, ...]:
    """The installed distributions that have these top-level modules, by the names that `pip install` takes, sorted."""
    known = _packages_distributions()
    return tuple(sorted({name for package in packages for name in known.get(package, ())}))


@functools.cache
def _packages_distributions() -> dict[str, list[str]]:
    return dict(metadata.packages_distributions())


def differences(wanted: Mapping[str, str | None]) -> tuple[Difference, ...]:
    """What is missing here, or has another version than wanted; a version of None asks for any."""
    found = []
    for name, version in wanted.items():
        here = installed_version(name)
        if here is None or (version is not None and _public(here) != _public(version)):
            found.append(Difference(name, version, here))
    return tuple(found)


def refuse_differences(model: str, found: Iterable[Difference]) -> None:
    """Raise when something differs.

    Raises:
        EnvironmentMismatch: names each difference, and the command that mends all.
    """
    found = tuple(found)
    if not found:
        return
    is_only_missing = all(difference.installed is None for difference in found)
    wanted = " ".join(f'"{d.name}=={d.wanted}"' if d.wanted else f'"{d.name}"' for d in found)
    command = f"pip install {wanted}"
    hint = command if is_only_missing else f"it may load and answer differently; {command}, or --ignore-versions"
    raise EnvironmentMismatch(f"{model}: " + "; ".join(str(difference) for difference in found), hint=hint)


def _public(version: str) -> str:
    """The version less its local part (PEP 440): `2.13.0+cpu` is 2.13.0."""
    return re.sub(r"\+.*", "", version)
