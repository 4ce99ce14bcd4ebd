"""A frame of every kind of column that a table of customers has, and what a model is to learn from it.

Made here and not downloaded, so that it is the same everywhere: every draw comes from one generator with a fixed seed.
"""

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

SEED = 20_260_727
NUMBERS = ["age", "income", "visits"]
CATEGORIES = ["city", "plan"]
BOOLEANS = ["is_member", "has_car"]
COLUMNS = [*NUMBERS, *CATEGORIES, *BOOLEANS]


def mixed_frame(rows: int = 300, seed: int = SEED) -> pd.DataFrame:
    """Customers: the columns below, and two targets.

    age, income: numbers, of which one in eight is missing; visits: whole numbers, none missing
    city: a category, of which one in ten is missing; plan: a category without gaps
    is_member, has_car: booleans
    spends: a number that depends on all of them; churned: whether that is below its median
    """
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 90, rows).astype(float),
            "income": np.round(rng.lognormal(10, 0.5, rows), 2),
            "visits": rng.integers(0, 30, rows),
            "city": rng.choice(["Bern", "Köln", "Łódź", "Rome"], rows).astype(object),
            "plan": rng.choice(["free", "basic", "pro"], rows),
            "is_member": rng.random(rows) < 0.4,
            "has_car": rng.random(rows) < 0.6,
        }
    )
    spends = frame["age"] + frame["visits"] * 3 + frame["is_member"] * 20 + (frame["plan"] == "pro") * 30
    spends = spends + rng.normal(0, 5, rows)
    for name, share in (("age", 0.125), ("income", 0.125), ("city", 0.1)):
        frame.loc[rng.random(rows) < share, name] = np.nan
    return frame.assign(spends=spends, churned=np.where(spends < spends.median(), "leaves", "stays"))


def mixed_pipeline(estimator: object) -> Pipeline:
    """The columns made fit for an estimator as people do it: imputed, scaled, encoded, passed through."""
    columns = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), NUMBERS),
            (
                "categories",
                make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")),
                CATEGORIES,
            ),
            ("booleans", "passthrough", BOOLEANS),
        ]
    )
    return Pipeline([("columns", columns), ("model", estimator)])
