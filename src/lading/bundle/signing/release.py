"""Versions in order, as far as a rule against going back needs it."""

from __future__ import annotations

import re

_RELEASE = re.compile(r"([0-9]+(?:\.[0-9]+)*)([^+]*)(?:\+.*)?")
_PART = re.compile(r"[0-9]+|[A-Za-z]+")

Release = tuple[tuple[int, ...], bool, tuple[tuple[bool, int, str], ...]]


def release_of(version: str) -> Release | None:
    """What a version is compared by; None where it does not begin with a number.

    Numbers between dots are compared as numbers, and zeros at the end do not count. What follows them makes it an
    earlier one, as `1.0.0-rc2` comes before `1.0.0` and after `1.0.0-rc1`; what follows a `+` does not count.
    """
    found = _RELEASE.fullmatch(version)
    if found is None:
        return None
    numbers = [int(number) for number in found[1].split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    parts = _PART.findall(found[2])
    suffix = tuple((part.isalpha(), 0 if part.isalpha() else int(part), part * part.isalpha()) for part in parts)
    return tuple(numbers), not suffix, suffix


def is_before(version: str, minimum: str) -> bool:
    """Whether a version comes before another one, or cannot be compared with it."""
    release, bound = release_of(version), release_of(minimum)
    return release is None or bound is None or release < bound
