"""Custom code before and after a model: what it is given, what it may give, and what is said where that is wrong."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_diabetes, load_iris
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from xgboost import XGBRegressor

import lading
from lading.bundle.declared import Declared
from lading.engine.model import Model
from lading.errors import InputError, LadingError, PredictionFailed, UnsupportedModel, UsageError

IRIS = load_iris(as_frame=True)
X = IRIS.data.set_axis(["sepal_length", "sepal_width", "petal_length", "petal_width"], axis=1)
ROW = X.iloc[[0]]
FITTED = LogisticRegression(max_iter=1000).fit(X, IRIS.target)
PEOPLE = pandas.DataFrame({"age": [20.0, 40.0, 60.0, 80.0] * 10, "plan": ["basic", "pro", "pro", "basic"] * 10})
PRICES = PEOPLE["age"] + 100 * (PEOPLE["plan"] == "pro")

Around = Callable[..., Model]


@pytest.fixture
def around(tmp_path: Path) -> Around:
    """Loads a model with this code around it."""

    def around(code: str, model: Any = FITTED, **declared: Any) -> Model:
        joblib.dump(model, tmp_path / "model.joblib")
        (tmp_path / "service.py").write_text(code)
        return lading.load(
            tmp_path / "model.joblib", declared=Declared(code=(str(tmp_path / "service.py"),), **declared)
        )

    return around


@pytest.fixture(scope="module")
def people() -> Any:
    columns = make_column_transformer((OneHotEncoder(), ["plan"]), ("passthrough", ["age"]))
    return make_pipeline(columns, LinearRegression()).fit(PEOPLE, PRICES)


# --- before


HALVES = [
    "def preprocess(inputs):\n    return {name: column / 2 for name, column in inputs.items()}\n",
    "def preprocess(inputs: dict):\n    return dict(reversed([(name, c / 2) for name, c in inputs.items()]))\n",
    "def preprocess(inputs):\n    for c in inputs.values():\n        c /= 2\n    return inputs\n",
    "def preprocess(inputs, divisor=2):\n    return {name: column / divisor for name, column in inputs.items()}\n",
    "import pandas as pd\ndef preprocess(frame: pd.DataFrame):\n    return frame / 2\n",
    "import pandas as pd\ndef preprocess(frame: pd.DataFrame):\n    return (frame / 2).assign(more=0)[::1]\n",
    "import numpy as np\ndef preprocess(inputs):\n    return np.column_stack(list(inputs.values())) / 2\n",
]


@pytest.mark.parametrize("code", HALVES)
def test_it_changes_the_columns_before_the_model(around: Around, code: str):
    model = around(code)
    assert model.schema.names == tuple(X.columns)
    assert model.predict(X).tolist() == FITTED.predict(X / 2).tolist()
    np.testing.assert_allclose(model.predict_proba(ROW), FITTED.predict_proba(ROW / 2))


TYPED = [
    "    return {'petal_width': 0.2, 'petal_length': 1.4, 'sepal_length': mm / 10, 'sepal_width': width}\n",
    "    return [mm / 10, width, 1.4, 0.2]\n",
    "    return mm / 10, width, 1.4, 0.2\n",
]


@pytest.mark.parametrize("body", TYPED)
@pytest.mark.parametrize("fitted", [FITTED, LogisticRegression(max_iter=1000).fit(X.to_numpy(), IRIS.target)])
def test_its_typed_parameters_are_the_columns(around: Around, body: str, fitted: Any):
    if body.startswith("    return {") and fitted is not FITTED:
        body = "    return {'a': mm / 10, 'b': width, 'c': 1.4, 'd': 0.2}\n"
    model = around(f"def preprocess(mm: float, width: float = 3.5):\n{body}", fitted)
    assert [(field.name, field.example) for field in model.schema.inputs] == [("mm", None), ("width", 3.5)]
    expected = FITTED.predict_proba(pandas.DataFrame([[5.1, 3.5, 1.4, 0.2]], columns=X.columns))
    np.testing.assert_allclose(model.predict_proba({"mm": 51, "width": 3.5}), expected)


def test_texts_dates_and_categories_come_through(around: Around, people: Any):
    code = """
