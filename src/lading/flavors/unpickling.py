"""joblib's unpickler, which looks up names in the author's own modules before it imports installed ones."""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import reduce
from types import ModuleType
from typing import Any


def unpickle(raw: bytes, modules: Mapping[str, ModuleType]) -> Any:
    """The object in a pickle. Runs it: only for what its owner named, or a trusted key signed.

    `__main__` is what `modules` says that it is, for this pickle alone; nothing is put into the running one.

    Args:
        raw: written by joblib or by pickle, decompressed.
        modules: by name.
    """
    from joblib.numpy_pickle import NumpyUnpickler

    class Unpickler(NumpyUnpickler):  # type: ignore[misc]
        def find_class(self, module: str, name: str) -> Any:
            # What a process that another one started calls its own `__main__`.
            module = "__main__" if module == "__mp_main__" else module
            if module in modules:
                return reduce(getattr, name.split("."), modules[module])
            return super().find_class(module, name)

    return Unpickler("", io.BytesIO(raw), ensure_native_byte_order=True).load()
