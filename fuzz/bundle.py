"""Bytes as a bundle, or as what a bundle has inside: they are refused in our own words, or mean exactly themselves.

The first byte says how the rest is taken, so that what is behind a checksum is reached too.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import msgspec

from lading.bundle.archive import write_archive
from lading.bundle.bundle import GOLDEN, MANIFEST, REFERENCE, Bundle
from lading.bundle.manifest import Member, decode_manifest, encode_manifest
from lading.engine.golden import decode_golden
from lading.engine.loading import load_bundle
from lading.engine.packing import pack
from lading.errors import LadingError
from lading.flavors.linear import LinearFile

_MODEL = LinearFile(
    "lading.linear/1", ("x", "y"), coef=((2.0, 1.0),), intercept=(0.0,), low=(0.0, 0.0), high=(9.0, 9.0)
)
_MEMORY = Path("/dev/shm")


def fuzz_one(data: bytes) -> None:
    """Take the bytes in the way that the first of them says."""
    if data:
        _WAYS[data[0] % len(_WAYS)](bytes(data[1:]))


def seeds() -> list[bytes]:
    """A whole bundle, its manifest, its golden rows and its model."""
    members = dict(_members())
    model = next(name for name in members if name not in (MANIFEST, GOLDEN, REFERENCE))
    whole = _whole(members)
    return [b"\0" + whole, *(bytes([way]) + members[name] for way, name in enumerate((MANIFEST, GOLDEN, model), 1))]


def as_archive(data: bytes) -> None:
    """Open, verify and read the bytes as a bundle; what verifies is what the writer would have written."""
    path = _path()
    path.write_bytes(data)
    with contextlib.suppress(LadingError), Bundle.open(path) as bundle:
        bundle.verify()
        assert bundle.digest() == hashlib.sha256(data).hexdigest()
        for name in (GOLDEN, REFERENCE):
            bundle.read_optional(name)


def as_manifest(data: bytes) -> None:
    """Decode the bytes as a manifest, which says the same when it is written again; then open a bundle that has it."""
    with contextlib.suppress(LadingError):
        manifest = decode_manifest(data)
        assert decode_manifest(encode_manifest(manifest)) == manifest
    _load(MANIFEST, data)


def as_golden(data: bytes) -> None:
    """Decode the bytes as golden rows."""
    with contextlib.suppress(LadingError):
        decode_golden(data)


def as_model(data: bytes) -> None:
    """Load a bundle whose model is the bytes, and whose manifest says so."""
    model = next(name for name, _ in _members() if name not in (MANIFEST, GOLDEN, REFERENCE))
    _load(model, data)


_WAYS: tuple[Callable[[bytes], None], ...] = (as_archive, as_manifest, as_golden, as_model)


def _load(name: str, data: bytes) -> None:
    members = dict(_members()) | {name: data}
    if name != MANIFEST:
        members[MANIFEST] = _listing(name, data)
    with contextlib.suppress(LadingError):
        write_archive(_path(), list(members.items()))
        with Bundle.open(_path()) as bundle:
            bundle.verify()
        load_bundle(_path(), ignore_versions=True)


def _listing(name: str, data: bytes) -> bytes:
    """The manifest, in which one member has these bytes."""
    manifest = decode_manifest(dict(_members())[MANIFEST])
    member = Member(name, hashlib.sha256(data).hexdigest(), len(data))
    files = tuple(member if each.path == name else each for each in manifest.files)
    return encode_manifest(msgspec.structs.replace(manifest, files=files))


def _whole(members: dict[str, bytes]) -> bytes:
    write_archive(_path(), list(members.items()))
    return _path().read_bytes()


@cache
def _members() -> tuple[tuple[str, bytes], ...]:
    pack(_MODEL, path=_path(), compile="never")
    with Bundle.open(_path()) as bundle:
        names = (member.path for member in bundle.manifest.files)
        return ((MANIFEST, encode_manifest(bundle.manifest)), *((name, bundle.read(name)) for name in names))


@cache
def _path() -> Path:
    """A file of this process alone, in memory where the system has a folder for that."""
    folder = tempfile.TemporaryDirectory(dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None)
    atexit.register(folder.cleanup)
    return Path(folder.name) / "fuzzed.lading"
