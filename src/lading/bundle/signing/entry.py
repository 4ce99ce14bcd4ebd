"""One key that is trusted, and for what: a file of the trust store."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from lading.bundle.identity import is_name, is_version
from lading.bundle.signing.keys import PublicKey, short
from lading.bundle.signing.release import is_before, release_of
from lading.bundle.signing.strict_json import NotAsExpected, read_strictly
from lading.errors import Untrusted, UsageError

MAX_ENTRY_BYTES = 64 << 10
_Time = Annotated[datetime, msgspec.Meta(tz=True)]


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A key that is trusted.

    Attributes:
        key_id: sha256 of the key, 64 hexadecimal digits.
        public_key: the key, PEM.
        not_before: before this it is not trusted yet.
        not_after: after this it is not trusted any more.
        revoked_at: when trust in it was taken back; for good, and for whatever it has signed before.
        models: names of the models that it may sign; every model where there are none.
        code: whether it is trusted for programs too: what unpickles or runs Python.
        minimum_versions: of a model, by its name: an earlier version is refused.
    """

    key_id: str
    public_key: str
    not_before: _Time | None = None
    not_after: _Time | None = None
    revoked_at: _Time | None = None
    models: tuple[str, ...] = ()
    code: bool = False
    minimum_versions: dict[str, str] = {}

    @property
    def key(self) -> PublicKey:
        """What its signatures are verified with."""
        return PublicKey.of_pem(self.public_key.encode())

    @property
    def words(self) -> str:
        """For what it is trusted: `iris, churn; data only; until 2027-12-31`."""
        said = [", ".join(self.models) or "every model", "code too" if self.code else "data only"]
        said += [f"{name} {version} or later" for name, version in self.minimum_versions.items()]
        times = {"from": self.not_before, "until": self.not_after, "revoked": self.revoked_at}
        said += [f"{word} {time:%Y-%m-%d}" for word, time in times.items() if time is not None]
        return "; ".join(said)

    def state(self, now: datetime) -> Literal["good", "not yet", "expired", "revoked"]:
        """Whether the key is trusted at this time."""
        if self.revoked_at is not None:
            return "revoked"
        if self.not_before is not None and now < self.not_before:
            return "not yet"
        return "expired" if self.not_after is not None and now > self.not_after else "good"

    def refuse_time(self, now: datetime) -> None:
        """Nothing, where the key is trusted now.

        Raises:
            Untrusted: it is revoked, not trusted yet, or no more.
        """
        key, state = f"key {short(self.key_id)}", self.state(now)
        if state == "revoked":
            raise Untrusted(f"{key} was revoked", hint="sign with a key that is not", code="bundle.revoked_key")
        if state == "not yet":
            raise Untrusted(f"{key} is not trusted before {self.not_before:%Y-%m-%d}", code="bundle.expired_key")
        if state == "expired":
            hint = "sign with a newer key, or trust this one longer: lading trust add KEY --not-after DATE"
            raise Untrusted(f"{key} was trusted until {self.not_after:%Y-%m-%d}", hint=hint, code="bundle.expired_key")

    def refuse_model(self, name: str, version: str) -> None:
        """Nothing, where the key is trusted for this version of a model.

        Raises:
            Untrusted: it is not trusted for this model, or only for later versions.
        """
        if self.models and name not in self.models:
            message = f"key {short(self.key_id)} is not trusted for the model `{name}`"
            hint = f"if it should be: lading trust add KEY --model {name}"
            raise Untrusted(message, hint=hint, code="bundle.model")
        minimum = self.minimum_versions.get(name)
        if minimum is not None and is_before(version, minimum):
            message = f"`{name}` {version} is not {minimum} or later, as its key asks"
            raise Untrusted(message, hint="serve a later version", code="bundle.old_version")


def encode_entry(entry: Entry) -> bytes:
    """The file of an entry: JSON that people can read."""
    return msgspec.json.format(msgspec.json.encode(entry), indent=2) + b"\n"


def decode_entry(data: bytes) -> Entry:
    """The entry in a file.

    Raises:
        NotAsExpected: it is none, or what it says does not fit together.
    """
    entry = read_strictly(data, Entry)
    try:
        check_entry(entry)
    except UsageError as error:
        raise NotAsExpected(error.message) from None
    return entry


def check_entry(entry: Entry) -> None:
    """Nothing, where what an entry says can be.

    Raises:
        UsageError: it cannot; says why.
    """
    if entry.key.key_id != entry.key_id:
        raise UsageError("the id is not that of the key")
    for name in (*entry.models, *entry.minimum_versions):
        if not is_name(name):
            raise UsageError("a name of a model has other characters than it may have")
    for version in entry.minimum_versions.values():
        if not is_version(version) or release_of(version) is None:
            raise UsageError("a minimum version begins with a number, as 1.2.0")
