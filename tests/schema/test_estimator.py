"""What fitted models tell of their inputs: whatever is learned must be what the model itself then accepts."""

import copy
import functools
import math

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_selector
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.feature_selection import RFE, SelectKBest
from sklearn.impute import KNNImputer, MissingIndicator, SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, SGDClassifier
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import SVC, OneClassSVM
from sklearn.tree import DecisionTreeClassifier

from lading.errors import UnsupportedModel
from lading.schema.estimator import learn_inputs, walk
from lading.schema.fields import Interval
from lading.schema.fitted import allows_nan
from lading.schema.table import Table

LOADERS = {"iris": load_iris, "wine": load_wine, "cancer": load_breast_cancer, "diabetes": load_diabetes}


@functools.cache
def dataset(name, *, as_frame=False):
    return LOADERS[name](return_X_y=True, as_frame=as_frame)


@functools.cache
def people(rows=240):
    """Numbers with gaps, whole numbers, categories with and without gaps, booleans, texts."""
    rng = np.random.default_rng(7)
    frame = pd.DataFrame(
        {
            "age": rng.normal(40, 10, rows).round(1),
            "pay": rng.lognormal(10, 0.4, rows).round(),
            "city": rng.choice(["Bonn", "Lyon", "Turin"], rows),
            "tier": pd.Series(rng.choice(["gold", "iron"], rows), dtype=object),
            "vip": rng.choice([False, True], rows),
            "rank": rng.integers(1, 5, rows),
            "note": rng.choice(["good service", "slow waiter today", "cold food"], rows),
            "unused": rng.normal(size=rows),
        }
    )
    frame.loc[::7, "age"] = np.nan
    frame.loc[::9, "tier"] = None
    return frame, (frame.pay > frame.pay.median()).astype(int).rename("rich")


def fit_people(*branches, columns=None, final=None, **options):
    frame, target = people()
    final = LogisticRegression(max_iter=1000) if final is None else final
    model = make_pipeline(ColumnTransformer(list(branches), **options), final)
    return model.fit(frame if columns is None else frame[columns], target)


def given(learned, *rows):
    """Rows in the form that the model wants, made of nothing but what was learned."""
    table = Table.from_rows(learned.fields, rows or [tuple(field.example for field in learned.fields)])
    if learned.wants == "array":
        return table.matrix
    if learned.wants == "texts":
        return next(iter(table.columns.values()))
    columns = dict(table.columns)
    for field in learned.fields:
        if field.dtype == "category":
            columns[field.name] = pd.Categorical(columns[field.name], categories=list(field.categories))
    return pd.DataFrame(columns)


def answer(model, inputs):
    """The model's answer; a model that is given an array has no names left that it could miss, in any part."""
    if isinstance(inputs, np.ndarray):
        model = copy.deepcopy(model)
        for estimator in walk(model):
            vars(estimator).pop("feature_names_in_", None)
    return model.predict(inputs) if hasattr(model, "predict") else model.transform(inputs)


def accepts_own_examples(model):
    learned = learn_inputs(model)
    assert len(answer(model, given(learned))) == 1
    return learned


def fields_of(model):
    return {field.name: field for field in accepts_own_examples(model).fields}


# --- plain models and models around models

