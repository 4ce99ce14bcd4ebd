"""One row without NumPy: the answer of the batch, or another way."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import lading
from lading.engine.model import Model
from lading.engine.single import SingleRow

DATA = {"iris": load_iris(as_frame=True), "cancer": load_breast_cancer(as_frame=True)}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Model]:
    folder = tmp_path_factory.mktemp("single")
    diabetes, iris = load_diabetes(as_frame=True), DATA["iris"]
    made = {
        "iris": (make_pipeline(StandardScaler(), LogisticRegression()), iris.data, iris.target),
        "texts": (LogisticRegression(max_iter=1000), iris.data, iris.target.map(dict(enumerate("abc")))),
        "cancer": (make_pipeline(StandardScaler(), LogisticRegression()), DATA["cancer"].data, DATA["cancer"].target),
        "number": (make_pipeline(StandardScaler(), Ridge()), diabetes.data, diabetes.target),
        "two numbers": (Ridge(), diabetes.data, np.stack([diabetes.target] * 2, axis=1)),
        "halves": (Ridge(), iris.data.astype("float32"), iris.target),
        "yes or no": (LogisticRegression(max_iter=1000), iris.data, iris.target > 0),
    }
    packed = {}
    for name, (model, frame, target) in made.items():
        path = folder / f"{name}.lading"
        lading.pack(model.fit(frame, target), frame, path=path, compile="require")
        packed[name] = lading.load(path)
    return packed


@pytest.mark.parametrize("name", ["iris", "texts", "cancer", "number"])
@given(data=st.data())
def test_a_row_alone_has_the_answer_that_it_has_among_others(models: dict[str, Model], name: str, data: st.DataObject):
    model = models[name]
    assert isinstance(model._single, SingleRow)
    number = st.floats(-1e3, 1e3)
    row = tuple(data.draw(st.lists(number, min_size=len(model.schema.inputs), max_size=len(model.schema.inputs))))
    alone, _ = model.run([row], proba=False)
    among, _ = model.run([row, row], proba=False)
    if name == "number":
        assert alone.predictions[0] == pytest.approx(among.predictions[0], rel=1e-9, abs=1e-9)
    elif _is_certain(model, row):
        assert alone.predictions[0] == among.predictions[0]


def _is_certain(model: Model, row: Any) -> bool:
    """Whether no other class is as likely, but for the last digits."""
    shares = sorted(model.predict_proba([list(row)])[0])
    return bool(shares[-1] - shares[-2] > 1e-9)


def test_rows_of_training_have_the_answers_of_the_batch(models: dict[str, Model]):
    for name in ("iris", "cancer"):
        rows = [tuple(map(float, row)) for row in DATA[name].data.to_numpy()]
        alone = [models[name].run([row], proba=False)[0].predictions[0] for row in rows]
        assert alone == models[name].run(rows, proba=False)[0].predictions


@pytest.mark.parametrize("name", ["two numbers", "halves", "yes or no"])
def test_what_is_not_the_same_in_a_row_goes_the_way_of_all(models: dict[str, Model], name: str):
    assert models[name]._single is None


def test_what_is_unusual_is_still_told(models: dict[str, Model]):
    answer = models["iris"].answer([[99.0, 3.0, 4.0, 1.0]])
    assert [warning.code for warning in answer.warnings] == ["range.outside_seen"]


def test_a_number_beyond_any_is_not_guessed(models: dict[str, Model]):
    single = models["iris"]._single
    assert single is not None
    row = (1.7e308, -1.7e308, 1.7e308, -1.7e308)
    assert models["iris"]._run_one(row) is None
    alone, among = (models["iris"].run([row] * count, proba=False)[0].predictions for count in (1, 2))
    assert alone == among[:1]


def test_where_golden_rows_have_another_answer_it_is_not_taken(
    models: dict[str, Model], monkeypatch: pytest.MonkeyPatch
):
    model = dataclasses.replace(models["iris"])
    monkeypatch.setattr(model.predictor, "single", lambda row: 0)
    assert model._single is None
