"""Models of strange manners, in a module of their own, as their authors would have them."""

import os
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin

HELD, RAISING, LEAVING, WARNING = 77.0, 13.0, 14.0, 15.0
"""What rows have that wait at the gate, or make the model raise, call `sys.exit`, or warn."""


def pass_gate(folder: str) -> None:
    """Say that somebody is here, and wait until one is let through."""
    with Path(folder, "entered").open("wb", buffering=0) as entered:
        entered.write(b".")
    with Path(folder, "released").open("rb", buffering=0) as released:
        released.read(1)


class Odd(RegressorMixin, BaseEstimator):
    """Doubles its one column; `loads_at` and `predicts_at` are folders of gates."""

    def __init__(self, loads_at: str = "", predicts_at: str = "") -> None:
        self.loads_at = loads_at
        self.predicts_at = predicts_at

    def fit(self, X: Any, y: Any = None) -> "Odd":
        self.n_features_in_ = 1
        return self

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if self.loads_at:
            pass_gate(self.loads_at)

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
        return x * float(os.environ.get("ODD_FACTOR", "2"))