LOGISTIC = make_pipeline(StandardScaler(), LogisticRegression())
SILENT_MODELS = {
    "logistic": ("iris", LogisticRegression(max_iter=2000)),
    "sgd": ("iris", SGDClassifier(random_state=0)),
    "ridge": ("diabetes", Ridge()),
    "multinomial": ("wine", MultinomialNB()),
}
KNOWING_MODELS = {
    "scaled": ("wine", LOGISTIC),
    "tree": ("wine", DecisionTreeClassifier(random_state=0, max_features=1)),
    "forest": ("iris", RandomForestClassifier(10, random_state=0)),
    "extra-trees": ("iris", ExtraTreesClassifier(10, random_state=0)),
    "boosting": ("iris", GradientBoostingClassifier(n_estimators=50, max_features=1, random_state=0)),
    "histograms": ("wine", HistGradientBoostingClassifier(max_iter=5)),
    "histograms-regressor": ("diabetes", HistGradientBoostingRegressor(max_iter=5)),
    "ada": ("iris", AdaBoostClassifier(DecisionTreeClassifier(max_features=1), n_estimators=9, random_state=0)),
    "bagging": ("iris", BaggingClassifier(n_estimators=9, max_features=2, random_state=0)),
    "isolation": ("cancer", IsolationForest(random_state=0)),
    "svc": ("iris", SVC()),
    "one-class": ("iris", OneClassSVM()),
    "neighbors": ("cancer", KNeighborsClassifier()),
    "bayes": ("iris", GaussianNB()),
    "k-means": ("wine", KMeans(3, n_init=1, random_state=0)),
    "pca": ("cancer", PCA(2)),
    "pca-pipeline": ("cancer", make_pipeline(PCA(5), SVC())),
    "grid": ("iris", GridSearchCV(LOGISTIC, {"logisticregression__C": [0.1, 1]}, cv=2)),
    "random": ("iris", RandomizedSearchCV(GaussianNB(), {"var_smoothing": [1e-9, 1e-8]}, n_iter=1, cv=2)),
    "calibrated": ("iris", CalibratedClassifierCV(GaussianNB(), cv=2)),
    "voting": ("iris", VotingClassifier([("a", LOGISTIC), ("b", GaussianNB())])),
    "stacking": ("iris", StackingClassifier([("a", GaussianNB())], LOGISTIC, cv=2)),
    "stacking-through": ("iris", StackingClassifier([("a", LOGISTIC)], GaussianNB(), cv=2, passthrough=True)),
    "one-vs-rest": ("iris", OneVsRestClassifier(GaussianNB())),
    "transformed-target": (
        "diabetes",
        TransformedTargetRegressor(make_pipeline(RobustScaler(), Ridge()), func=np.log, inverse_func=np.exp),
    ),
    "power": ("iris", make_pipeline(PowerTransformer(), LogisticRegression())),
    "quantiles": ("iris", make_pipeline(QuantileTransformer(n_quantiles=10), LogisticRegression())),
    "union": ("iris", make_pipeline(FeatureUnion([("a", PCA(2)), ("b", SelectKBest(k=1))]), LogisticRegression())),
}
MODELS = {**SILENT_MODELS, **KNOWING_MODELS}


@functools.cache
def fitted(name, *, as_frame=False):
    data, model = MODELS[name]
    return copy.deepcopy(model).fit(*dataset(data, as_frame=as_frame))


@pytest.mark.parametrize("name", MODELS)
def test_a_model_fitted_on_an_array_takes_its_own_example(name):
    learned = accepts_own_examples(fitted(name))

    assert [field.name for field in learned.fields] == [f"x{i}" for i in range(len(learned.fields))]
    assert (learned.named, learned.wants) == (False, "array")


@pytest.mark.parametrize("name", MODELS)
def test_a_model_fitted_on_a_frame_of_numbers_takes_an_array_and_answers_the_same(name):
    inputs, _ = dataset(MODELS[name][0], as_frame=True)
    model = fitted(name, as_frame=True)
    learned = accepts_own_examples(model)

    assert [field.name for field in learned.fields] == list(inputs.columns)
    assert (learned.named, learned.wants) == (True, "array")
    from_frame = model.predict(inputs) if hasattr(model, "predict") else model.transform(inputs)
    np.testing.assert_array_equal(answer(model, inputs.to_numpy()), from_frame)


@pytest.mark.parametrize("name", KNOWING_MODELS)
def test_examples_are_values_such_as_training_had(name):
    inputs, _ = dataset(KNOWING_MODELS[name][0], as_frame=True)
    learned = learn_inputs(fitted(name, as_frame=True))

    for field in learned.fields:
        assert inputs[field.name].min() <= field.example <= inputs[field.name].max()
    assert learned.notes == ()


@pytest.mark.parametrize("name", SILENT_MODELS)
def test_a_model_that_knows_no_usual_values_says_so(name):
    learned = learn_inputs(fitted(name))

    count = len(learned.fields)
    assert learned.notes == (
        f"no usual value is known of {count} of {count} columns: their example is 0; --data tells",
    )


