"""Fetching: what arrives stands under another name, in a folder of its own, until it is known to be what it should."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from lading.bundle.bundle import Bundle
from lading.bundle.names import shown
from lading.bundle.regular_file import RegularFile
from lading.bundle.signing.envelope import MAX_ENVELOPE_BYTES
from lading.bundle.signing.signature import signature_path
from lading.bundle.signing.trust import TrustStore
from lading.bundle.signing.verified import Verified
from lading.errors import BundleError, LadingError, Untrusted, UsageError
from lading.ship.fetch.address import OBJECTS, Address, read_address
from lading.ship.fetch.files import read_ftp, read_hdfs, read_path
from lading.ship.fetch.objects import read_object
from lading.ship.fetch.transfer import Limits, NotThere, Sink, Transfer
from lading.ship.fetch.web import read_web

_DIGEST = re.compile(r"[0-9a-f]{64}")
_UNSIGNED = "lading sign BUNDLE, where its key is, and put the .sig beside it; or say what it must be: --sha256 HEX"
_PRESIGNED = "an address with a query stands for one file: --signature URL names that of its signature; or --sha256 HEX"

Progress = Callable[[Transfer], object]


@dataclass(frozen=True)
class Fetched:
    """A bundle that was fetched, or was there already, and is what it should be.

    Attributes:
        path: where it is now; its signature stands beside it, if it has one.
        size: in bytes.
        sha256: of its bytes, in hexadecimal.
        name: of its model.
        version: of its model.
        verified: by whose signature it was let in; None where `sha256` alone did.
        is_new: whether it was fetched; else these very bytes were there.
    """

    path: Path
    size: int
    sha256: str
    name: str
    version: str
    verified: Verified | None
    is_new: bool


@dataclass(frozen=True)
class _Task:
    """What to fetch, and what it has to be."""

    bundle: Address
    signature: Address | None
    trust: TrustStore
    sha256: str | None
    limits: Limits
    progress: Progress


def fetch(
    url: str,
    target: Path | None = None,
    *,
    trust: TrustStore,
    sha256: str | None = None,
    signature: str | None = None,
    limits: Limits | None = None,
    progress: Progress = lambda transfer: None,
) -> Fetched:
    """A bundle of a store, verified, under its name on this machine, with its signature beside it.

    Every member is verified, and nothing in it is run. Until all that is done, nothing stands under the bundle's name
    that did not stand there before.

    Args:
        url: of the bundle; or a path.
        target: what the file is called, or the folder that it goes to; as in the address and here, if it is not said.
        trust: whose signature lets it in.
        sha256: what the bundle must have, in hexadecimal; then it need not be signed, but a signature must be good.
        signature: where that is, if it is not beside the bundle.
        limits: how much and how slowly it may arrive.
        progress: told, every time that some bytes have arrived.

    Raises:
        UsageError: the address, or the place that it goes to, is none.
        EnvironmentMismatch: what speaks to this kind of store is not installed.
        BundleError: it is damaged, or another one than was asked for.
        Untrusted: it is not signed by who is trusted for it, and no `sha256` was said.
        LadingError: it cannot be fetched.
    """
    address = read_address(url)
    beside = read_address(signature) if signature else address.signature
    task = _Task(address, beside, trust, _digest(sha256), limits or Limits(), progress)
    path = _target(address, target)
    with _folder_beside(path) as folder, _named_as_kept(folder):
        return _fetch(task, path, folder / path.name)


def _digest(text: str | None) -> str | None:
    if text is None:
        return None
    digest = text.strip().lower().removeprefix("sha256:")
    if not _DIGEST.fullmatch(digest):
        raise UsageError("`--sha256`: expected 64 hexadecimal digits", hint="sha256sum BUNDLE, where it was packed")
    return digest


def _target(address: Address, target: Path | None) -> Path:
    path = target or Path()
    if target is None or os.path.isdir(target):
        path /= address.name
    if os.path.isdir(path):
        raise UsageError(f"{shown(str(path))} is a folder", hint="say another name: -o FILE")
    return path


@contextlib.contextmanager
def _folder_beside(path: Path) -> Iterator[Path]:
    """A folder for one fetch, on the file system of the path, that only this user can look into; gone afterwards."""
    try:
        folder = path.parent / Path(tempfile.mkdtemp(prefix=".lading-", dir=path.parent)).name
    except OSError as error:
        message = f"cannot write in {shown(str(path.parent))}: {error.strerror or error}"
        raise UsageError(message, hint=f"mkdir -p {path.parent}, or -o FILE") from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _named_as_kept(folder: Path) -> Iterator[None]:
    """A context in which errors say the name that a file is to have, and not where it is until then."""
    try:
        yield
    except LadingError as error:
        error.message = error.message.replace(f"{folder}{os.sep}", "")
        error.args = (error.message,)
        raise


def _fetch(task: _Task, path: Path, arrived: Path) -> Fetched:
    # The signature comes first: who is not trusted has sent 64 KiB, not gigabytes; and it says what will come
    digest = _fetch_signature(task, arrived)
    is_new = not _is_there(path, digest, arrived)
    if is_new:
        _fetch_bundle(task, arrived)
    is_signed = signature_path(arrived).exists()
    with Bundle.open(arrived, task.trust if is_signed else None) as bundle:
        bundle.verify()
        manifest, verified, sha256 = bundle.manifest, bundle.verified, bundle.digest()
    size = arrived.stat().st_size
    _install(arrived, path, is_new=is_new)
    return Fetched(path, size, sha256, manifest.name, manifest.version, verified, is_new)


def _fetch_signature(task: _Task, arrived: Path) -> str:
    """The digest that the bundle must have."""
    limits = Limits(MAX_ENVELOPE_BYTES, task.limits.idle_s)
    try:
        if task.signature is None:
            raise NotThere("no signature is known")
        _write(_transfer(task.signature, limits), signature_path(arrived), lambda transfer: None)
    except NotThere as error:
        return _unsigned_digest(task, error)
    claim = task.trust.claim(arrived)
    if task.sha256 not in (None, claim.digest):
        message = f"what is signed has the sha256 {claim.digest[:12]}…, and not that of --sha256, {task.sha256[:12]}…"
        raise BundleError(message, hint="another bundle has its name by now: which one is wanted?")
    return claim.digest


def _unsigned_digest(task: _Task, missing: NotThere) -> str:
    if task.sha256 is not None:
        return task.sha256
    with contextlib.closing(_transfer(task.bundle, task.limits).pieces()) as pieces:
        next(pieces, None)  # what is not there either is no unsigned bundle
    if task.signature is None:
        raise Untrusted(f"{shown(str(task.bundle))} comes without a signature", hint=_PRESIGNED, code="bundle.unsigned")
    message = f"{shown(str(task.bundle))} is unsigned: there is no {shown(str(task.signature))}"
    raise Untrusted(message, hint=_UNSIGNED, code="bundle.unsigned") from missing


def _is_there(path: Path, digest: str, arrived: Path) -> bool:
    """Whether the path has these bytes already; then they have arrived too, and are verified as any others."""
    with contextlib.suppress(BundleError, OSError):
        with contextlib.closing(RegularFile.open(path)) as file:
            if file.digest() != digest:
                return False
        os.link(path, arrived)  # not every file system can
        return True
    return False


def _fetch_bundle(task: _Task, arrived: Path) -> None:
    digest = _write(_transfer(task.bundle, task.limits), arrived, task.progress)
    if task.sha256 not in (None, digest):
        message = f"{shown(str(task.bundle))} has the sha256 {digest[:12]}…, not {task.sha256[:12]}…"
        raise BundleError(message, hint="another bundle has its name by now, or it was changed on the way")


def _transfer(address: Address, limits: Limits) -> Transfer:
    return Transfer(shown(str(address)), lambda sink: _read(address, sink, limits.idle_s), limits)


def _read(address: Address, sink: Sink, timeout_s: float) -> None:
    match address.scheme:
        case "":
            read_path(address, sink)
        case "ftp":
            read_ftp(address, sink, timeout_s)
        case "hdfs":
            read_hdfs(address, sink)
        case scheme if scheme in OBJECTS:
            read_object(address, sink)
        case _:
            read_web(address, sink, timeout_s)


def _write(transfer: Transfer, path: Path, progress: Progress) -> str:
    """The sha256 of what was written; it is on the disk."""
    digest = hashlib.sha256()
    with contextlib.closing(transfer.pieces()) as pieces, _created(path) as file:
        for piece in pieces:
            digest.update(piece)
            file.write(piece)
            progress(transfer)
    return digest.hexdigest()


@contextlib.contextmanager
def _created(path: Path) -> Iterator[BinaryIO]:
    try:
        # Its folder keeps others out; it may have the mode of any new file, as it will be read by who serves it
        with path.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except LadingError:
        path.unlink()  # a signature that is not there leaves none
        raise
    except OSError as error:
        message = f"cannot write {shown(path.name)} in {shown(str(path.parent.parent))}: {error.strerror or error}"
        raise LadingError(message, hint="is there space left, and may files be as large?") from None


def _install(arrived: Path, path: Path, *, is_new: bool) -> None:
    """Give a bundle and its signature their names.

    Two files cannot be replaced at once. So the old signature goes first, then the bundle is replaced, then the new
    signature comes: whoever looks in between finds the old bundle or the new one without a signature, which is refused
    in production, and never one with the signature of the other, as long as one fetch at a time goes to a name.
    """
    signature, beside = signature_path(arrived), signature_path(path)
    try:
        if is_new:
            beside.unlink(missing_ok=True)
            os.replace(arrived, path)
        if signature.exists():
            os.replace(signature, beside)
    except OSError as error:
        raise UsageError(f"cannot write {shown(str(path))}: {error.strerror or error}") from None
