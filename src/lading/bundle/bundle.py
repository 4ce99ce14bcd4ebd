"""A bundle on disk: an archive whose manifest answers for every other member."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from lading.bundle.archive import Archive, write_archive
from lading.bundle.manifest import (
    ENGINE,
    GOLDEN,
    MANIFEST,
    MAX_MANIFEST_BYTES,
    REFERENCE,
    Manifest,
    Member,
    check_names,
    decode_manifest,
    encode_manifest,
)
from lading.errors import BundleError

SUFFIX = ".lading"


class Bundle:
    """An opened bundle. Members are read from the one descriptor that was opened, each checked by its digest."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        if archive.size(MANIFEST) > MAX_MANIFEST_BYTES:
            raise BundleError(f"the manifest is larger than {MAX_MANIFEST_BYTES >> 20} MiB")
        self.manifest = decode_manifest(archive.read(MANIFEST))
        self._members = {member.path: member for member in self.manifest.files}
        if archive.names != (MANIFEST, *(member.path for member in self.manifest.files)):
            raise BundleError("the bundle's files are not those that its manifest lists")
        if self.manifest.model not in self._members:
            raise BundleError("the manifest names a model file that it does not list")
        if self.manifest.is_compiled and ENGINE not in self._members:
            raise BundleError("the manifest names a compiled model that it does not list")

    @classmethod
    def open(cls, path: Path) -> Self:
        """The bundle at this path.

        Raises:
            BundleError: it is not a bundle, is damaged, or was changed.
        """
        archive = Archive.open(path)
        try:
            return cls(archive)
        except BaseException:
            archive.close()
            raise

    def read(self, path: str) -> bytes:
        """The bytes of one member, which have the digest that the manifest says."""
        member = self._members.get(path)
        if member is None:
            raise BundleError(f"the bundle has no file `{path}`")
        data = self._archive.read(path)
        if len(data) != member.size or hashlib.sha256(data).hexdigest() != member.sha256:
            raise BundleError(f"`{path}` in the bundle is not what was packed: its digest differs")
        return data

    def read_optional(self, path: str) -> bytes | None:
        """The bytes of a member that need not be there."""
        return self.read(path) if path in self._members else None

    def verify(self) -> None:
        """Read every member and compare its digest.

        Raises:
            BundleError: a member is not what was packed.
        """
        for path in self._members:
            self.read(path)

    def digest(self) -> str:
        """The sha256 of the whole file, in hex."""
        return self._archive.digest()

    def close(self) -> None:
        """Close the file."""
        self._archive.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def write_bundle(path: Path, manifest: Manifest, members: Mapping[str, bytes]) -> str:
    """Write a bundle: the manifest, completed by its list of files, and the members in the order of their names.

    Returns:
        The sha256 of the file, in hex. The same manifest and members give the same bytes.
    """
    ordered = sorted(members.items())
    files = tuple(Member(name, hashlib.sha256(data).hexdigest(), len(data)) for name, data in ordered)
    complete = msgspec.structs.replace(manifest, files=files)
    check_names(complete)
    return write_archive(path, [(MANIFEST, encode_manifest(complete)), *ordered])


__all__ = ["ENGINE", "GOLDEN", "MANIFEST", "REFERENCE", "SUFFIX", "Bundle", "write_bundle"]
