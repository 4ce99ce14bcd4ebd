"""A sample refines what the model knows; where both speak, the model's word wins."""

import math

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from lading.errors import UnsupportedModel, UsageError
from lading.schema.clues import SOME_WORDS
from lading.schema.estimator import Learned, learn_inputs
from lading.schema.fields import Field, Interval, Output, Schema
from lading.schema.learn import MAX_CATEGORIES, refine
from lading.schema.rows import RowChecker
from lading.schema.sample import as_sample, read_sample

UNNAMED = Learned((Field("x0"), Field("x1")), named=False, wants="array")
NAMED = Learned((Field("a"), Field("b")), named=True, wants="frame")
KNOWN = Field("a")
TEXTS = Learned((Field("text", "text", "str", example="good food"),), named=False, wants="texts")


def field_of(values, known=KNOWN):
    data = {known.name: values}
    sample = as_sample(pd.DataFrame(data) if isinstance(values, pd.Series | pd.Categorical) else data)
    return refine(Learned((known,), named=True, wants="frame"), sample).fields[0]


@pytest.mark.parametrize(
    ("values", "kind", "dtype"),
    [
        ([1, 2, 3], "int", "int64"),
        ([1.5, 2.0], "float", "float64"),
        ([1, None], "float", "float64"),
        ([True, False], "bool", "bool"),
        ([True, None], "bool", "object"),
        (["a", "b", "a"], "category", "str"),
        (["2024-02-29", "2024-03-01T10:00Z"], "date", "str"),
        (["2024-02-29", "soon"], "category", "str"),
        ([None, None], "float", "str"),
        (pd.Series([1, 2], dtype="uint8"), "int", "uint8"),
        (pd.Series([0.5], dtype="float32"), "float", "float32"),
        (pd.Series([1, None], dtype="Int64"), "int", "Int64"),
        (pd.Series([0.5, None], dtype="Float64"), "float", "Float64"),
        (pd.Series([1, None], dtype="int64[pyarrow]"), "int", "int64[pyarrow]"),
        (pd.Series([True, None], dtype="boolean"), "bool", "boolean"),
        (pd.Series(["a", None], dtype="string"), "category", "string"),
        (pd.Series(pd.to_datetime(["2024-02-29"])).astype("datetime64[ns]"), "date", "datetime64[ns]"),
        (pd.Categorical(["x", "y"]), "category", "category"),
        (pd.Categorical([1, 2]), "category", "category"),
        (pd.Series([0.1, 0.2], dtype=object), "float", "float64"),
    ],
)
def test_the_kind_of_a_column_is_that_of_its_values(values, kind, dtype):
    field = field_of(values)
    assert (field.kind, field.dtype) == (kind, dtype)


@pytest.mark.parametrize(
    ("distinct", "rows", "kind"),
    [
        (MAX_CATEGORIES, 1000, "category"),
        (MAX_CATEGORIES + 1, 1000, "text"),
        (100, 2000, "category"),
        (101, 2000, "text"),
        (10, 10, "category"),
        (11, 11, "text"),
        (11, 22, "category"),
        (12, 22, "text"),
    ],
)
def test_strings_are_categories_where_they_are_few_and_repeat(distinct, rows, kind):
    values = [f"value {position % distinct}" for position in range(rows)]
    assert field_of(values).kind == kind


def test_categories_are_sorted_and_open_to_others():
    field = field_of(["b", "a", None, "b"])
    assert (field.categories, field.closed, field.example) == (("a", "b"), False, "b")


def test_categories_of_a_frame_keep_their_order_and_those_that_do_not_occur():
    field = field_of(pd.Categorical(["low", "high", None], categories=["low", "mid", "high"], ordered=True))
    assert (field.categories, field.closed, field.nullable) == (("low", "mid", "high"), False, True)


def test_the_range_and_the_median_of_numbers_are_learned():
    field = field_of([5.0, 1.0, 3.0, math.nan])
    assert (field.seen, field.example) == (Interval(1.0, 5.0), 3.0)
    field = field_of([5, 1, 3])
    assert (field.seen, field.example, type(field.example)) == (Interval(1, 5), 3, int)


def test_infinite_numbers_are_no_range_and_no_example():
    field = field_of([math.inf, 1.0, -math.inf, math.inf])
    assert (field.seen, field.example) == (Interval(1.0, 1.0), 1.0)
    assert field_of([math.inf]).seen is None


