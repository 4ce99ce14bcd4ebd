"""What is done to an estimator once it is loaded: one thread, however deep it is inside."""

import io
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn import compose, ensemble, model_selection, multioutput, neighbors, pipeline, preprocessing
from sklearn.datasets import load_iris
from tests.flavors import strangers

from lading.flavors.estimator import SklearnModel
from lading.flavors.sklearn import SklearnFlavor
from lading.schema.estimator import walk
from lading.schema.table import Table

X, Y = load_iris(return_X_y=True)


def forest() -> Any:
    return ensemble.RandomForestClassifier(2, n_jobs=2)


def near() -> Any:
    return neighbors.KNeighborsClassifier(n_jobs=-1)


NESTED = {
    "pipeline": pipeline.make_pipeline(preprocessing.StandardScaler(), forest()),
    "grid": model_selection.GridSearchCV(near(), {"n_neighbors": [3]}, cv=2, n_jobs=1),
    "voting": ensemble.VotingClassifier([("a", forest()), ("b", near())], n_jobs=-1),
    "stacking": ensemble.StackingClassifier([("a", forest())], final_estimator=near(), cv=2),
    "columns": pipeline.make_pipeline(
        compose.ColumnTransformer([("a", preprocessing.StandardScaler(), [0])], n_jobs=2), forest()
    ),
    "several": multioutput.MultiOutputClassifier(forest(), n_jobs=2),
    "a list and a dictionary": strangers.Holder([near(), [forest()]], {"deep": {"deeper": near()}}),
}


@pytest.fixture(params=NESTED)
def loaded(request: pytest.FixtureRequest) -> Any:
    model = NESTED[request.param].fit(X, Y[:, None] if request.param == "several" else Y)
    file = io.BytesIO()
    joblib.dump(model, file)
    return SklearnFlavor().load(file.getvalue())


def test_every_estimator_inside_has_one_thread(loaded: Any) -> None:
    jobs = [vars(part)["n_jobs"] for part in walk(loaded._model) if "n_jobs" in vars(part)]
    assert jobs
    assert set(jobs) <= {None, 1}


def test_the_walk_finds_what_has_several() -> None:
    found = {name: [vars(part).get("n_jobs") for part in walk(model)] for name, model in NESTED.items()}
    assert [name for name, jobs in found.items() if not set(jobs) - {None, 1}] == []


def test_a_function_that_writes_into_its_input_changes_no_other_answer() -> None:
    def scaled(X: Any) -> Any:
        X[:, 0] *= 10
        return X

    rows = load_iris().data
    steps = (preprocessing.FunctionTransformer(scaled), neighbors.KNeighborsClassifier())
    model = pipeline.make_pipeline(*steps).fit(rows.copy(), load_iris().target)
    predictor = SklearnModel(model)
    table = Table.from_rows(predictor.learn().fields, [tuple(row) for row in rows.tolist()])
    alone = predictor.predict(table).prediction.tolist()
    assert predictor.predict(table, proba=True).prediction.tolist() == alone == model.predict(rows.copy()).tolist()
    assert np.array_equal(table.matrix, rows)
