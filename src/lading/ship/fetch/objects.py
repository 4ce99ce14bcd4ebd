"""From a store of objects: S3, Google Cloud Storage, Azure Blob Storage, and what speaks as they do. obstore speaks.

Credentials, endpoints and whatever else a client needs are what obstore finds in its environment. Naming any option of
a client here would replace all of those, such as `AWS_ALLOW_HTTP`; so a large object is asked for in parts, each of
which is there within the 30 s that are its default.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from lading.bundle.names import shown
from lading.errors import BundleError, EnvironmentMismatch, LadingError
from lading.ship.fetch.address import Address
from lading.ship.fetch.transfer import PIECE_BYTES, NotThere, Sink

_PART_BYTES = 8 << 20
_NO_CONTAINER = re.compile(r"NoSuchBucket|ContainerNotFound|specified bucket does not exist")
_MACHINE = re.compile(r"169\.254\.|/latest/api/token|computeMetadata/|metadata/identity|token request")
"""Asking the cloud for the role of this machine, which comes last, has failed."""
_NO_CREDENTIALS = re.compile(r"credential|Access Key|Account must", re.IGNORECASE)
_STATUS = re.compile(r"status code: (\d{3})")
_CREDENTIALS = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; for a public bucket AWS_SKIP_SIGNATURE=true",
    "gs": "gcloud auth application-default login, or GOOGLE_APPLICATION_CREDENTIALS=FILE",
    "az": "set AZURE_STORAGE_ACCOUNT_NAME, and AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_KEY",
}
_ENDPOINTS = {"s3": "AWS_ENDPOINT_URL", "gs": "GOOGLE_SERVICE_ACCOUNT", "az": "AZURE_STORAGE_ENDPOINT"}
_PREFIXES = {"s3": "AWS", "gs": "GOOGLE", "az": "AZURE"}
_CAUSES = (
    ("BadScheme", "http is not allowed"),
    ("without LOCATION", "the bucket is in another region: AWS_REGION"),
    ("dns error", "the name of its host is not known"),
    ("InvalidCertificate", "its certificate is not good"),
    ("InvalidMessage", "TLS fails"),
    ("timed out", "no answer in time"),
    ("TimedOut", "no answer in time"),
    ("tcp connect error", "no connection"),
)


def read_object(address: Address, sink: Sink) -> None:
    """Read an object.

    Raises:
        NotThere: the store has no such object.
        EnvironmentMismatch: obstore is not installed.
        LadingError: the store does not give it.
    """
    try:
        import obstore
        from obstore.store import from_url
    except ModuleNotFoundError as error:
        message = f"obstore, which speaks to {address.scheme}://, is not installed"
        raise EnvironmentMismatch(message, hint='pip install "lading[fetch]"') from error
    try:
        store: Any = from_url(
            f"{address.scheme}://{address.host}",
            retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=30)},
        )
        _read_parts(obstore, store, address, sink)
    except (LadingError, KeyboardInterrupt):
        raise
    except BaseException as error:  # where an address of an endpoint is none, it panics, which is no Exception
        if type(error).__module__.startswith(("obstore", "pyo3")) or isinstance(error, OSError | ValueError):
            raise _failed(address, error) from None
        raise


def _read_parts(obstore: Any, store: Any, address: Address, sink: Sink) -> None:
    start, size, tag = 0, 1, None
    while start < size:
        result = obstore.get(store, address.path, options={"range": (start, start + _PART_BYTES)})
        found = result.meta["size"], result.meta["e_tag"]
        if start and found != (size, tag):
            raise LadingError(f"{shown(str(address))} was replaced while it was fetched", hint="try again")
        size, tag = found
        sink.size = size
        for piece in result.stream(min_chunk_size=PIECE_BYTES):
            start += len(piece)
            sink.write(piece)


def _failed(address: Address, error: BaseException) -> LadingError:
    where, text = shown(str(address)), str(error)
    found = _STATUS.search(text)
    status = int(found[1]) if found else 0
    if isinstance(error, FileNotFoundError):
        return _missing(address, where, text)
    if status in (401, 403) and not _MACHINE.search(text):
        hint = f"may they read it, and list what is there? {_CREDENTIALS[address.scheme]}"
        return LadingError(f"{where} cannot be fetched: the store refuses these credentials", hint=hint)
    if _MACHINE.search(text) or _NO_CREDENTIALS.search(text):
        return LadingError(f"{where} cannot be fetched: no credentials are found", hint=_CREDENTIALS[address.scheme])
    if status == 416:
        return BundleError(f"{where} is empty", hint="was it uploaded whole?")
    return LadingError(f"{where} cannot be fetched: {_cause(text, status)}", hint=_hint(address, text))


def _missing(address: Address, where: str, text: str) -> LadingError:
    kind = "container" if address.scheme == "az" else "bucket"
    if _NO_CONTAINER.search(text):
        return LadingError(f"there is no {kind} {shown(address.host)}, where {where} would be", hint=_hint(address, ""))
    return NotThere(f"there is no {where}", hint=f"what is in the {kind}? Upper and lower case are not the same")


def _cause(text: str, status: int) -> str:
    cause = next((cause for sign, cause in _CAUSES if sign in text), "")
    return cause or (f"the store answers {status}" if status else "what answers is no such store")


def _hint(address: Address, text: str) -> str:
    prefix = _PREFIXES[address.scheme]
    if "BadScheme" in text:
        return f"its endpoint begins with http://, which {prefix}_ALLOW_HTTP=true allows"
    if "InvalidCertificate" in text:
        return "SSL_CERT_FILE names the certificates of authorities, where those of the system do not do"
    return f"the store is the one of {_ENDPOINTS[address.scheme]}, if that is set"