def test_what_was_learned_of_the_model_goes_where_the_sample_says_otherwise():
    known = Field("a", nullable=True, seen=Interval(0, 1), example=0.5)
    field = field_of([5.0, 7.0], known)
    assert (field.nullable, field.seen, field.example) == (False, Interval(5.0, 7.0), 7.0)
    assert field_of([None, None], known).example == 0.5


@pytest.mark.parametrize(("values", "null"), [(["a", None], "none"), (["a", math.nan], "nan"), ([1.0, None], "nan")])
def test_null_may_stand_where_training_had_missing_values(values, null):
    field = field_of(values)
    assert (field.nullable, field.null) == (True, null)


def test_dates_have_the_middle_one_for_an_example():
    assert field_of(["2024-03-01", "2024-01-01", "2024-02-29"]).example == "2024-02-29"
    when = pd.Series(pd.to_datetime(["2024-03-01", "2024-01-01", "2024-02-29"]))
    assert field_of(when).example == "2024-02-29T00:00:00"


def test_no_text_of_the_data_becomes_an_example():
    texts = [f"letter of person {position}" for position in range(60)]
    assert field_of(texts).example == SOME_WORDS
    sample = as_sample({"review": texts})
    (field,) = refine(TEXTS, sample).fields
    assert (field.kind, field.example) == ("text", "good food")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([1, "a"], "the column `a` mixes kinds of values: int, str"),
        ([True, 2], "the column `a` mixes kinds of values: bool, int"),
        ([["x"], ["y"]], "the column `a` holds list, which no request can"),
        (pd.Categorical(pd.to_datetime(["2024-01-01"])), "the column `a` holds Timestamp, which no request can"),
        (
            pd.Series([1, 2], dtype="category").cat.set_categories([1, "b"]),
            "the column `a` mixes kinds of values: int, str",
        ),
        (pd.Categorical([math.inf, 1.0]), "the column `a` has an infinite category"),
    ],
)
def test_values_that_no_request_can_hold_are_refused(values, reason):
    with pytest.raises(UnsupportedModel, match=reason):
        field_of(values)


ENCODED = Field("a", "category", "str", nullable=True, categories=("x", "y"), example="x")


def test_the_categories_of_the_encoder_stay():
    field = field_of(["x", "z", "x"], ENCODED)
    assert (field.categories, field.closed, field.kind, field.nullable) == (("x", "y"), True, "category", True)


def test_the_dtype_is_that_of_the_data_but_for_pandas_categories():
    assert field_of(pd.Categorical(["x", "y"]), ENCODED).dtype == "category"
    assert field_of(["x", "y"], Field("a", "category", "category", categories=("x", "y"))).dtype == "category"


@pytest.mark.parametrize(
    ("known", "values", "reason"),
    [
        (ENCODED, [1, 2], "the column `a` is numbers in the data, the model was fitted on text"),
        (Field("a", "category", "int64", categories=(1, 2)), ["1", "2"], "is text in the data, the model .* numbers"),
        (Field("a", "text", "str"), [1.5], "the column `a` is numbers in the data, the model was fitted on text"),
    ],
)
def test_data_that_was_read_as_something_else_is_refused(known, values, reason):
    with pytest.raises(UsageError, match=reason) as caught:
        field_of(values, known)
    assert caught.value.hint == "give the data with the datatypes of training: as Parquet, or from Python as a frame"


def test_named_columns_are_found_in_any_order_and_the_rest_is_unused():
    refined = refine(NAMED, as_sample({"y": [1], "b": [2.0], "id": ["k"], "a": [1]}), target=["y"])
    assert [field.name for field in refined.fields] == ["a", "b"]
    assert [field.kind for field in refined.fields] == ["int", "float"]
    assert refined.unused == ("y", "id")


def test_unnamed_columns_get_the_names_of_the_data():
    refined = refine(UNNAMED, as_sample({"width": [1.0], "y": [0], "height": [2.0]}), target=["y"])
    assert [field.name for field in refined.fields] == ["width", "height"]
    assert refined.unused == ("y",)


def test_columns_that_nobody_named_are_numbered():
    refined = refine(UNNAMED, as_sample(np.array([[1.0, 2.0]])))
    assert [field.name for field in refined.fields] == ["x0", "x1"]


def test_a_model_that_knows_nothing_takes_the_columns_of_the_data():
    refined = refine(Learned((), named=False, wants="array"), as_sample({"a": [1], "b": ["x"]}), target=["b"])
    assert [(field.name, field.kind) for field in refined.fields] == [("a", "int")]