def test_outputs_of_several_targets_are_no_inputs():
    inputs, target = dataset("diabetes", as_frame=True)
    targets = np.column_stack([target, -target])

    assert len(accepts_own_examples(MultiOutputRegressor(Ridge()).fit(inputs, targets)).fields) == 10
    classes = (targets > targets.mean(axis=0)).astype(int)
    assert len(accepts_own_examples(MultiOutputClassifier(GaussianNB()).fit(inputs, classes)).fields) == 10


def test_support_vectors_alone_tell_the_number_of_inputs():
    model = SVC().fit(*dataset("iris"))
    del model.n_features_in_

    assert [field.example for field in learn_inputs(model).fields] == pytest.approx([5.9, 2.8, 4.0, 1.3], abs=0.5)


# --- numbers


@pytest.mark.parametrize(("mean", "example"), [(5.8433, 5.84), (0.0123456, 0.0123), (64761.7, 64762.0), (-3.0, -3.0)])
def test_examples_are_round_numbers(mean, example):
    model = StandardScaler().fit([[mean - 1.0], [mean + 1.0]])

    assert [field.example for field in learn_inputs(model).fields] == [example]


@pytest.mark.parametrize("scaler", [MinMaxScaler(), QuantileTransformer(n_quantiles=150), KNeighborsClassifier()])
def test_what_keeps_the_extremes_tells_the_range(scaler):
    inputs, target = dataset("iris")
    learned = learn_inputs(scaler.fit(inputs, target))

    ranges = [Interval(low, high) for low, high in zip(inputs.min(axis=0), inputs.max(axis=0), strict=True)]
    assert [field.seen for field in learned.fields] == ranges


def test_bins_and_largest_values_bound_the_range():
    inputs, target = dataset("iris")
    bins = KBinsDiscretizer(4, strategy="uniform").fit(inputs, target)
    assert learn_inputs(bins).fields[0].seen == Interval(4.3, 7.9)
    assert learn_inputs(MaxAbsScaler().fit(inputs)).fields[0].seen == Interval(-7.9, 7.9)


def test_an_example_is_never_rounded_out_of_the_range():
    model = MinMaxScaler().fit([[1000.41], [1000.43]])

    (field,) = learn_inputs(model).fields
    assert field.example in field.seen
    assert field.example == pytest.approx(1000.42)


def test_scaled_values_are_not_taken_for_inputs():
    inputs, target = dataset("wine", as_frame=True)
    model = make_pipeline(StandardScaler(), KNeighborsClassifier()).fit(inputs, target)

    fields = fields_of(model)
    assert fields["proline"].example == round(inputs["proline"].mean())
    assert fields["proline"].seen is None


def test_selected_columns_are_followed():
    inputs, target = dataset("iris")
    model = make_pipeline(SelectKBest(k=2), GaussianNB()).fit(inputs, target)

    examples = [field.example for field in accepts_own_examples(model).fields]
    assert examples == [0.0, 0.0, 3.76, 1.2]


def test_eliminated_columns_are_not_asked_of_the_inner_model():
    inputs, target = dataset("iris")
    passing = make_pipeline("passthrough", RFE(DecisionTreeClassifier(random_state=0), n_features_to_select=2))

    examples = [field.example for field in accepts_own_examples(passing.fit(inputs, target)).fields]
    assert [example == 0.0 for example in examples] == [True, True, False, False]


# --- tables of mixed columns

NUMBERS = ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["age", "pay"])
CITY = ("city", OneHotEncoder(), ["city"])
BRANCHES = {
    "names": [NUMBERS, CITY],
    "selector": [("numbers", StandardScaler(), make_column_selector(dtype_include=int)), CITY],
    "slice": [CITY, ("numbers", StandardScaler(), slice("vip", "rank"))],
    "index": [CITY, ("numbers", StandardScaler(), pd.Index(["pay", "rank"]))],
    "nested": [("inner", ColumnTransformer([NUMBERS, CITY]), ["age", "pay", "city", "vip"])],
    "union": [
        CITY,
        ("both", FeatureUnion([("a", SimpleImputer()), ("b", MissingIndicator(features="all"))]), ["age"]),
    ],
    "none": [("none", OneHotEncoder(), []), ("dropped", "drop", ["note"]), NUMBERS, CITY],
}


