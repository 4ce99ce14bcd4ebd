"""Your trained model, as a production service: one command, no code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lading.engine.loading import load
    from lading.engine.model import Model
    from lading.engine.packing import Packed, pack
    from lading.errors import InputError, LadingError
    from lading.serve.composition import asgi

__version__ = "0.1.0"

# Public names and where they live: loaded when they are asked for, so that `import lading` loads no ML library.
_HOMES = {
    "InputError": "lading.errors",
    "LadingError": "lading.errors",
    "Model": "lading.engine.model",
    "Packed": "lading.engine.packing",
    "asgi": "lading.serve.composition",
    "load": "lading.engine.loading",
    "pack": "lading.engine.packing",
}

__all__ = ["InputError", "LadingError", "Model", "Packed", "__version__", "asgi", "load", "pack"]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'lading' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
