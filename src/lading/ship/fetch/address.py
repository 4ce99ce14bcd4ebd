"""Where a bundle is kept: an address of a store, or a path."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from lading.bundle.names import shown
from lading.bundle.signing.signature import SUFFIX
from lading.errors import UsageError
from lading.schema.problems import suggest
from lading.settings import is_loopback

SCHEMES = ("s3", "gs", "az", "https", "http", "ftp", "hdfs")
OBJECTS = frozenset({"s3", "gs", "az"})
_WEB = frozenset({"http", "https"})
_OTHERS = {
    **{"s3a": "s3", "s3n": "s3", "gcs": "gs", "gcp": "gs", "google": "gs"},
    **{"azure": "az", "abfs": "az", "abfss": "az", "adl": "az", "wasb": "az", "wasbs": "az", "blob": "az"},
}
"""What others call these stores."""
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(//)?")
_EXAMPLES = "s3://BUCKET/PATH, gs://BUCKET/PATH, az://CONTAINER/PATH, https://…, ftp://…, hdfs://…, or a path"
_MAX_NAME_BYTES = 255 - len(SUFFIX)


@dataclass(frozen=True)
class Address:
    """Where one file is kept. What is secret in it is in no text of it.

    Attributes:
        scheme: of `SCHEMES`; empty for a path on this machine.
        host: with its port, as it was written; the bucket or the container of a store of objects.
        path: decoded; behind the slash that follows the host.
        secret: the address as it was given, which may hold a password or a query that lets anybody read.
    """

    scheme: str
    host: str
    path: str
    secret: str = field(repr=False)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}/{self.path}" if self.scheme else self.path

    @property
    def parts(self) -> SplitResult:
        """The address as it was given, in its parts."""
        return urlsplit(self.secret)

    @property
    def name(self) -> str:
        """What the file is called.

        Raises:
            UsageError: it has no name, or none that it may have here.
        """
        # The last part as it is written: a slash that is encoded in it would lead elsewhere
        name = unquote(self.parts.path.rpartition("/")[2]) if self.scheme else Path(self.path).name
        if not name:
            message = f"{shown(str(self))} ends with a slash, so it names no file"
            raise UsageError(message, hint="the bundle's own address is needed: …/iris-1.0.0.lading")
        if name.startswith(".") or {"/", "\\"} & {*name} or len(name.encode()) > _MAX_NAME_BYTES:
            raise UsageError(f"{shown(name)} is no name for a bundle here", hint="say another one: -o FILE")
        return name

    @property
    def signature(self) -> Address | None:
        """Where its signature is, beside it; None where that cannot be known, as a query stands for this file alone."""
        if not self.scheme:
            return replace(self, path=self.path + SUFFIX, secret=self.secret + SUFFIX)
        parts = self.parts
        if parts.query:
            return None
        return replace(self, path=self.path + SUFFIX, secret=parts._replace(path=parts.path + SUFFIX).geturl())


def read_address(text: str) -> Address:
    """The address that a text is; nothing is asked of any network.

    Raises:
        UsageError: it is none, or of a kind that bundles are not fetched from.
    """
    match = _SCHEME.match(text)
    if match is None or not (match[2] or not os.path.exists(text)):
        return _path(text)
    scheme = match[1].lower()
    if scheme not in SCHEMES or not match[2]:
        raise _other_scheme(scheme)
    return _url(scheme, text)


def _path(text: str) -> Address:
    if not text:
        raise UsageError("expected the address of a bundle", hint=_EXAMPLES)
    return Address("", "", text, text)


def _url(scheme: str, text: str) -> Address:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
        path = unquote(parts.path, errors="strict").removeprefix("/")
    except ValueError:  # what is wrong is not shown: a password with a slash in it would be
        raise UsageError(f"this is no address of {scheme}", hint=_EXAMPLES) from None
    address = Address(scheme, parts.netloc.rpartition("@")[2], path, text)
    has_host = bool(host) or scheme == "hdfs"  # which may know one by its configuration
    if not has_host or port == 0 or not (host + path).isprintable() or not text.isprintable():
        raise UsageError(f"this is no address of {scheme}", hint=_EXAMPLES)
    _refuse_parts(address, parts)
    return address


def _refuse_parts(address: Address, parts: SplitResult) -> None:
    if address.scheme == "http" and not is_loopback(parts.hostname or ""):
        message = f"{shown(str(address))}: over http anybody on the way can read along; https is needed"
        raise UsageError(message, hint="http:// only on this machine, as http://127.0.0.1:9000/iris-1.0.0.lading")
    if parts.query and address.scheme not in _WEB:
        raise UsageError(f"{shown(str(address))} has a query, which {address.scheme}:// does not take")
    if parts.fragment:
        raise UsageError(f"{shown(str(address))} has something behind a `#`", hint="`%23` is a `#` in a name")
    if parts.username is not None and address.scheme in OBJECTS:
        message = f"{shown(str(address))} is no place for credentials: others see what is on a command line"
        raise UsageError(message, hint="the environment is: AWS_…, GOOGLE_… or AZURE_…")


def _other_scheme(scheme: str) -> UsageError:
    if scheme == "file":
        return UsageError(
            "`file:` is not fetched from", hint="give the path alone: lading fetch models/iris-1.0.0.lading"
        )
    meant = _OTHERS.get(scheme) or (scheme if scheme in SCHEMES else suggest(scheme, SCHEMES))
    question = f"; did you mean `{meant}://`?" if meant else ""
    return UsageError(f"bundles are not fetched from `{scheme}:`{question}", hint=_EXAMPLES)
