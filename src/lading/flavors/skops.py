"""scikit-learn saved with skops, a format that names types and runs nothing; strange types are refused."""

from __future__ import annotations

import json
import zipfile
from io import BytesIO
from typing import Any

from lading.bundle.archive import is_archive
from lading.errors import FormatError, UnsupportedModel
from lading.flavors.flavor import Needs
from lading.flavors.sklearn import SklearnModel

_SCHEMA = "schema.json"
_MAX_SCHEMA_BYTES = 256 << 20


class SkopsFlavor:
    """skops files."""

    name = "skops"
    suffixes = (".skops",)
    distribution = "skops"
    extra = "sklearn"

    def recognizes(self, data: bytes) -> bool:
        """Whether the bytes are a zip that skops wrote."""
        if not data.startswith(b"PK") or is_archive(data):
            return False
        try:
            with zipfile.ZipFile(BytesIO(data)) as file:
                return _SCHEMA in file.namelist()
        except zipfile.BadZipFile:
            return False

    def needs(self, data: bytes) -> Needs:
        """The class and the versions that the file's own schema names."""
        schema = _read_schema(data)
        kind = f"{schema.get('__module__', '?')}.{schema.get('__class__', '?')}"
        return Needs(kind, {"scikit-learn": None, "skops": None})

    def load(self, data: bytes) -> SklearnModel:
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
            model = skops.io.loads(data)
        except (zipfile.BadZipFile, KeyError, ValueError, TypeError, AttributeError, OSError) as error:
            raise FormatError(
                f"the skops file is broken: {type(error).__name__}", hint="save the model again"
            ) from error
        return SklearnModel(model)

    def dump(self, model: object) -> tuple[str, bytes] | None:
        """None: a Python object is saved with joblib unless its author saved it with skops."""
        return None


def _read_schema(data: bytes) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(BytesIO(data)) as file:
            if file.getinfo(_SCHEMA).file_size > _MAX_SCHEMA_BYTES:
                raise FormatError(f"the schema in the skops file is larger than {_MAX_SCHEMA_BYTES >> 20} MiB")
            schema: dict[str, Any] = json.loads(file.read(_SCHEMA))
            return schema
    except (zipfile.BadZipFile, KeyError, ValueError, RecursionError) as error:
        raise FormatError(f"the skops file is broken: {type(error).__name__}", hint="save the model again") from error
