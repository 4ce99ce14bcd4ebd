"""The linear model in a page of JSON: it answers as scikit-learn's does, and broken pages are told."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

import lading
from lading.errors import FormatError, UsageError
from lading.flavors.linear import FORMAT, LinearFile
from lading.flavors.registry import flavor_named


def rows(values: Any) -> tuple[tuple[float, ...], ...]:
    return tuple(map(tuple, np.atleast_2d(values).tolist()))


def file_of(model: Any, names: Any, **parts: Any) -> LinearFile:
    intercept = tuple(np.atleast_1d(model.intercept_).tolist())
    return LinearFile(FORMAT, tuple(names), rows(model.coef_), intercept, **parts)


def test_it_is_scikit_learns_softmax_regression(iris: Any, tmp_path: Path) -> None:
    model = LogisticRegression(max_iter=500).fit(iris.data, iris.target_names[iris.target])
    file = file_of(model, iris.data.columns, classes=tuple(model.classes_.tolist()))
    served = lading.load(lading.pack(file, iris.data, path=tmp_path / "m.lading").path)
    assert served.predict(iris.data).tolist() == model.predict(iris.data).tolist()
    assert np.allclose(served.predict_proba(iris.data), model.predict_proba(iris.data), rtol=1e-12)


@pytest.mark.parametrize("targets", [1, 2])
def test_without_classes_the_scores_are_the_answer(targets: int, iris: Any, tmp_path: Path) -> None:
    y = iris.data.iloc[:, 0] if targets == 1 else iris.data.iloc[:, :2]
    model = LinearRegression().fit(iris.data.iloc[:, 2:], y)
    file = file_of(model, iris.data.columns[2:])
    served = lading.load(lading.pack(file, path=tmp_path / "m.lading").path)
    assert np.allclose(served.predict(iris.data.iloc[:, 2:]), model.predict(iris.data.iloc[:, 2:]), rtol=1e-12)


def test_scaling_ranges_and_metadata_are_used(tmp_path: Path) -> None:
    file = LinearFile(
        FORMAT, ("a",), ((2.0,),), (1.0,), mean=(10.0,), scale=(4.0,), low=(0.0,), high=(20.0,), metadata={"by": "Jo"}
    )
    served = lading.load(lading.pack(file, path=tmp_path / "m.lading").path)
    assert served.predict([[14.0]]).tolist() == [3.0]
    assert str(served.schema.inputs[0].seen) == "0 to 20"
    assert served.manifest.metadata == {"by": "Jo"}


GOOD = {"format": FORMAT, "features": ["a", "b"], "coef": [[1.0, 2.0]], "intercept": [0.0]}
WRONG = {
    "no features": {"features": [], "coef": [[]]},
    "no scores": {"coef": [], "intercept": []},
    "too few coefficients": {"coef": [[1.0]]},
    "too many intercepts": {"intercept": [0.0, 1.0]},
    "too many classes": {"classes": ["x", "y"]},
    "a short mean": {"mean": [1.0]},
    "a range with one end": {"low": [0.0, 0.0]},
    "a class twice": {"coef": [[1.0, 2.0]] * 2, "intercept": [0.0] * 2, "classes": ["x", "x"]},
    "a text for a number": {"intercept": ["0"]},
    "an unknown key": {"bias": [0.0]},
}


@pytest.mark.parametrize("name", WRONG)
def test_a_page_whose_parts_do_not_fit_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "m.linear.json").write_bytes(msgspec.json.encode(GOOD | WRONG[name]))
    with pytest.raises(FormatError):
        lading.load(tmp_path / "m.linear.json")


@pytest.mark.parametrize("data", [b'{"format": "lading.linear/1"', b'{"format": "lading.linear/1", ' + b"[" * 10**5])
def test_a_page_that_is_no_json_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "m.linear.json").write_bytes(data)
    with pytest.raises(FormatError, match="it is not JSON"):
        lading.load(tmp_path / "m.linear.json")


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "m.linear.json").write_bytes(msgspec.json.encode(GOOD | {"features": ["a", "a"]}))
    with pytest.raises(UsageError, match="the same name"):
        lading.load(tmp_path / "m.linear.json")


def test_only_its_own_objects_are_dumped() -> None:
    assert flavor_named("linear").dump({"format": FORMAT}) is None