@pytest.mark.parametrize("name", BRANCHES)
def test_a_table_selected_by_name_wants_a_frame_of_the_columns_that_it_uses(name):
    model = fit_people(*BRANCHES[name])
    learned = accepts_own_examples(model)

    assert (learned.named, learned.wants) == (True, "frame")
    for left_out in learned.fields:
        with pytest.raises(ValueError, match="missing"):
            model.predict(given(learned).drop(columns=left_out.name))


def test_columns_that_are_dropped_need_not_be_sent():
    assert list(fields_of(fit_people(NUMBERS, CITY))) == ["age", "pay", "city"]


@pytest.mark.parametrize("wrap", [lambda m: GridSearchCV(m, {}, cv=2), lambda m: VotingClassifier([("a", m)])])
def test_columns_that_are_dropped_need_not_be_sent_to_a_model_around(wrap):
    model = wrap(fit_people(NUMBERS, CITY)).fit(*people())

    assert list(fields_of(model)) == ["age", "pay", "city"]


def test_dropped_columns_are_sent_where_another_step_looks_at_them():
    inner = fit_people(NUMBERS, columns=["age", "pay", "rank"])
    model = StackingClassifier([("a", inner)], HistGradientBoostingClassifier(max_iter=3), cv=2, passthrough=True)

    assert list(fields_of(model.fit(people()[0][["age", "pay", "rank"]], people()[1]))) == ["age", "pay", "rank"]


def test_columns_addressed_by_index_all_stay():
    frame, target = people()
    inputs = frame[["pay", "unused", "rank"]]
    model = make_pipeline(ColumnTransformer([("n", StandardScaler(), [0, 2])]), LogisticRegression())

    learned = accepts_own_examples(model.fit(inputs, target))
    assert [field.name for field in learned.fields] == ["pay", "unused", "rank"]
    assert learned.wants == "array"
    assert [field.name for field in accepts_own_examples(model.fit(inputs.to_numpy(), target)).fields] == [
        "x0",
        "x1",
        "x2",
    ]


@pytest.mark.parametrize("columns", [slice(2, 3), [False, False, True], [-1]])
def test_an_array_of_objects_has_unnamed_categories(columns):
    frame, target = people()
    inputs = frame[["pay", "rank", "city"]].to_numpy(dtype=object)
    table = ColumnTransformer([("c", OneHotEncoder(), columns)], remainder=StandardScaler())
    learned = accepts_own_examples(make_pipeline(table, LogisticRegression()).fit(inputs, target))

    assert learned.wants == "array"
    assert learned.fields[2].categories == ("Bonn", "Lyon", "Turin")
    assert [field.kind for field in learned.fields] == ["float", "float", "category"]


def test_the_rest_is_followed_into_what_comes_after():
    model = fit_people(
        CITY,
        columns=["pay", "city", "rank"],
        remainder="passthrough",
        final=RandomForestClassifier(10, random_state=0),
    )
    fields = fields_of(model)

    assert 15_000 < fields["pay"].example < 35_000
    assert fields["rank"].example in (1.5, 2.5, 3.5)


# --- categories


def test_categories_are_those_of_the_encoder():
    frame, _ = people()
    fields = fields_of(fit_people(("c", OneHotEncoder(), ["city", "vip", "rank"])))

    assert fields["city"].categories == tuple(sorted(frame["city"].unique()))
    assert (fields["city"].kind, fields["city"].dtype, fields["city"].closed) == ("category", "str", True)
    assert (fields["vip"].kind, fields["vip"].dtype, fields["vip"].categories) == ("bool", "bool", ())
    assert (fields["rank"].categories, fields["rank"].dtype) == ((1, 2, 3, 4), "int64")
    assert {type(value) for value in fields["rank"].categories} == {int}


ENCODERS = [
    OneHotEncoder(),
    OneHotEncoder(handle_unknown="ignore"),
    OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=3),
    OrdinalEncoder(),
    OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    TargetEncoder(),
]


@pytest.mark.parametrize("encoder", ENCODERS, ids=str)
def test_a_closed_category_is_one_whose_other_values_the_model_refuses(encoder):
    model = fit_people(("c", encoder, ["city"]))
    learned = accepts_own_examples(model)
    unknown = given(learned, ("Atlantis",))

    if learned.fields[0].closed:
        with pytest.raises(ValueError, match="unknown categories"):
            model.predict(unknown)
    else:
        assert len(model.predict(unknown)) == 1


