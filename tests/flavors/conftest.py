"""A small fitted model, and a file that tells whether it was loaded."""

from pathlib import Path
from typing import Any

import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


class Canary:
    """Its pickle makes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.fixture(scope="session")
def iris() -> Any:
    return load_iris(as_frame=True)


@pytest.fixture(scope="session")
def model(iris: Any) -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(iris.data, iris.target)


@pytest.fixture
def canary(tmp_path: Path) -> Canary:
    return Canary(tmp_path / "canary")
