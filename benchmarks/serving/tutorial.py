"""What tutorials do with a model file: load it once, and make an array or a frame of each request. For the peers."""

import json
import os
from pathlib import Path
from typing import Any

TYPES = {"float64": float, "str": str | None, "bool": bool}
NULLABLE_TYPES = TYPES | {"float64": float | None}


class Tutorial:
    """The model of the folder that `BENCH_CASE` names."""

    def __init__(self) -> None:
        import joblib

        folder, facts = self._case()
        self.model = joblib.load(folder / "model.joblib")
        self.dtypes: dict[str, str] = facts["dtypes"]
        self.is_frame: bool = facts["is_frame"]

    @staticmethod
    def _case() -> tuple[Path, dict[str, Any]]:
        folder = Path(os.environ["BENCH_CASE"])
        return folder, json.loads((folder / "case.json").read_text())

    @classmethod
    def has_one_row(cls) -> bool:
        """Whether requests have one row, for a peer that serves them otherwise than requests of many."""
        return len(cls._case()[1]["rows"]) == 1

    @property
    def types(self) -> dict[str, Any]:
        """The Python type of each column, for a peer that validates."""
        types = NULLABLE_TYPES if self.is_frame else TYPES
        return {name: types[dtype] for name, dtype in self.dtypes.items()}

    def predict(self, rows: list[list[Any]]) -> list[Any]:
        """The predictions of rows in the columns' order."""
        if not self.is_frame:
            import numpy as np

            return list(self.model.predict(np.array(rows)).tolist())
        import pandas as pd

        frame = pd.DataFrame(rows, columns=list(self.dtypes)).astype(self.dtypes)
        return list(self.model.predict(frame).tolist())
