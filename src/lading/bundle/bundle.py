"""A bundle on disk: an archive whose manifest answers for every other member."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

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

if TYPE_CHECKING:
    from lading.bundle.signing.trust import TrustStore
    from lading.bundle.signing.verified import Verified

SUFFIX = ".lading"


class Bundle:
    """An opened bundle. Members are read from the one descriptor that was opened, each checked by its digest.

    Attributes:
        manifest: what it says of itself.
        verified: by whose signature it was let in; None where nobody asked for one.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self.verified: Verified | None = None
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
    def open(cls, path: Path, trust: TrustStore | None = None) -> Self:
        """The bundle at this path.

        Args:
            path: of the file; its signature stands beside it.
            trust: whose signature lets it in, before any byte of it is parsed; None asks for none.

        Raises:
            BundleError: it is not a bundle, is damaged, or was changed.
            Untrusted: its signature is missing, not good, or of nobody who is trusted for it.
        """
        claim = None if trust is None else trust.claim(path)
        archive = Archive.open(path, sha256=None if claim is None else claim.digest)
        try:
            bundle = cls(archive)
            if claim is not None:
                bundle.verified = claim.accept(bundle.manifest.name, bundle.manifest.version)
            return bundle
        except BaseException:
            archive.close()
            raise

    def read(self, path: str) -> bytes:
        """The bytes of one member, which have the digest that the manifest says."""
        member = self._members.get(path)
        if member is None:
            raise BundleError(f"the bundle has no file `{path}`")
        data = self._archive.read(path)
        _refuse_other(member, len(data), hashlib.sha256(data).hexdigest())
        return data

    def read_optional(self, path: str) -> bytes | None:
        """The bytes of a member that need not be there."""
        return self.read(path) if path in self._members else None

    def verify(self) -> None:
        """Compare the size and the digest of every member, however large it is.

        Raises:
            BundleError: a member is not what was packed.
        """
        for path, member in self._members.items():
            _refuse_other(member, self._archive.size(path), self._archive.digest_of(path))

    def digest(self) -> str:
        """The sha256 of the whole file, in hex."""
        return self._archive.digest() if self.verified is None else self.verified.digest

    def close(self) -> None:
        """Close the file."""
        self._archive.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _refuse_other(member: Member, size: int, sha256: str) -> None:
    if size != member.size or sha256 != member.sha256:
        raise BundleError(f"`{member.path}` in the bundle is not what was packed: its digest differs")


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
