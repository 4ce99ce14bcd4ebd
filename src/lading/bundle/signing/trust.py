"""The trust store: a folder in which each file is a key that is trusted. Who may write there decides what is served.

It is read whole, and what cannot be read makes all of it count for nothing: an entry that was meant to restrict or to
revoke must not get lost. So a file that is no entry is an error too; hidden ones are passed over.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from lading.bundle.names import shown
from lading.bundle.regular_file import replace_file
from lading.bundle.signing.entry import MAX_ENTRY_BYTES, Entry, check_entry, decode_entry, encode_entry
from lading.bundle.signing.keys import PublicKey, short
from lading.bundle.signing.signature import read_signature, signed_digest
from lading.bundle.signing.strict_json import NotAsExpected
from lading.bundle.signing.verified import Verified
from lading.errors import LadingError, Untrusted, UsageError, name_of
from lading.settings import config_folder

SUFFIX = ".json"
_BROKEN = "trust.invalid"
# Not "remove it": who names a wrong folder would remove what belongs there.
_WHAT_IT_IS = "a trust store holds nothing but entries that `lading trust add` writes; --trust names its folder"

Clock = Callable[[], datetime]


def trust_folder() -> Path:
    """Where the keys are that this user trusts, unless another folder is named."""
    return config_folder() / "trust"


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Claim:
    """What a trusted key has signed: that the bytes of a bundle have this digest. Nothing of it was compared yet."""

    entry: Entry
    digest: str
    now: datetime

    def accept(self, name: str, version: str) -> Verified:
        """What is known of the bundle, now that its bytes have the digest and its manifest was read.

        Raises:
            Untrusted: the key is not trusted for this version of this model.
        """
        self.entry.refuse_model(name, version)
        return Verified(self.entry.key_id, self.digest, self.now, self.entry.code)


class TrustStore:
    """The keys that are trusted, as they were when the folder was read.

    Attributes:
        folder: where they are.
        entries: by the path of their files.
        now: what time it is.
    """

    def __init__(self, folder: Path, entries: Mapping[Path, Entry], clock: Clock = _now) -> None:
        self.folder = folder
        self.entries = entries
        self.now = clock
        self._by_id = {entry.key_id: entry for entry in entries.values()}

    @classmethod
    def read(cls, folder: str | Path = "", clock: Clock = _now) -> TrustStore:
        """The store in a folder, or in the user's own; one that is not there trusts nobody.

        Raises:
            Untrusted: a file in it is no entry, or cannot be read; says which.
        """
        folder = Path(folder) if str(folder) else trust_folder()
        entries: dict[Path, Entry] = {}
        for path in _files(folder):
            entry = _read_entry(path)
            if any(other.key_id == entry.key_id for other in entries.values()):
                raise _broken(path, f"another file has key {short(entry.key_id)} too")
            entries[path] = entry
        return cls(folder, entries, clock)

    def claim(self, bundle: Path) -> Claim:
        """What a key that is trusted now says of the bundle at a path, of which nothing but the signature is read.

        Raises:
            Untrusted: there is no signature, it is not good, or not of such a key.
        """
        try:
            return self._claim(bundle)
        except LadingError:
            raise
        # Whatever goes wrong in here is a refusal.
        except Exception as error:
            message = f"the signature of {shown(str(bundle))} cannot be verified: {name_of(error)}"
            raise Untrusted(message, code="bundle.signature") from error

    def _claim(self, bundle: Path) -> Claim:
        envelope = read_signature(bundle)
        entry = self._by_id.get(envelope.key_id)
        if entry is None:
            message = f"{shown(str(bundle))} is signed by an unknown key id, {short(envelope.key_id)}"
            hint = f"{self.in_words}; if you know whose it is: lading trust add THEIR.pub{self._option}"
            raise Untrusted(message, hint=hint, code="bundle.unknown_key")
        digest = signed_digest(bundle, envelope, entry.key)
        now = self.now()
        entry.refuse_time(now)
        return Claim(entry, digest, now)

    @property
    def _option(self) -> str:
        """What names its folder on a command line."""
        return "" if self.folder == trust_folder() else f" --trust {shlex.quote(str(self.folder))}"

    @property
    def in_words(self) -> str:
        """How many keys it has: `trust has 2 trusted keys`, or that there is no such folder."""
        if not self.folder.exists():
            return f"there is no folder {self.folder}"
        count = len(self.entries)
        return f"{self.folder} has {count or 'no'} trusted key{'s' * (count != 1)}"

    def find(self, key_id: str) -> tuple[Path, Entry]:
        """The one entry whose key's id begins like this, and its file.

        Raises:
            UsageError: there is none, or there are several.
        """
        prefix = key_id.removesuffix("…").lower()
        found = [item for item in self.entries.items() if prefix and item[1].key_id.startswith(prefix)]
        if len(found) != 1:
            message = f"{len(found) or 'no'} trusted keys have an id that begins with {shown(prefix)}"
            raise UsageError(message, hint=f"lading trust list{self._option}")
        return found[0]

    def add(self, key: PublicKey, change: Callable[[Entry], Entry]) -> tuple[Path, Entry]:
        """The entry of a key that is trusted from now on, changed as asked, and its file.

        Raises:
            UsageError: the key was revoked, the entry cannot be, or it cannot be written.
        """
        known = {entry.key_id: (path, entry) for path, entry in self.entries.items()}
        new = self.folder / f"{key.key_id}{SUFFIX}", Entry(key_id=key.key_id, public_key=key.pem)
        path, entry = known.get(key.key_id, new)
        if entry.revoked_at is not None:
            hint = f"sign with another one: lading keygen; or, if it was a mistake, remove {path} and add the key again"
            raise UsageError(f"key {short(key.key_id)} was revoked", hint=hint)
        changed = change(entry)
        check_entry(changed)
        _write(path, changed)
        return path, changed

    def revoke(self, key_id: str) -> Entry:
        """The entry of a key that is not trusted any more; the file stays, so that nobody adds the key again unseen.

        Raises:
            UsageError: no key, or several, have such an id.
        """
        path, entry = self.find(key_id)
        if entry.revoked_at is None:
            entry = msgspec.structs.replace(entry, revoked_at=self.now().replace(microsecond=0))
            _write(path, entry)
        return entry


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _broken(folder, error.strerror or "it cannot be read") from None


def _read_entry(path: Path) -> Entry:
    if path.suffix != SUFFIX:
        raise _broken(path, "it is no entry of the trust store")
    try:
        if not path.is_file():  # links are well: a container's configuration consists of them
            raise NotAsExpected("it is not a regular file")
        with path.open("rb") as file:
            data = file.read(MAX_ENTRY_BYTES + 1)
        if len(data) > MAX_ENTRY_BYTES:
            raise NotAsExpected(f"it has more than {MAX_ENTRY_BYTES} bytes")
        return decode_entry(data)
    except OSError as error:
        raise _broken(path, error.strerror or "it cannot be read") from None
    except NotAsExpected as reason:
        raise _broken(path, str(reason)) from None


def _broken(path: Path, why: str) -> Untrusted:
    return Untrusted(f"the trust store cannot be read: {shown(str(path))}: {why}", hint=_WHAT_IT_IS, code=_BROKEN)


def _write(path: Path, entry: Entry) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(path, [encode_entry(entry)])
    except OSError as error:
        raise UsageError(f"cannot write {shown(str(path))}: {error.strerror or error}") from error
