"""The notebook or script that runs now: its source so far, and what its names hold."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TypeGuard

from lading.bundle.rescue.notebook import MAX_CODE_CHARS, Source, numbered_cell, read_source
from lading.errors import FormatError

__all__ = ["live_source", "live_values"]


def live_source() -> Source | None:
    """The source of `__main__`: the cells that were run in a notebook, else the script's file; None in a plain shell.

    Raises:
        FormatError: more code was run than anybody would read.
    """
    main = sys.modules.get("__main__")
    if main is None:
        return None
    history = _history(main)
    if history is None:
        return _script(main)
    cells = tuple(numbered_cell(text, count) for count, text in enumerate(history) if text.strip())
    if sum(len(cell.text) for cell in cells) > MAX_CODE_CHARS:
        hint = "restart it, and run only the cells that make the model"
        raise FormatError(f"the notebook has run more than {MAX_CODE_CHARS >> 20} MiB of code", hint=hint)
    return Source("the notebook", cells)


def live_values(names: Iterable[str] | None = None) -> Mapping[str, object]:
    """What the names of `__main__` hold now: all of them, or those asked for that are there."""
    main = sys.modules.get("__main__")
    held = {} if main is None else dict(vars(main))
    return held if names is None else {name: held[name] for name in names if name in held}


def _history(main: ModuleType) -> list[str] | None:
    """The cells as they were typed, each at the number that IPython gave it; else as IPython rewrote them."""
    get_shell = vars(main).get("get_ipython")
    if callable(get_shell):
        typed = getattr(getattr(get_shell(), "history_manager", None), "input_hist_raw", None)
        rewritten = vars(main).get("In")
        return next((list(texts) for texts in (typed, rewritten) if _is_texts(texts)), None)
    return None


def _is_texts(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _script(main: ModuleType) -> Source | None:
    file = vars(main).get("__file__")
    if not isinstance(file, str):
        return None
    path = Path(file)
    name = path.name if path.suffix == ".py" else f"{path.name}.py"
    try:
        return read_source(name, path.read_bytes())
    except (OSError, FormatError):
        return None
