"""What a model answers over HTTP is exactly what its own `predict` gives: every dataset, every kind of estimator.

Compiled it gives the same labels, and numbers within the tolerance of parity; where it stays native, the very same.

At the scale `short` each pair is served twice by uvicorn in this process, and asked a part of the rows; at `full` each
is served in all ways as a real `lading serve` with two workers, and asked every row.
"""

import contextlib
import functools
import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import httpx
import joblib
import numpy as np
import pytest
from sklearn import datasets
from sklearn.base import clone
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.svm import SVC, SVR
from tests.conftest import SCALE
from tests.live import TIMEOUT_S, run, serving, started
from tests.mixed import BOOLEANS, COLUMNS, mixed_frame, mixed_pipeline

import lading
from lading.bundle.declared import Declared
from lading.engine.checking import check_golden

CLASSIFIERS = {
    "LogisticRegression": LogisticRegression(max_iter=200),
    "SGDClassifier": SGDClassifier(random_state=0),
    "RandomForestClassifier": RandomForestClassifier(20, random_state=0),
    "GradientBoostingClassifier": GradientBoostingClassifier(n_estimators=5, random_state=0),
    "HistGradientBoostingClassifier": HistGradientBoostingClassifier(max_iter=5, random_state=0),
    "SVC": SVC(),
    "KNeighborsClassifier": KNeighborsClassifier(),
    "RidgeClassifier": RidgeClassifier(),
}
REGRESSORS = {
    "LinearRegression": LinearRegression(),
    "SGDRegressor": SGDRegressor(random_state=0),
    "RandomForestRegressor": RandomForestRegressor(20, random_state=0),
    "GradientBoostingRegressor": GradientBoostingRegressor(n_estimators=5, random_state=0),
    "HistGradientBoostingRegressor": HistGradientBoostingRegressor(max_iter=5, random_state=0),
    "SVR": SVR(),
    "KNeighborsRegressor": KNeighborsRegressor(),
    "Ridge": Ridge(),
}
LOADERS = {
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
    "breast_cancer": datasets.load_breast_cancer,
    "digits": datasets.load_digits,
    "diabetes": datasets.load_diabetes,
}
PAIRS = [
    *((dataset, name) for dataset in LOADERS if dataset != "diabetes" for name in CLASSIFIERS),
    *(("diabetes", name) for name in REGRESSORS),
    *(("mixed", name) for name in [*CLASSIFIERS, *REGRESSORS]),
]

Fitted = Literal["frame", "array"]
Packed = Literal["packed", "bare", "compiled"]
WAYS: list[tuple[Fitted, Packed]] = [("frame", "packed"), ("array", "bare")]
if SCALE == "full":
    WAYS += [("frame", "bare"), ("array", "packed"), ("frame", "compiled"), ("array", "compiled")]
STEP = 1 if SCALE == "full" else 7
SINGLES = 3


@dataclass(frozen=True)
class Case:
    """A fitted model, the rows it is asked, and the same rows as JSON."""

    model: Any
    X: Any
    y: Any
    rows: list[Any]

    def some(self, places: list[int]) -> Any:
        return self.X.iloc[places] if hasattr(self.X, "iloc") else self.X[places]

    def body(self, places: list[int]) -> Any:
        rows = [self.rows[place] for place in places]
        return rows if isinstance(rows[0], dict) else {"X": rows}


@functools.cache
def case(dataset: str, name: str, fitted: Fitted) -> Case:
    estimator = clone((CLASSIFIERS | REGRESSORS)[name])
    if dataset == "mixed":
        frame = mixed_frame()
        X, y, model = frame[COLUMNS], frame["churned" if name in CLASSIFIERS else "spends"], mixed_pipeline(estimator)
    else:
        data = LOADERS[dataset](as_frame=True)
        X, y, model = data.data, data.target, estimator
    if fitted == "array":
        X = X.to_numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a few steps more would only make a better model
        model.fit(X, y)
    return Case(model, X, y, json_rows(X))


def json_rows(X: Any) -> list[Any]:
    """The rows as anybody sends them: missing is null."""
    if not hasattr(X, "columns"):
        return X.tolist()
    rows = X.astype(object).to_dict("records")
    return [{name: None if cell != cell else cell for name, cell in row.items()} for row in rows]


def saved(case: Case, packed: Packed, folder: Path) -> Path:
    """The model's own file, or the bundle packed from it and its training data, which was checked."""
    if packed == "bare":
        joblib.dump(case.model, folder / "model.joblib")
        return folder / "model.joblib"
    how = "auto" if packed == "compiled" else "never"
    path = lading.pack(case.model, case.X, case.y, folder / "model.lading", compile=how).path
    assert check_golden(lading.load(path)) > 0
    return path


class Front:
    """One server for all tests, before whichever application is in turn."""

    app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


@pytest.fixture(scope="module")
def front() -> Iterator[tuple[Front, httpx.Client]]:
    front = Front()
    with serving(front) as url, httpx.Client(base_url=url, timeout=TIMEOUT_S) as client:
        yield front, client


@contextlib.contextmanager
def served(path: Path, front: tuple[Front, httpx.Client]) -> Iterator[httpx.Client]:
    """A caller of what is served: by a process of its own at the full scale, else by the one server."""
    if SCALE == "full":
        serving = started("serve", path, "--port", 0, "--workers", 2, limit_s=15 * TIMEOUT_S)
        with serving as (url, _), httpx.Client(base_url=url, timeout=TIMEOUT_S) as client:
            yield client
    else:
        front[0].app = lading.asgi(path)
        yield front[1]


