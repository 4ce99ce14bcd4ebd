"""What an image holds, as a CycloneDX document: https://cyclonedx.org/docs/1.6/json/."""

from __future__ import annotations

import platform
import re
from importlib.metadata import Distribution, distributions
from typing import Any
from urllib.parse import quote

from lading import __version__
from lading.bundle.manifest import Manifest

_MAX_LICENSE_CHARS = 100


def sbom(manifest: Manifest, digest: str) -> dict[str, Any]:
    """Every distribution that this Python finds, Python itself, and the model.

    The packages of the system are not in it: tools that look at images know them from the system's own list.

    Args:
        manifest: of the model.
        digest: sha256 of its bundle, in hex.
    """
    libraries = sorted((_library(each) for each in distributions()), key=lambda each: str(each["name"]))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "lading", "version": __version__}]},
            "component": _model(manifest, digest),
        },
        "components": [_python(), *libraries],
    }


def _model(manifest: Manifest, digest: str) -> dict[str, Any]:
    return {
        "type": "machine-learning-model",
        "bom-ref": f"{manifest.name}@{manifest.version}",
        "name": manifest.name,
        "version": manifest.version,
        "description": manifest.class_name,
        "hashes": [{"alg": "SHA-256", "content": digest}],
    }


def _python() -> dict[str, Any]:
    version = platform.python_version()
    purl = f"pkg:generic/python@{version}"
    return {"type": "platform", "bom-ref": purl, "name": "python", "version": version, "purl": purl}


def _library(found: Distribution) -> dict[str, Any]:
    name = re.sub(r"[-_.]+", "-", found.name).lower()
    purl = f"pkg:pypi/{name}@{quote(found.version, safe='')}"
    library = {"type": "library", "bom-ref": purl, "name": name, "version": found.version, "purl": purl}
    return library | _license(found)


def _license(found: Distribution) -> dict[str, Any]:
    """What a distribution says of its license: an SPDX expression where it says one, else the name that it gives."""
    said = found.metadata.json
    if expression := said.get("license_expression"):
        return {"licenses": [{"expression": expression}]}
    name = str(said.get("license", ""))
    if not name.isprintable() or not 0 < len(name) <= _MAX_LICENSE_CHARS:
        return {}
    return {"licenses": [{"license": {"name": name}}]}