import datetime
from typing import Literal

def preprocess(born: datetime.date, plan: Literal["Basic", "Pro"], card: str | None):
    return {"age": 2024.0 - born.year, "plan": plan.lower() if card else "basic"}
"""
    model = around(code, people)
    assert [(field.name, field.kind) for field in model.schema.inputs] == [
        ("born", "date"),
        ("plan", "category"),
        ("card", "text"),
    ]
    rows = [
        {"born": "1984-02-29", "plan": "Pro", "card": "x"},
        {"born": "1984-02-29", "plan": "Pro", "card": None},
    ]
    np.testing.assert_allclose(model.predict(rows), [140.0, 40.0])


FRAMES = [
    "frame['plan'] = frame['plan'].astype('category')",
    "frame['plan'] = frame['plan'].astype('string')",
    "frame['age'] = frame['age'].round().astype('Int64')",
    "frame['age'] = frame['age'].astype('float32')",
]


@pytest.mark.parametrize("change", FRAMES)
def test_a_frame_may_have_other_dtypes(around: Around, people: Any, change: str):
    model = around(
        f"import pandas as pd\ndef preprocess(frame: pd.DataFrame):\n    {change}\n    return frame\n", people
    )
    np.testing.assert_allclose(model.predict({"age": 40.0, "plan": "pro"}), [140.0], rtol=1e-6)


def test_data_tell_the_columns_that_it_takes(tmp_path: Path, people: Any):
    joblib.dump(people, tmp_path / "model.joblib")
    (tmp_path / "service.py").write_text(
        "def preprocess(inputs):\n    return {'age': 2024.0 - inputs['born'], 'plan': inputs['tariff']}\n"
    )
    data = pandas.DataFrame({"born": [1984, 1964, 1944], "tariff": ["pro", "basic", "pro"], "price": [1, 2, 3]})
    declared = Declared(code=(str(tmp_path / "service.py"),), target="price")
    packed = lading.pack(tmp_path / "model.joblib", data, path=tmp_path / "m.lading", declared=declared)
    model = lading.load(packed.path)
    assert [(field.name, field.kind) for field in model.schema.inputs] == [("born", "int"), ("tariff", "category")]
    np.testing.assert_allclose(model.predict({"born": 1984, "tariff": "pro"}), [140.0])


# --- after


AFTER = [
    ("def postprocess(outputs):\n    return outputs * 10\n", [0], "INT64"),
    ("def postprocess(outputs):\n    return ['setosa' if o == 0 else 'other' for o in outputs]\n", ["setosa"], "BYTES"),
    ("def postprocess(output: int) -> str:\n    return 'setosa' if output == 0 else 'other'\n", ["setosa"], "BYTES"),
    ("def postprocess(outputs, limit=0.5):\n    return outputs > limit\n", [False], "BOOL"),
    ("def postprocess(outputs: list[int]):\n    return [o + 0.5 for o in outputs]\n", [0.5], "FP64"),
    ("import datetime\ndef postprocess(o: int):\n    return datetime.date(2024, 1, 1 + o)\n", ["2024-01-01"], "BYTES"),
]


@pytest.mark.parametrize(("code", "answer", "datatype"), AFTER)
def test_it_changes_the_answers_after_the_model(around: Around, code: str, answer: list[Any], datatype: str):
    model = around(code)
    assert model.predict(ROW).tolist() == answer
    assert (model.schema.outputs[0].datatype, model.schema.outputs[0].classes) == (datatype, ())
    assert model.schema.outputs[1].columns == ("0", "1", "2")
    np.testing.assert_allclose(model.predict_proba(ROW), FITTED.predict_proba(ROW))


def test_it_may_have_the_probabilities_too(around: Around):
    model = around("def postprocess(outputs, probabilities):\n    return probabilities.max(axis=1)\n")
    np.testing.assert_allclose(model.predict(X), FITTED.predict_proba(X).max(axis=1))


def test_the_classes_that_it_says_are_those_of_the_answer(around: Around):
    code = "from typing import Literal\ndef postprocess(o: int) -> Literal['no', 'yes']: return 'yes' if o else 'no'\n"
    model = around(code, labels=("nein", "ja"))
    assert (model.schema.task, model.schema.outputs[0].classes) == ("classification", ("no", "yes"))
    assert model.predict(X.iloc[[0, 60]]).tolist() == ["nein", "ja"]


# --- what goes wrong


WRONG = [
    ("def preprocess(inputs):\n    inputs.clear()\n", "`preprocess` returned nothing (is a `return` missing?)"),
    ("def preprocess(inputs):\n    return {}\n", "`preprocess` gives no column `sepal_length`, which the model takes"),
    ("def preprocess(a: float):\n    return {'sepal_width': a}\n", "`preprocess` gives no column `sepal_length`"),
    ("def preprocess(a: float):\n    return [a, a]\n", "`preprocess` gives 2 columns, the model takes 4"),
    ("def preprocess(a: float):\n    return a\n", "`preprocess` gives 1 columns, the model takes 4"),
    ("def preprocess(inputs):\n    return {n: c[:1] for n, c in inputs.items()}\n", "columns of 8 rows, as many as"),
    ("def preprocess(inputs):\n    return inputs | {'petal_width': 1}\n", "columns of 8 rows, as many as it got"),
    (
        "def preprocess(inputs):\n    return {n: c - c.mean() for n, c in inputs.items()}\n",
        "when other rows are beside",
    ),
    ("def preprocess(inputs):\n    return inputs['age']\n", "KeyError: 'age' (service.py, line 2)"),
    ("def preprocess(*inputs):\n    return inputs\n", "`preprocess` takes any number of parameters"),
    ("async def preprocess(inputs):\n    return inputs\n", "`preprocess` is `async`"),
    ("def postprocess(outputs):\n    outputs + 1\n", "`postprocess` returned nothing (is a `return` missing?)"),
    ("def postprocess(outputs):\n    return outputs.sum()\n", "`postprocess` returned answers of shape ()"),
    ("def postprocess(outputs):\n    return outputs + len(outputs)\n", "`postprocess` answers a row differently"),
    ("def postprocess(outputs):\n    raise OSError('gone')\n", "OSError: gone (service.py, line 2)"),
    ("def postprocess(outputs: dict):\n    return outputs\n", "`postprocess` takes an array of the model's outputs"),
    ("def postprocess(a, b, c):\n    return a\n", "takes the outputs and the probabilities"),
    ("1 / 0\ndef postprocess(a):\n    return a\n", "service.py cannot be run: ZeroDivisionError"),
]


@pytest.mark.parametrize(("code", "message"), WRONG)
def test_what_cannot_be_is_refused_in_a_line(around: Around, code: str, message: str):
    with pytest.raises(LadingError) as raised:
        around(code)
    assert isinstance(raised.value, UnsupportedModel)
    assert message in raised.value.message
    assert "\n" not in raised.value.message


def test_there_are_no_probabilities_after_a_model_without_them(around: Around, people: Any):
    with pytest.raises(UnsupportedModel, match="`postprocess` of this model takes the outputs alone"):
        around("def postprocess(outputs, probabilities):\n    return outputs\n", people)


CHECKED = """
def preprocess(age: float, plan: str):
    if age > 1000:
        raise ValueError(f"too old: {age}")
    return {"age": age, "plan": "pro"}
