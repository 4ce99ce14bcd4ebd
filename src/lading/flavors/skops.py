"""scikit-learn saved with skops, a format that names types and runs nothing; strange types are refused."""

from __future__ import annotations

import json
import re
import zipfile
from io import BytesIO
from typing import Any

from lading.bundle.archive import is_archive
from lading.bundle.environment import installed_version
from lading.bundle.signing.release import is_before
from lading.errors import FormatError, LadingError, UnsupportedModel
from lading.flavors.estimator import FORK_SAFE, SklearnModel, versions_said
from lading.flavors.flavor import NO_SUPPORT, Needs, Support

_SCHEMA = "schema.json"
_MAX_SCHEMA_BYTES = 256 << 20
_VERSION = re.compile(r'"([0-9][0-9A-Za-z.+!_-]{0,63})"')
"""A version as JSON within JSON, which is how skops keeps a text."""


class SkopsFlavor:
    """skops files."""

    name = "skops"
    suffixes = (".skops",)
    distribution = "scikit-learn"
    extra = "sklearn"
    fork_safe = FORK_SAFE

    @property
    def runs_code(self) -> bool:
        """Not from skops 0.13 on: before, a file could call what it did not name (CVE-2025-54412, 54413, 54886)."""
        return is_before(installed_version("skops") or "0", "0.13")

    def recognizes(self, data: bytes) -> bool:
        """Whether the bytes are a zip that skops wrote."""
        if not data.startswith(b"PK") or is_archive(data):
            return False
        try:
            with zipfile.ZipFile(BytesIO(data)) as file:
                return _SCHEMA in file.namelist()
        except Exception:  # of a broken zip file `zipfile` raises whatever comes
            return False

    def needs(self, data: bytes) -> Needs:
        """The class and the versions that the file's own schema names."""
        schema = _read_schema(data)
        kind = f"{schema.get('__module__', '?')}.{schema.get('__class__', '?')}"
        return Needs(kind, {"scikit-learn": _saved_with(schema), "skops": None})

    def load(self, data: bytes, support: Support = NO_SUPPORT) -> SklearnModel:
        """The estimator, built only from types that skops trusts.

        Raises:
            UnsupportedModel: the file names types that skops does not trust.
        """
        import skops.io

        try:
            strange = skops.io.get_untrusted_types(data=data)
            if strange:
                names = ", ".join(strange[:5])
                raise UnsupportedModel(
                    f"the file names types that skops does not trust: {names}",
                    hint="if you trust the file, load it and save the model with joblib",
                )
            with versions_said():
                return SklearnModel(skops.io.loads(data))
        except LadingError:
            raise
        except Exception as error:  # what is built runs code of its own class, which may raise anything
            raise _broken(error) from error

    def dump(self, model: object) -> tuple[str, bytes] | None:
        """None: a Python object is saved with joblib unless its author saved it with skops."""
        return None


def _read_schema(data: bytes) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(BytesIO(data)) as file:
            if file.getinfo(_SCHEMA).file_size > _MAX_SCHEMA_BYTES:
                raise FormatError(f"the schema in the skops file is larger than {_MAX_SCHEMA_BYTES >> 20} MiB")
            schema = json.loads(file.read(_SCHEMA))
    except LadingError:
        raise
    except Exception as error:  # of a broken zip file `zipfile` raises whatever comes
        raise _broken(error) from error
    if not isinstance(schema, dict):
        raise FormatError("the schema in the skops file is not an object", hint="save the model again")
    return schema


def _broken(error: Exception) -> FormatError:
    return FormatError(f"the skops file is broken: {type(error).__name__}", hint="save the model again")


def _saved_with(schema: dict[str, Any]) -> str | None:
    """The version of scikit-learn that an estimator in the file says it was saved with."""
    nodes: list[Any] = [schema]
    while nodes:
        node = nodes.pop()
        if isinstance(node, dict):
            found = _VERSION.fullmatch(str(_content(node.get("_sklearn_version"))))
            if found:
                return found[1]
            nodes.extend(node.values())
        elif isinstance(node, list):
            nodes.extend(node)
    return None


def _content(node: Any) -> Any:
    return node.get("content") if isinstance(node, dict) else None
