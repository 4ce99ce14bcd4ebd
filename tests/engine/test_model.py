"""What a model says beside its predictions."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression
from xgboost import XGBRegressor

import lading
from lading.engine.model import Model
from lading.errors import InputError, UsageError

DATA = load_diabetes(as_frame=True)
TREES = XGBRegressor(n_estimators=5).fit(DATA.data, DATA.target)


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return lading.load(lading.pack(TREES, path=tmp_path_factory.mktemp("trees") / "trees.lading").path)


def test_contributions_of_the_columns_add_up_to_the_answer(trees: Model):
    found = trees.contributions(DATA.data)
    assert found.shape == (442, 11)
    np.testing.assert_allclose(found.sum(axis=1), trees.predict(DATA.data), rtol=1e-4)


def test_contributions_are_of_the_same_kinds_of_data_as_predictions(trees: Model):
    row = DATA.data.iloc[0]
    expected = trees.contributions(DATA.data.head(1))
    for data in (row.to_dict(), [row.to_dict()], [row.tolist()], DATA.data.iloc[[0], ::-1]):
        np.testing.assert_array_equal(trees.contributions(data), expected)
    with pytest.raises(InputError):
        trees.contributions({"age": "old"})


def test_a_model_that_gives_no_contributions_says_so(tmp_path_factory: pytest.TempPathFactory):
    model = LinearRegression().fit(DATA.data, DATA.target)
    path = tmp_path_factory.mktemp("linear") / "m.lading"
    with pytest.raises(UsageError, match=r"^LinearRegression gives no contributions$"):
        lading.load(lading.pack(model, path=path).path).contributions(DATA.data)