def test_a_column_that_the_data_lacks_is_named():
    with pytest.raises(UsageError, match="the data lacks the column `b`, an input of the model") as caught:
        refine(NAMED, as_sample({"a": [1], "B": [2]}))
    assert caught.value.hint == "did you mean `B`?"


def test_an_array_is_not_matched_by_names():
    with pytest.raises(UsageError, match="lacks the column `a`") as caught:
        refine(NAMED, as_sample(np.zeros((2, 2))))
    assert caught.value.hint == "give a frame with the names of the columns"


def test_another_number_of_columns_is_refused():
    with pytest.raises(UsageError, match="the model takes 2 columns, the data has 3") as caught:
        refine(UNNAMED, as_sample({"a": [1], "b": [2], "c": [3]}))
    assert caught.value.hint == "name the column that is not an input: --target NAME"


def test_a_target_that_the_data_lacks_is_named():
    with pytest.raises(UsageError, match="the data has no column `speces`") as caught:
        refine(NAMED, as_sample({"a": [1], "b": [2], "species": [3]}), target=["speces"])
    assert caught.value.hint == "did you mean `species`?"


@pytest.mark.parametrize("dtype", ["str", "string", object])
def test_a_model_of_texts_takes_the_one_column_of_texts(dtype):
    frame = pd.DataFrame({"stars": [5, 1], "review": pd.Series(["good", "bad"], dtype=dtype)})
    refined = refine(TEXTS, as_sample(frame), target=["stars"])
    assert [(field.name, field.kind) for field in refined.fields] == [("review", "text")]
    assert refined.unused == ("stars",)


def test_texts_without_a_name_are_called_text():
    sample = as_sample(["good", "bad"])
    refined = refine(TEXTS, sample)
    assert [field.name for field in refined.fields] == ["text"]
    assert all(field.name in sample.columns for field in refined.fields)


@pytest.mark.parametrize("data", [{"a": ["x"], "b": ["y"]}, {"a": [1]}])
def test_a_model_of_texts_needs_one_column_of_texts(data):
    with pytest.raises(UsageError, match="the model reads one column of text, the data has"):
        refine(TEXTS, as_sample(data))


def test_a_fitted_pipeline_and_its_csv_make_a_schema_that_takes_the_csv(tmp_path):
    frame = pd.DataFrame(
        {"age": [20, 30, 40, 50] * 5, "city": ["Bonn", "Lyon"] * 10, "id": range(20), "rich": [0, 1] * 10}
    )
    columns = make_column_transformer((StandardScaler(), ["age"]), (OneHotEncoder(), ["city"]))
    model = make_pipeline(columns, LogisticRegression()).fit(frame.drop(columns="rich"), frame["rich"])
    path = tmp_path / "train.csv"
    frame.to_csv(path)
    refined = refine(learn_inputs(model), read_sample(path), target=["rich"])
    assert [(f.name, f.kind, f.dtype, f.closed) for f in refined.fields] == [
        ("age", "int", "int64", True),
        ("city", "category", "str", True),
    ]
    assert refined.unused == ("Unnamed: 0", "id", "rich")


def test_categories_of_a_boosted_model_are_categories_again_when_its_data_come_as_csv(tmp_path):
    frame = pd.DataFrame({"city": pd.Categorical(["Bonn", "Lyon"] * 20), "n": np.arange(40.0)})
    model = HistGradientBoostingClassifier(max_iter=2, categorical_features="from_dtype").fit(frame, [0, 1] * 20)
    path = tmp_path / "train.csv"
    frame.to_csv(path, index=False)
    city = refine(learn_inputs(model), read_sample(path)).fields[0]
    assert (city.name, city.dtype, city.categories) == ("city", "category", ("Bonn", "Lyon"))


def test_what_was_learned_takes_the_rows_that_it_was_learned_from():
    data = {"n": [1, 2], "x": [0.5, None], "c": ["a", None], "d": ["2024-02-29", "2024-03-01"], "b": [True, False]}
    refined = refine(Learned((), named=False, wants="frame"), as_sample(data))
    lines = [list(line) for line in zip(*data.values(), strict=True)]
    checker = RowChecker(Schema("regression", refined.fields, (Output("prediction"),)))
    assert checker.arrays(lines) == [(1, 0.5, "a", "2024-02-29", True), (2, None, None, "2024-03-01", False)]
