"""Lading itself as a wheel, where it was not installed from an index: what is shipped runs the very code that ships it.

A wheel is a zip of the package and of what is known about it (https://packaging.python.org/specifications/binary-distribution-format).
"""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import NamedTuple

from lading import __version__

WHEELS_FOLDER = "wheels"
_TIME = (1980, 1, 1, 0, 0, 0)
_WHEEL = b"Wheel-Version: 1.0\nGenerator: lading\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_PARTS = ("METADATA", "entry_points.txt")


class Wheel(NamedTuple):
    """A wheel.

    Attributes:
        path: where it is shipped, within the folder.
        data: its bytes, the same for the same code.
    """

    path: str
    data: bytes

    @property
    def digest(self) -> str:
        """Its sha256, in hex."""
        return hashlib.sha256(self.data).hexdigest()


@cache
def own_wheel() -> Wheel | None:
    """The wheel of the Lading that runs; None where pip finds this version on an index."""
    installed = distribution("lading")
    # Of what was installed from elsewhere: https://packaging.python.org/specifications/direct-url
    if installed.read_text("direct_url.json") is None:
        return None
    name = f"lading-{__version__}"
    files = dict(_package()) | dict(_about(installed, f"{name}.dist-info"))
    files[f"{name}.dist-info/RECORD"] = _record(files, f"{name}.dist-info/RECORD")
    return Wheel(f"{WHEELS_FOLDER}/{name}-py3-none-any.whl", _zip(files))


def _package() -> Iterator[tuple[str, bytes]]:
    root = Path(__file__).parents[1]
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            yield f"lading/{path.relative_to(root).as_posix()}", path.read_bytes()


def _about(installed: Distribution, folder: str) -> Iterator[tuple[str, bytes]]:
    yield f"{folder}/WHEEL", _WHEEL
    for part in _PARTS:
        if (text := installed.read_text(part)) is not None:
            yield f"{folder}/{part}", text.encode()


def _record(files: Mapping[str, bytes], own: str) -> bytes:
    """Each file with its digest and its size; the list itself stands in it without."""
    digests = {
        name: base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        for name, data in files.items()
    }
    lines = [f"{name},sha256={digests[name]},{len(data)}\n" for name, data in files.items()]
    return "".join([*lines, f"{own},,\n"]).encode()


def _zip(files: Mapping[str, bytes]) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, _TIME)
            entry.external_attr = 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return body.getvalue()