def test_of_two_encoders_the_stricter_closes():
    fields = fields_of(fit_people(("a", OneHotEncoder(handle_unknown="ignore"), ["city"]), ("b", *CITY[1:])))

    assert fields["city"].closed


def test_a_category_wins_over_text_and_number():
    fields = fields_of(
        fit_people(
            ("words", CountVectorizer(), "city"),
            CITY,
            ("scaled", StandardScaler(), ["rank"]),
            ("coded", OrdinalEncoder(), ["rank"]),
        )
    )

    assert (fields["city"].kind, fields["rank"].kind) == ("category", "category")
    assert type(fields["rank"].example) is int


def test_the_most_frequent_category_is_the_example_and_a_filler_is_not():
    frequent = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder())
    filled = make_pipeline(
        SimpleImputer(strategy="constant", fill_value="absent", missing_values=None), OneHotEncoder()
    )
    fields = fields_of(fit_people(("a", frequent, ["city"]), ("b", filled, ["tier"])))

    assert fields["city"].example == people()[0]["city"].mode()[0]
    assert fields["tier"].categories == ("absent", "gold", "iron")
    assert fields["tier"].example == "gold"


def test_categories_that_json_cannot_carry_are_left_out_with_a_note():
    days = pd.DataFrame({"day": pd.to_datetime(["2024-02-28", "2024-02-29"])})
    learned = learn_inputs(make_pipeline(OneHotEncoder(), LinearRegression()).fit(days, [0, 1]))

    assert learned.fields[0].categories == ()
    assert learned.notes == ("column `day` goes through OneHotEncoder: taken for a number; --data tells",)


def test_histogram_boosting_takes_pandas_categories_open_and_nullable():
    frame, target = people()
    inputs = frame[["pay", "city", "age"]].astype({"city": "category"})
    model = HistGradientBoostingClassifier(max_iter=5, categorical_features="from_dtype").fit(inputs, target)
    learned = accepts_own_examples(model)
    field = learned.fields[1]

    assert (field.kind, field.dtype, field.nullable, field.closed) == ("category", "category", True, False)
    assert field.categories == ("Bonn", "Lyon", "Turin")
    assert 15_000 < learned.fields[0].example < 35_000
    unknown = pd.DataFrame({"pay": [20_000.0] * 2, "city": pd.Categorical(["Atlantis", None]), "age": [np.nan] * 2})
    assert len(set(model.predict(unknown))) == 1  # another category is as good as none


def test_histogram_boosting_takes_coded_categories_in_an_array():
    frame, target = people()
    inputs = frame[["pay", "rank"]].to_numpy()
    model = HistGradientBoostingClassifier(max_iter=5, categorical_features=[1]).fit(inputs, target)
    learned = accepts_own_examples(model)

    assert learned.wants == "array"
    assert learned.fields[1].categories == (1.0, 2.0, 3.0, 4.0)
    assert 15_000 < learned.fields[0].example < 35_000


# --- missing values


def nullable_columns(model):
    """The columns that may be null; that each of them really may be is tried."""
    learned = accepts_own_examples(model)
    for position, field in enumerate(learned.fields):
        if field.nullable:
            row = [other.example for other in learned.fields]
            row[position] = None
            assert len(answer(model, given(learned, tuple(row)))) == 1
    return [field.name for field in learned.fields if field.nullable]


