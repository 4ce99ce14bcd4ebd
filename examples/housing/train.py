"""Train on generated homes, as the article does on real ones, and save the model with what is known of it.

Writes into the current folder: home.joblib, metadata.json, train.csv, and test.csv, homes without their prices.
"""

import json
from pathlib import Path

import joblib
from homes import make_homes
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import train_test_split

homes = make_homes()
train, test = train_test_split(homes, test_size=500, random_state=0)
X, y = train.drop(columns="price_eur"), train["price_eur"]
X_test, y_test = test.drop(columns="price_eur"), test["price_eur"]

model = HistGradientBoostingRegressor(max_iter=300, learning_rate=0.05, random_state=0).fit(X, y)
metadata = {
    "data": "generated homes, none of them real",
    "rows": len(train),
    "train_error_keur": round(mean_absolute_error(y, model.predict(X)) / 1000, 2),
    "test_error_keur": round(mean_absolute_error(y_test, model.predict(X_test)) / 1000, 2),
}

joblib.dump(model, "home.joblib")
Path("metadata.json").write_text(json.dumps(metadata, indent=2))
train.to_csv("train.csv", index=False)
X_test.to_csv("test.csv", index=False)
print("mean error, thousand euros:", metadata["train_error_keur"], "trained on,", metadata["test_error_keur"], "held out")
print(y.describe(), mean_absolute_error(y_test, y_test*0+y.median()), (abs(model.predict(X_test)/y_test-1)).mean())
