"""Models that are loaded before a fork and answer after it; what no test here has seen is loaded in each worker."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import joblib
import pytest
import skops.io
from sklearn import datasets
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from tests.mixed import COLUMNS, mixed_frame, mixed_pipeline

import lading
from lading.bundle.manifest import Requirement
from lading.flavors.registry import flavor_named, survives_fork

ROOT = Path(__file__).parents[2]
ROWS = 64
MODELS = {
    "LogisticRegression": (LogisticRegression(max_iter=5000), datasets.load_wine),
    "RandomForest": (RandomForestClassifier(20, n_jobs=2, random_state=0), datasets.load_breast_cancer),
    "HistGradientBoosting": (HistGradientBoostingRegressor(max_iter=20, random_state=0), datasets.load_diabetes),
    "SVC": (SVC(), datasets.load_digits),
    "KNeighbors": (KNeighborsClassifier(n_jobs=2), datasets.load_digits),
}
KINDS = [*MODELS, "a frame", "skops", "linear"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, iris_path: Path) -> Path:
    """A bundle of each kind, with rows to ask it."""
    folder = tmp_path_factory.mktemp("forks")
    for name, (model, load) in MODELS.items():
        X, y = load(return_X_y=True)
        save(folder, name, model.fit(X, y), X)
    frame = mixed_frame()
    logistic = mixed_pipeline(LogisticRegression(max_iter=1000)).fit(frame[COLUMNS], frame["churned"])
    save(folder, "a frame", logistic, frame[COLUMNS])
    skops.io.dump(MODELS["LogisticRegression"][0], folder / "m.skops")
    save(folder, "skops", folder / "m.skops", datasets.load_wine().data)
    (folder / "linear.lading").write_bytes(iris_path.read_bytes())
    joblib.dump(datasets.load_iris().data[:ROWS], folder / "linear.rows")
    return folder


def save(folder: Path, name: str, model: Any, X: Any) -> None:
    lading.pack(model, X, path=folder / f"{name}.lading", compile="never")
    joblib.dump(X[:ROWS], folder / f"{name}.rows")


@pytest.fixture(scope="module")
def forked(folder: Path) -> Mapping[str, Any]:
    """What two processes answer that were forked from one that had loaded every model, and predicted nothing."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, str(Path(__file__).with_name("forks.py")), str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    answered: Mapping[str, Any] = json.loads(done.stdout)
    return answered


@pytest.mark.parametrize("name", KINDS)
def test_a_model_loaded_before_a_fork_answers_after_it_as_here(
    name: str, folder: Path, forked: Mapping[str, Any]
) -> None:
    model, rows = lading.load(folder / f"{name}.lading"), joblib.load(folder / f"{name}.rows")
    assert survives_fork(flavor_named(model.manifest.flavor), model.manifest.requirements)
    assert [answers[name] for answers in forked["answers"]] == [model.predict(rows).tolist()] * 2


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted where Linux lists them")
def test_loading_starts_no_thread_but_of_an_allocator_that_minds_forks(forked: Mapping[str, Any]) -> None:
    # Arrow's allocator, which comes with pandas, stops its thread before a fork and starts it again behind it.
    assert len([name for name in forked["threads"] if name != "jemalloc_bg_thd"]) == 1


def needing(*names: str) -> tuple[Requirement, ...]:
    return tuple(Requirement(name, "1.0") for name in names)


@pytest.mark.parametrize("name", ["xgboost", "lightgbm", "torch", "my-features"])
def test_a_model_that_needs_a_package_not_known_to_survive_does_not(name: str) -> None:
    assert survives_fork(flavor_named("sklearn"), needing("scikit-learn", "joblib"))
    assert not survives_fork(flavor_named("sklearn"), needing("scikit-learn", "joblib", name))


def test_packages_are_compared_by_their_normal_names() -> None:
    assert survives_fork(flavor_named("sklearn"), needing("Scikit_Learn", "NumPy"))


class Stranger:
    """As much of somebody else's flavor as is asked here."""

    def __init__(self, distribution: str, **attributes: Any) -> None:
        self.distribution = distribution
        vars(self).update(attributes)


@pytest.mark.parametrize(
    ("flavor", "survives"),
    [
        (Stranger(""), False),
        (Stranger("torch"), False),
        (Stranger("", fork_safe=frozenset()), False),
        (Stranger("torch", fork_safe=frozenset({"numpy"})), False),
        (Stranger("torch", fork_safe=frozenset({"numpy", "torch"})), True),
    ],
    ids=["nothing", "silent", "empty", "without itself", "with itself"],
)
def test_a_flavor_of_somebody_else_survives_what_it_says(flavor: Any, survives: bool) -> None:
    assert survives_fork(flavor, needing("numpy")) is survives


@pytest.mark.parametrize("attributes", [{}, {"fork_safe": frozenset()}], ids=["silent", "nothing"])
def test_a_flavor_that_says_nothing_survives_nothing_not_even_without_a_need(attributes: Any) -> None:
    assert not survives_fork(Stranger("", **attributes), ())
    assert survives_fork(flavor_named("linear"), ())