FILLED = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
GAPS = {
    "imputed": ([("n", FILLED, ["age", "pay"])], ["age", "pay"]),
    "scaled-then-imputed": ([("n", make_pipeline(StandardScaler(), KNNImputer()), ["age", "pay"])], ["age", "pay"]),
    "logarithm-then-imputed": ([("n", make_pipeline(FunctionTransformer(np.exp2), FILLED), ["age"])], ["age"]),
    "seen-by-an-encoder": ([("c", OneHotEncoder(), ["tier", "city"])], ["tier"]),
    "not-seen-by-an-encoder": ([("c", OneHotEncoder(handle_unknown="ignore"), ["city"])], []),
    "imputed-category": (
        [("c", make_pipeline(SimpleImputer(strategy="most_frequent"), *CITY[1:2]), ["city"])],
        ["city"],
    ),
    "coded-as-missing": ([("c", OrdinalEncoder(), ["tier"])], []),
    "coded-as-a-number": ([("c", OrdinalEncoder(encoded_missing_value=-1), ["tier"])], ["tier"]),
    "another-way-refuses": ([("a", FILLED, ["pay", "rank"]), ("b", StandardScaler(), ["pay"])], ["rank"]),
    "another-value-is-missing": ([("a", SimpleImputer(missing_values=-1), ["rank"])], []),
    "binned": ([("a", make_pipeline(KBinsDiscretizer(3, strategy="uniform"), SimpleImputer()), ["rank"])], []),
}


@pytest.mark.parametrize("name", [name for name in GAPS if name != "coded-as-missing"])
def test_a_column_is_nullable_where_all_ways_end_the_gap(name):
    branches, expected = GAPS[name]

    assert nullable_columns(fit_people(*branches)) == expected


def test_a_gap_coded_as_missing_needs_a_model_that_takes_it():
    final = HistGradientBoostingClassifier(max_iter=3)

    assert nullable_columns(fit_people(*GAPS["coded-as-missing"][0], final=final)) == ["tier"]
    filled = make_pipeline(SimpleImputer(), LogisticRegression())
    assert nullable_columns(fit_people(*GAPS["coded-as-missing"][0], final=filled)) == ["tier"]
    empty = people()[0][["tier"]]
    model = ColumnTransformer(GAPS["coded-as-missing"][0]).fit(empty)
    assert nullable_columns(model) == []


def test_null_is_what_was_missing_in_training():
    frame, target = people()
    inputs = frame[["tier", "age"]].assign(grade=frame["tier"].map(lambda tier: math.nan if tier is None else tier))
    table = ColumnTransformer([("c", OneHotEncoder(), ["tier", "grade"])])
    fields = fields_of(make_pipeline(table, LogisticRegression()).fit(inputs, target))

    assert (fields["tier"].null, fields["grade"].null) == ("none", "nan")


FORESTS = [
    DecisionTreeClassifier(random_state=0),
    RandomForestClassifier(20, random_state=0),
    ExtraTreesClassifier(20, random_state=0),
    IsolationForest(n_estimators=20, random_state=0),
    BaggingClassifier(n_estimators=9, random_state=0),
]


# Before scikit-learn 1.6, fewer of them take missing values.
@pytest.mark.parametrize("model", list(filter(allows_nan, FORESTS)), ids=lambda model: type(model).__name__)
def test_trees_are_nullable_only_where_they_saw_gaps(model):
    inputs, target = dataset("iris", as_frame=True)
    with_gaps = inputs.mask(np.random.default_rng(0).random(inputs.shape) < 0.3)
    with_gaps.iloc[:, 0] = inputs.iloc[:, 0]

    assert nullable_columns(copy.deepcopy(model).fit(inputs, target)) == []
    found = nullable_columns(copy.deepcopy(model).fit(with_gaps, target))
    assert found
    assert set(found) <= set(inputs.columns[1:])


def test_models_that_take_gaps_by_nature_are_nullable():
    inputs, target = dataset("iris", as_frame=True)

    neighbors = KNeighborsClassifier(metric="nan_euclidean")
    for model in filter(allows_nan, (HistGradientBoostingClassifier(max_iter=3), neighbors)):
        assert nullable_columns(model.fit(inputs, target)) == list(inputs.columns)
    both = VotingClassifier([("a", HistGradientBoostingClassifier(max_iter=3)), ("b", GaussianNB())])
    assert nullable_columns(both.fit(inputs, target)) == []


# --- texts

