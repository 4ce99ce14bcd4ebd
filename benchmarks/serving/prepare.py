"""The cases: trains their models, packs them, and writes the rows that are asked, with the predictions expected.

Runs in Lading's environment: `python -m benchmarks.serving.prepare FOLDER CASE...`.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import joblib
import numpy as np
import pandas as pd
from sklearn import datasets
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import lading

LARGE_ROWS = 10_000


class Made(NamedTuple):
    """A fitted model, the frame that it was fitted on, and the rows of that frame that are asked."""

    model: Any
    frame: pd.DataFrame
    asked: pd.DataFrame
    words: str
    is_frame: bool = False
    compile: Literal["require", "never"] = "require"


def named(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with columns that are names in Python, as tutorials write them."""
    return frame.rename(columns=lambda name: name.replace(" (cm)", "").replace(" ", "_"))


def iris() -> Made:
    data = datasets.load_iris(as_frame=True)
    frame = named(data.data)
    model = make_pipeline(StandardScaler(), LogisticRegression())
    model.fit(frame.to_numpy(), data.target_names[data.target])
    return Made(model, frame, frame[:1], "StandardScaler, LogisticRegression; 4 numbers")


def forest() -> Made:
    data = datasets.load_breast_cancer(as_frame=True)
    frame = named(data.data)
    model = RandomForestClassifier(100, random_state=0).fit(frame.to_numpy(), data.target_names[data.target])
    words = "RandomForestClassifier, 100 trees, not compiled; 30 numbers"
    return Made(model, frame, frame[:1], words, compile="never")


def slow() -> Made:
    """Each row costs the same, in a batch too: so a generator on the same machine can ask for far too much."""
    X, y = datasets.make_classification(50_000, 30, n_informative=20, random_state=0)
    frame = pd.DataFrame(X.round(3), columns=columns(30))
    model = KNeighborsClassifier(algorithm="brute", metric="manhattan").fit(
        frame.to_numpy(), np.array(["no", "yes"])[y]
    )
    words = "KNeighborsClassifier, by distances to 50,000 rows, not compiled; 30 numbers"
    return Made(model, frame, frame[:1], words, compile="never")


def mixed() -> Made:
    from tests.mixed import COLUMNS, mixed_frame, mixed_pipeline

    frame = mixed_frame(4000)
    X = frame[COLUMNS].astype({name: "float64" for name in COLUMNS if frame[name].dtype.kind in "if"})
    X = X.astype({name: "str" for name in COLUMNS if X[name].dtype.kind not in "fb"})
    model = mixed_pipeline(LogisticRegression(max_iter=1000)).fit(X, frame["churned"])
    gaps = X[X["income"].isna() & X["city"].notna()]
    words = "ColumnTransformer, LogisticRegression; 3 numbers, one of them missing, 2 categories, 2 booleans"
    return Made(model, X, gaps[:1], words, is_frame=True)


def large() -> Made:
    data = datasets.load_breast_cancer(as_frame=True)
    frame = named(data.data)
    model = make_pipeline(StandardScaler(), LogisticRegression())
    model.fit(frame.to_numpy(), data.target_names[data.target])
    asked = frame.sample(LARGE_ROWS, replace=True, random_state=0).reset_index(drop=True)
    return Made(model, frame, asked, "StandardScaler, LogisticRegression; 10,000 rows of 30 numbers in one request")


def columns(count: int) -> list[str]:
    return [f"column_{place:03d}" for place in range(count)]


def wide(count: int) -> Made:
    X, y = datasets.make_classification(2000, count, n_informative=4, n_redundant=0, random_state=0)
    frame = pd.DataFrame(X.round(3), columns=columns(count))
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(frame.to_numpy(), y)
    return Made(model, frame, frame[:1], f"StandardScaler, LogisticRegression; {count} numbers")


MAKERS: dict[str, Callable[[], Made]] = {
    "iris": iris,
    "forest": forest,
    "slow": slow,
    "mixed": mixed,
    "large": large,
    "columns4": lambda: wide(4),
    "columns40": lambda: wide(40),
    "columns400": lambda: wide(400),
}


def write(folder: Path, made: Made) -> None:
    """The model's file, the bundle, the rows in each form, and `case.json`."""
    folder.mkdir(parents=True)
    joblib.dump(made.model, folder / "model.joblib")
    packed = lading.pack(folder / "model.joblib", made.frame, path=folder / "model.lading", compile=made.compile)
    asked = made.asked
    asked.to_csv(folder / "rows.csv", index=False)
    write_arrow(asked, folder / "rows.arrow")
    expected = made.model.predict(asked if made.is_frame else asked.to_numpy()).tolist()
    facts = {
        "words": made.words,
        "engine": "onnx" if packed.manifest.is_compiled else "native",
        "dtypes": {name: str(dtype) for name, dtype in asked.dtypes.items()},
        "is_frame": made.is_frame,
        "rows": [[None if pd.isna(cell) else cell for cell in row] for row in asked.to_numpy(object).tolist()],
        "expected": expected,
    }
    (folder / "case.json").write_text(json.dumps(facts))


def write_arrow(frame: pd.DataFrame, path: Path) -> None:
    import pyarrow as pa

    table = pa.Table.from_pandas(frame, preserve_index=False)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)


if __name__ == "__main__":
    for name in sys.argv[2:]:
        write(Path(sys.argv[1]) / name, MAKERS[name]())
