"""Models of strange manners, in a module of their own, as their authors would have them."""

import ctypes
import os
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin

HELD, RAISING, LEAVING, WARNING, MISCHIEF = 77.0, 13.0, 14.0, 15.0, 78.0
"""What rows have that wait at the gate, or make the model raise, call `sys.exit`, warn, or do what it was made for."""


def pass_gate(folder: str) -> None:
    """Say that somebody is here, and wait until one is let through."""
    with Path(folder, "entered").open("wb", buffering=0) as entered:
        entered.write(b".")
    with Path(folder, "released").open("rb", buffering=0) as released:
        released.read(1)


def interrupt() -> None:
    raise KeyboardInterrupt


DEEDS: dict[str, Callable[[], object]] = {
    "exit": lambda: os._exit(3),
    "fork": os.fork,
    "hold": lambda: ctypes.PyDLL(None).sleep(1000),  # native code that does not let go of the interpreter
    "hold 3 s": lambda: ctypes.PyDLL(None).sleep(3),
    "interrupt": interrupt,
    "thread": threading.Thread(target=threading.Event().wait, daemon=False).start,
}
"""What a model may do that no model should."""


class Odd(RegressorMixin, BaseEstimator):
    """Doubles its one column.

    Args:
        loads_at: a folder of a gate, to wait at while it is loaded.
        predicts_at: the same, while it predicts.
        loads_with: a deed to do while it is loaded, behind the gate.
        predicts_with: the same, while it predicts.
        needs: an object of any library, which is loaded with it.
    """

    def __init__(
        self,
        loads_at: str = "",
        predicts_at: str = "",
        loads_with: str = "",
        predicts_with: str = "",
        needs: object = None,
    ) -> None:
        self.loads_at = loads_at
        self.predicts_at = predicts_at
        self.loads_with = loads_with
        self.predicts_with = predicts_with
        self.needs = needs

    def fit(self, X: Any, y: Any = None) -> "Odd":
        self.n_features_in_ = 1
        return self

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if self.loads_at:
            pass_gate(self.loads_at)
        if self.loads_with:
            DEEDS[self.loads_with]()

    def predict(self, X: Any) -> Any:
        x = np.asarray(X)[:, 0]
        if (x == RAISING).any():
            raise ValueError(f"what a value: {x}")
        if (x == LEAVING).any():
            sys.exit(f"what a value: {x}")
        if (x == WARNING).any():
            warnings.warn(f"what a value: {x}", stacklevel=1)
        if (x == HELD).any():
            pass_gate(self.predicts_at)
        if (x == MISCHIEF).any():
            DEEDS[self.predicts_with]()
        return x * float(os.environ.get("ODD_FACTOR", "2"))