def same(first: Any, second: Any) -> bool:
    """Equal to the last bit, and of one type: 1 is not 1.0 here, nor True."""
    return repr(first) == repr(second)


Same = Callable[[Any, Any], bool]


def differences(case: Case, client: httpx.Client, *, same: Same = same) -> list[str]:
    """What does not come back as the model itself has it."""
    places = list(range(0, len(case.rows), STEP))
    wrong = [] if all_equal(case, client, places, same) else ["a list"]
    singles = places if SCALE == "full" else places[:SINGLES]
    return wrong + [f"row {place} alone" for place in singles if not all_equal(case, client, [place], same)]


def all_equal(case: Case, client: httpx.Client, places: list[int], same: Same) -> bool:
    """Whether these rows come back, asked as an object where it is one row that is an object, else as a list."""
    inputs, body = case.some(places), case.body(places)
    if len(places) == 1 and isinstance(body, list):
        body = body[0]
    has_probabilities = hasattr(case.model, "predict_proba")
    answer = post(client, body, proba=has_probabilities)
    return is_as_own(case.model, inputs, answer, same)


def is_as_own(model: Any, inputs: Any, answer: Any, same: Same) -> bool:
    """Whether an answer is what the model itself gives."""
    predictions = [answer["prediction"]] if "prediction" in answer else answer["predictions"]
    is_equal = same(predictions, model.predict(inputs).tolist())
    if not hasattr(model, "predict_proba"):
        return is_equal
    rows = [answer["probabilities"]] if isinstance(answer["probabilities"], dict) else answer["probabilities"]
    return is_equal and same([list(row.values()) for row in rows], model.predict_proba(inputs).tolist())


def post(client: httpx.Client, body: Any, *, proba: bool = False) -> Any:
    answer = client.post("/predict", json=body, params={"proba": "1"} if proba else {})
    assert answer.status_code == 200, answer.text[:2000]
    return answer.json()


def close(first: Any, second: Any) -> bool:
    """The same labels, and numbers that differ by no more than parity allows."""
    if isinstance(first, list):
        return len(first) == len(second) and all(map(close, first, second))
    if isinstance(first, float) and isinstance(second, float):
        return math.isclose(first, second, rel_tol=1e-5, abs_tol=1e-5)
    return same(first, second)


MIXED_WAYS = [("frame", "packed"), ("frame", "compiled")]
# Columns of several kinds make an array of objects, of which no ColumnTransformer knows the names.
ALL = [(*pair, *way) for pair in PAIRS for way in WAYS if pair[0] != "mixed" or way in MIXED_WAYS]
if SCALE == "short":  # to compile takes its time, and has tests of its own
    ALL += [(*pair, "frame", "compiled") for pair in PAIRS if pair[0] in ("iris", "diabetes")]


@pytest.mark.parametrize(("dataset", "name", "fitted", "packed"), ALL)
def test_answers_equal_the_models_own(
    dataset: str, name: str, fitted: Fitted, packed: Packed, tmp_path: Path, front: Any
) -> None:
    one = case(dataset, name, fitted)
    with served(saved(one, packed, tmp_path), front) as client:
        assert differences(one, client, same=close if packed == "compiled" else same) == []


@pytest.mark.parametrize("name", ["LogisticRegression", "HistGradientBoostingRegressor"])
def test_mixed_columns_need_no_data_to_be_served(name: str, tmp_path: Path, front: Any) -> None:
    one = case("mixed", name, "frame")
    # The model itself does not know that what it passes through are booleans: without data they are numbers.
    rows = [row | {name: float(row[name]) for name in BOOLEANS} for row in one.rows]
    with served(saved(one, "bare", tmp_path), front) as client:
        assert differences(replace(one, rows=rows), client) == []


@pytest.mark.parametrize(("dataset", "name"), [("breast_cancer", "LogisticRegression"), ("mixed", "Ridge")])
def test_pack_check_and_serve_as_processes_give_the_same(dataset: str, name: str, tmp_path: Path) -> None:
    one = case(dataset, name, "frame")
    joblib.dump(one.model, tmp_path / "model.joblib")
    one.X.assign(target=one.y).to_csv(tmp_path / "train.csv", index=False)
    packed = run(
        "pack", "model.joblib", "--data", "train.csv", "--target", "target", "--compile", "never", folder=tmp_path
    )
    assert packed.returncode == 0, packed.stderr
    assert run("check", "model-1.0.0.lading", folder=tmp_path).returncode == 0
    serving = started("serve", "model-1.0.0.lading", "--port", 0, folder=tmp_path)
    with serving as (url, _), httpx.Client(base_url=url, timeout=TIMEOUT_S) as client:
        assert differences(one, client) == []


def test_labels_stand_for_the_classes_that_the_model_gives(tmp_path: Path, front: Any) -> None:
    one = case("iris", "LogisticRegression", "frame")
    names = ("Setosa", "VersiColor", "Virginica")
    path = lading.pack(
        one.model, one.X, path=tmp_path / "iris.lading", declared=Declared(labels=names), compile="never"
    ).path
    with served(path, front) as client:
        answer = post(client, one.rows, proba=True)
    assert answer["predictions"] == [names[place] for place in one.model.predict(one.X)]
    probabilities = [list(row.values()) for row in answer["probabilities"]]
    assert np.array_equal(probabilities, one.model.predict_proba(one.X))
    assert set(map(tuple, answer["probabilities"])) == {names}