TEXTS = {
    "tfidf": make_pipeline(TfidfVectorizer(), LogisticRegression()),
    "hashed": make_pipeline(HashingVectorizer(n_features=64), LogisticRegression()),
    "union": make_pipeline(
        FeatureUnion([("w", CountVectorizer()), ("c", TfidfVectorizer(analyzer="char"))]), LogisticRegression()
    ),
    "searched": GridSearchCV(make_pipeline(CountVectorizer(), MultinomialNB()), {"multinomialnb__alpha": [1]}, cv=2),
    "calibrated": CalibratedClassifierCV(make_pipeline(CountVectorizer(), MultinomialNB()), cv=2),
    "vectorizer": CountVectorizer(),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_model_takes_one_column_of_texts(name):
    frame, target = people()
    model = copy.deepcopy(TEXTS[name]).fit(frame["note"].astype(object), target)
    learned = learn_inputs(model)
    inputs = given(learned)
    rows = model.predict(inputs).shape[0] if hasattr(model, "predict") else model.transform(inputs).shape[0]

    assert rows == 1
    assert (learned.wants, learned.named) == ("texts", False)
    assert [(field.name, field.kind, field.dtype) for field in learned.fields] == [("text", "text", "str")]
    words = (
        {"a", "few", "words"} if name == "hashed" else {"cold", "food", "good", "service", "slow", "today", "waiter"}
    )
    assert set(learned.fields[0].example.split()) <= words


def test_a_column_of_texts_is_one_beside_others():
    fields = fields_of(fit_people(("t", make_pipeline(TfidfVectorizer(), SelectKBest(k=2)), "note"), NUMBERS))

    assert (fields["note"].kind, fields["note"].dtype, fields["note"].nullable) == ("text", "str", False)
    assert (fields["age"].kind, fields["age"].nullable) == ("float", True)


def test_a_vectorizer_that_reads_files_is_refused(tmp_path):
    path = tmp_path / "letter.txt"
    path.write_text("good service")
    vectorizer = CountVectorizer(input="filename").fit([str(path)])
    paths = pd.DataFrame({"path": [str(path), str(path)]})
    table = ColumnTransformer([("t", CountVectorizer(input="filename"), "path")]).fit(paths)

    for model in (vectorizer, table):
        with pytest.raises(UnsupportedModel, match="reads the files that its input names"):
            learn_inputs(model)


# --- what cannot be known


def shout(texts):
    return texts.apply(lambda column: column.str.upper())


class Cleaner(TransformerMixin, BaseEstimator):
    """A step of the author's that says nothing about its inputs."""

    def fit(self, inputs, target=None):
        self.is_fitted_ = True
        return self

    def transform(self, inputs):
        return inputs.fillna({"age": 0.0})


class Wrapper(ClassifierMixin, BaseEstimator):
    """A model of the author's around another one."""

    def __init__(self, inner):
        self.inner = inner

    def fit(self, inputs, target):
        self._model = copy.deepcopy(self.inner).fit(inputs, target)
        return self

    def predict(self, inputs):
        return self._model.predict(inputs)


def test_an_own_function_hides_what_its_columns_are():
    double = ("f", FunctionTransformer(lambda inputs: inputs * 2), ["pay", "rank"])
    learned = accepts_own_examples(fit_people(double, CITY))

    assert learned.notes == ("columns `pay`, `rank` go through FunctionTransformer: taken for numbers; --data tells",)
    assert [field.example for field in learned.fields] == [1.0, "Bonn", 1.0]


def test_a_note_names_three_columns_and_counts_the_others():
    inputs, target = dataset("iris", as_frame=True)
    (note,) = learn_inputs(make_pipeline(FunctionTransformer(abs), GaussianNB()).fit(inputs, target)).notes

    assert note.startswith("columns `sepal length (cm)`, `sepal width (cm)`, `petal length (cm)` and 1 more go through")


def test_an_own_function_before_an_encoder_of_texts_takes_texts():
    branch = ("f", make_pipeline(FunctionTransformer(shout), OneHotEncoder(handle_unknown="ignore")), ["city"])
    learned = accepts_own_examples(fit_people(branch))

    assert (learned.fields[0].kind, learned.fields[0].example) == ("text", "BONN")
    assert learned.notes == ()


def test_a_step_that_says_nothing_lends_the_inputs_of_the_next():
    frame, target = people()
    model = make_pipeline(Cleaner(), ColumnTransformer([NUMBERS, CITY]), LogisticRegression()).fit(frame, target)
    learned = accepts_own_examples(model)

    assert [field.name for field in learned.fields] == list(frame.columns)
    assert not any(field.nullable for field in learned.fields)
    assert learned.notes[0] == (
        "Pipeline does not say what it takes: its inputs are those of the ColumnTransformer inside of it"
    )


def test_a_wrapper_has_the_inputs_of_what_it_wraps():
    inputs, target = dataset("iris", as_frame=True)
    learned = accepts_own_examples(Wrapper(LOGISTIC).fit(inputs, target))

    assert [field.name for field in learned.fields] == list(inputs.columns)
    assert (learned.named, learned.wants) == (True, "frame")


@pytest.mark.parametrize(
    "first",
    [
        FunctionTransformer(lambda inputs: inputs.iloc[:, :2]),
        StandardScaler().set_output(transform="pandas"),
        type("Scaler", (StandardScaler,), {"__module__": "mine"})(),
    ],
)
def test_what_may_need_more_than_numbers_wants_a_frame(first):
    inputs, target = dataset("iris", as_frame=True)
    model = make_pipeline(first, LogisticRegression(max_iter=1000)).fit(inputs, target)

    assert accepts_own_examples(model).wants == "frame"


@pytest.mark.parametrize("function", [None, np.log1p, functools.partial(np.clip, a_min=0, a_max=5)])
def test_a_function_of_a_library_wants_no_frame(function):
    inputs, target = dataset("iris", as_frame=True)
    model = make_pipeline(FunctionTransformer(function), LogisticRegression(max_iter=1000)).fit(inputs, target)

    assert accepts_own_examples(model).wants == "array"


@pytest.mark.parametrize("model", [LogisticRegression(), Pipeline([("a", StandardScaler())]), object(), {}])
def test_without_a_number_of_inputs_there_is_nothing_to_serve(model):
    with pytest.raises(UnsupportedModel, match="does not say how many inputs it takes") as raised:
        learn_inputs(model)

    assert "--data" in raised.value.hint


def test_dictionaries_are_no_columns():
    model = make_pipeline(DictVectorizer(), LinearRegression()).fit([{"a": 1}, {"a": 2}], [1, 2])

    with pytest.raises(UnsupportedModel, match="`DictVectorizer` takes dictionaries, not columns"):
        learn_inputs(model)


def test_an_estimator_of_another_version_costs_knowledge_only():
    model = make_pipeline(OneHotEncoder(), LinearRegression()).fit([["a"], ["b"]], [0, 1])
    del model[0].categories_
    learned = learn_inputs(model)

    assert learned.notes[0] == "what OneHotEncoder was fitted on could not be read; --data tells"
    assert len(learned.fields) == 1


class Moody:
    """Every property of it raises."""

    def predict(self, inputs):
        return [0]

    @property
    def n_features_in_(self):
        raise KeyError("n_features_in_")


def test_a_property_that_raises_is_one_that_is_not_there():
    with pytest.raises(UnsupportedModel, match="`Moody`"):
        learn_inputs(Moody())


# --- walking


def test_a_walk_meets_every_estimator_once():
    table = ColumnTransformer([NUMBERS, CITY])
    model = GridSearchCV(make_pipeline(table, GradientBoostingClassifier(n_estimators=3)), {}, cv=2).fit(*people())
    met = list(walk(model))

    assert met[0] is model
    assert len({id(estimator) for estimator in met}) == len(met)
    best = model.best_estimator_
    inner = [*best[0].named_transformers_["numbers"].named_steps.values(), *best[1].estimators_.flat]
    assert {id(estimator) for estimator in inner} <= {id(estimator) for estimator in met}


def test_a_walk_finds_what_lies_in_containers_and_private_attributes():
    hidden = Ridge()
    model = Wrapper({"models": [(1, np.array([hidden, None], dtype=object))]})
    calibrated = CalibratedClassifierCV(GaussianNB(), cv=2).fit(*dataset("iris"))

    assert hidden in list(walk(model))
    assert sum(isinstance(estimator, GaussianNB) for estimator in walk(calibrated)) == 3
    assert sum(isinstance(e, StandardScaler) for e in walk(PowerTransformer().fit([[1.0], [2.0]]))) == 1


def test_a_walk_through_a_circle_ends():
    outer = Wrapper(None)
    outer.inner = [Wrapper(outer), outer]
    outer.inner.append(outer.inner)

    assert list(walk(outer)) == [outer, outer.inner[0]]
