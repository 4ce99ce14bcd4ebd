"""Train on the adverts of the same homes: categories, a boolean, dates, words and gaps, each transformed in the model.

Writes into the current folder: advert.joblib, advert.metadata.json, adverts.csv, and advert-test.csv without prices.
"""

import json
from pathlib import Path

import joblib
import pandas as pd
from homes import make_adverts
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder


def years(dates):
    """ISO dates as years since 2000; what is missing stays missing."""
    return dates.apply(lambda column: (pd.to_datetime(column) - pd.Timestamp("2000-01-01")).dt.days / 365.25)

adverts = make_adverts()
train, test = train_test_split(adverts, test_size=500, random_state=0)
X, y = train.drop(columns="price_eur"), train["price_eur"]
X_test, y_test = test.drop(columns="price_eur"), test["price_eur"]
for v in (TfidfVectorizer(ngram_range=(1, 2)),TfidfVectorizer()):
  for iters in (200,300,):
    model = make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder()), ["kind", "heating"]),
            (FunctionTransformer(years), ["renovated_on"]),
            (v, "description"),
            remainder="passthrough",
            sparse_threshold=0,
        ),
        HistGradientBoostingRegressor(max_iter=iters, learning_rate=0.05, max_leaf_nodes=8, random_state=0),
    ).fit(X, y)
    print(mean_absolute_error(y, model.predict(X)), mean_absolute_error(y_test, model.predict(X_test)))
joblib.dump(model, "advert.joblib")
train.to_csv("adverts.csv", index=False)
X_test.to_csv("advert-test.csv", index=False)
from homes import make_homes
train, test = train_test_split(make_homes(), test_size=500, random_state=0)
X, y = train.drop(columns="price_eur"), train["price_eur"]
X_test, y_test = test.drop(columns="price_eur"), test["price_eur"]
for it in (100,200,300,400):
  for leaf in (4,8,16,31):
    model = HistGradientBoostingRegressor(max_iter=it, learning_rate=0.1, max_leaf_nodes=leaf, random_state=0).fit(X, y)
    print(it,leaf,mean_absolute_error(y, model.predict(X)), mean_absolute_error(y_test, model.predict(X_test)))
