"""Train two models on the progression of diabetes: 442 patients, of whom body mass index and blood pressure are taken.

Writes into the current folder: ridge.joblib by scikit-learn, boosted.ubj by XGBoost, and patients.csv.
"""

import joblib
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from xgboost import XGBRegressor

patients = load_diabetes(as_frame=True, scaled=False)
X, y = patients.data[["bmi", "bp"]], patients.target

joblib.dump(Ridge().fit(X, y), "ridge.joblib")
XGBRegressor(n_estimators=50, max_depth=3, random_state=0).fit(X, y).save_model("boosted.ubj")
X.to_csv("patients.csv", index=False)
