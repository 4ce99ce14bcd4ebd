"""Train on the breast cancer data of scikit-learn: 569 biopsies, 30 measurements each, benign or malignant.

Writes into the current folder: cancer.joblib, train.csv, and biopsy.json, which is one biopsy that was held out.
"""

import joblib
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

data = load_breast_cancer(as_frame=True)
diagnosis = data.target.map(dict(enumerate(data.target_names))).rename("diagnosis")
train, held_out, train_diagnosis, held_out_diagnosis = train_test_split(data.data, diagnosis, random_state=0)

model = RandomForestClassifier(random_state=0).fit(train, train_diagnosis)
joblib.dump(model, "cancer.joblib")
train.join(train_diagnosis).to_csv("train.csv", index=False)
held_out.iloc[0].to_json("biopsy.json")

right = model.score(held_out, held_out_diagnosis)
print(f"trained on {len(train)} biopsies; of {len(held_out)} others {right:.0%} right")
print(f"biopsy.json is one of the others: {held_out_diagnosis.iloc[0]}")