"""


def test_its_failure_is_one_of_the_model_without_a_value(around: Around, people: Any):
    model = around(CHECKED, people)
    with pytest.raises(PredictionFailed, match=r"(?m)^the model failed on this input \(ValueError\)$") as raised:
        model.predict({"age": 12345.0, "plan": "x"})
    assert raised.value.code == "model.failed"
    with pytest.raises(InputError):
        model.predict({"age": "old", "plan": "x"})


# --- packed


def test_golden_rows_go_through_it_too(tmp_path: Path):
    joblib.dump(FITTED, tmp_path / "model.joblib")
    (tmp_path / "service.py").write_text("def postprocess(outputs):\n    return outputs + 100\n")
    declared = Declared(code=(str(tmp_path / "service.py"),))
    model = lading.load(lading.pack(tmp_path / "model.joblib", path=tmp_path / "m.lading", declared=declared).path)
    assert model.golden is not None
    assert min(model.golden.predictions) >= 100


@pytest.mark.parametrize("fitted", [FITTED, XGBRegressor(n_estimators=2).fit(X, IRIS.target)])
def test_it_is_not_compiled_and_says_so(tmp_path: Path, fitted: Any):
    (tmp_path / "service.py").write_text("def postprocess(outputs):\n    return outputs + 100\n")
    declared = Declared(code=(str(tmp_path / "service.py"),))
    with pytest.raises(UnsupportedModel, match=r"(?m)cannot be compiled: custom code around the model$"):
        lading.pack(fitted, X, path=tmp_path / "m.lading", declared=declared, compile="require")
    told: dict[str, str] = {}
    lading.pack(fitted, X, path=tmp_path / "m.lading", declared=declared, compile="auto", report=told.__setitem__)
    assert told.get("engine") == ("stays native: custom code around the model" if fitted is FITTED else None)


# --- contributions


@pytest.fixture(scope="module")
def trees() -> Any:
    data = load_diabetes(as_frame=True)
    return XGBRegressor(n_estimators=5).fit(data.data, data.target)


def _served(tmp_path: Path, trees: Any, code: str) -> Model:
    trees.save_model(tmp_path / "model.ubj")
    (tmp_path / "service.py").write_text(code)
    return lading.load(tmp_path / "model.ubj", declared=Declared(code=(str(tmp_path / "service.py"),)))


def test_contributions_are_those_of_the_columns_that_the_model_gets(tmp_path: Path, trees: Any):
    model = _served(tmp_path, trees, "def preprocess(inputs):\n    return {n: c / 2 for n, c in inputs.items()}\n")
    rows = load_diabetes(as_frame=True).data.head(3)
    found = model.contributions(rows)
    assert found.shape == (3, 11)
    np.testing.assert_allclose(found.sum(axis=1), trees.predict(rows / 2), rtol=1e-4)


def test_there_are_none_of_columns_that_it_makes_others_of(tmp_path: Path, trees: Any):
    code = "def preprocess(a: float):\n    return [a] * 10\n"
    with pytest.raises(UsageError, match="XGBRegressor gives no contributions of what `preprocess` takes"):
        _served(tmp_path, trees, code).contributions([[1.0]])


def test_there_are_none_where_the_model_gives_none(around: Around):
    model = around("def preprocess(inputs):\n    return inputs\n")
    with pytest.raises(UsageError, match="LogisticRegression gives no contributions"):
        model.contributions(ROW)


FLOWERS = load_iris()


def after(folder: Path, text: str) -> Model:
    """A model of flowers, and this behind it."""
    joblib.dump(LogisticRegression(max_iter=1000).fit(FLOWERS.data, FLOWERS.target), folder / "m.joblib")
    (folder / "after.py").write_text(text)
    return lading.load(folder / "m.joblib", declared=Declared(code=(str(folder / "after.py"),)))


def test_a_default_of_postprocess_is_a_constant_whatever_its_annotation(tmp_path: Path) -> None:
    text = "def postprocess(output: int, limit: float = 0.3) -> str:\n    return f'{output} {limit}'\n"
    assert after(tmp_path, text).answer({"X": [5.1, 3.5, 1.4, 0.2]}).predictions == ["0 0.3"]


def test_probabilities_of_a_row_at_a_time_are_refused(tmp_path: Path) -> None:
    text = "def postprocess(output: int, probability: float):\n    return probability\n"
    with pytest.raises(UnsupportedModel, match="takes the probabilities for many rows at once"):
        after(tmp_path, text)
