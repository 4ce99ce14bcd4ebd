"""A batcher before a fake model that a test can hold in its thread, and real models, fitted once."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import lading
from lading.engine.answers import Checked, Fault
from lading.engine.batcher import Batcher
from lading.engine.job import Job, Outcome
from lading.engine.model import Model

WAIT_S = 20.0
"""Longer than anything here takes, on the busiest machine: what is awaited longer will never come."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Request:
    """One caller: its job, and every outcome that it was given."""

    job: Job
    outcomes: list[Outcome]
    came: asyncio.Event

    async def outcome(self) -> Any:
        """What it got; a prediction is taken out of its answer."""
        await asyncio.wait_for(self.came.wait(), WAIT_S)
        (outcome,) = self.outcomes
        return list(outcome.predictions) if hasattr(outcome, "predictions") else outcome


@dataclass
class FakeModel:
    """Answers each row, a tuple of one number, with that number; notes the batches that it was asked.

    Attributes:
        batches: the numbers of each call.
        bad: what it raises for a batch with this number in it.
        faults: of the batch that comes.
        pause: called in the midst of each batch.
    """

    batches: list[list[int]] = field(default_factory=list)
    bad: dict[int, BaseException] = field(default_factory=dict)
    faults: Callable[[list[int]], list[Fault]] = lambda numbers: []
    pause: Callable[[], None] = lambda: None

    def __call__(self, rows: Any, *, proba: bool) -> tuple[Checked, list[Any]]:
        numbers = [number for (number,) in rows]
        self.batches.append(numbers)
        self.pause()
        for number in numbers:
            if number in self.bad:
                raise self.bad[number]
        probabilities = [{"of": number} for number in numbers] if proba else None
        return Checked(numbers, probabilities, self.faults(numbers)), []


class Bench:
    """A batcher and its fake model."""

    def __init__(self, **options: Any) -> None:
        self.model = FakeModel()
        self.batcher = Batcher(self.model, **options)

    def submit(self, *numbers: int, **options: Any) -> Request:
        """A request of these rows."""
        came = asyncio.Event()
        outcomes: list[Outcome] = []

        def done(outcome: Outcome) -> None:
            outcomes.append(outcome)
            came.set()

        return Request(self.batcher.submit([(number,) for number in numbers], done, **options), outcomes, came)

    async def outcomes(self, *requests: Request) -> list[Any]:
        """What each got."""
        return [await request.outcome() for request in requests]


class Held(Bench):
    """A bench whose model works in its thread, where each batch stays until `release`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"is_slow": lambda rows: True} | options)
        self._loop = asyncio.get_running_loop()
        self._entered = asyncio.Semaphore(0)
        self._released = threading.Semaphore(0)
        self.model.pause = self._pause

    def _pause(self) -> None:
        self._loop.call_soon_threadsafe(self._entered.release)
        assert self._released.acquire(timeout=WAIT_S)

    async def is_in_model(self) -> None:
        """Wait until a batch, one more than at the last call, is in the model."""
        await asyncio.wait_for(self._entered.acquire(), WAIT_S)

    def release(self, batches: int = 1000) -> None:
        """Let so many batches go."""
        self._released.release(batches)


@pytest.fixture
def bench() -> type[Bench]:
    return Bench


@pytest.fixture
def held() -> Iterator[Callable[..., Held]]:
    """Makes benches; no thread is left waiting when the test is over."""
    made: list[Held] = []

    def make(**options: Any) -> Held:
        made.append(Held(**options))
        return made[-1]

    yield make
    for bench in made:
        bench.release()
        bench.batcher.close()


# --- real models


@dataclass(frozen=True)
class Case:
    """A loaded model, the estimator that it was made from, and checked rows."""

    model: Model
    estimator: Any
    rows: list[tuple[Any, ...]]


def _estimators() -> Mapping[str, tuple[Any, str]]:
    from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
    from sklearn.multioutput import MultiOutputRegressor
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC, SVR
    from sklearn.tree import DecisionTreeRegressor

    return {
        "logistic": (make_pipeline(StandardScaler(), LogisticRegression()), "breast_cancer"),
        "sgd": (make_pipeline(StandardScaler(), SGDClassifier(random_state=0)), "iris"),
        "forest": (RandomForestClassifier(10, random_state=0), "wine"),
        "boosting": (GradientBoostingClassifier(n_estimators=5, random_state=0), "iris"),
        "histogram boosting": (HistGradientBoostingClassifier(max_iter=5, random_state=0), "iris"),
        "svc": (make_pipeline(StandardScaler(), SVC()), "wine"),
        "neighbors": (KNeighborsClassifier(), "digits"),
        "ridge": (Ridge(), "diabetes"),
        "svr": (SVR(), "diabetes"),
        "tree": (DecisionTreeRegressor(random_state=0), "diabetes"),
        "neighbors of numbers": (KNeighborsRegressor(), "diabetes"),
        "two outputs": (MultiOutputRegressor(Ridge()), "two outputs"),
    }


def _data(name: str) -> tuple[Any, Any]:
    from sklearn import datasets

    if name == "two outputs":
        X, y = datasets.load_diabetes(return_X_y=True)
        return X, np.column_stack([y, -2 * y])
    return getattr(datasets, f"load_{name}")(return_X_y=True)


NAMES = (
    "logistic",
    "sgd",
    "forest",
    "boosting",
    "histogram boosting",
    "svc",
    "neighbors",
    "ridge",
    "svr",
    "tree",
    "neighbors of numbers",
    "two outputs",
)


@pytest.fixture(scope="session", params=NAMES)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """A model of each kind, saved and loaded, with 40 rows of its data."""
    import joblib

    estimator, data = _estimators()[request.param]
    X, y = _data(data)
    path = tmp_path_factory.mktemp("models") / "model.joblib"
    joblib.dump(estimator.fit(X, y), path)
    model = lading.load(path)
    rows = np.random.default_rng(0).permutation(np.asarray(X, dtype=float))[:40]
    is_int = [f.kind == "int" for f in model.schema.inputs]
    return Case(
        model, estimator, [tuple(int(c) if i else float(c) for c, i in zip(row, is_int, strict=True)) for row in rows]
    )
