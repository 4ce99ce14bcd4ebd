import bz2
import collections
import functools
import gzip
import io
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
from joblib.numpy_pickle import NumpyUnpickler
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from lading.bundle.pickles import unwrap
from lading.bundle.recorder import Missing, Recording, distributions, record, unresolved
from lading.errors import FormatError

FRAME = pd.DataFrame({"age": np.arange(60.0), "city": ["Rome", "Oslo", "Bern"] * 20})
TARGET = np.array(["no", "yes"] * 30, dtype=object)

MODELS = {
    "sklearn.linear_model._logistic.LogisticRegression": LogisticRegression(),
    "sklearn.ensemble._forest.RandomForestClassifier": RandomForestClassifier(5, random_state=0),
    "sklearn.ensemble._gb.GradientBoostingClassifier": GradientBoostingClassifier(n_estimators=3),
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingClassifier": (
        HistGradientBoostingClassifier(max_iter=3)
    ),
    "sklearn.neighbors._classification.KNeighborsClassifier": KNeighborsClassifier(algorithm="kd_tree"),
    "sklearn.svm._classes.SVC": SVC(),
    "sklearn.pipeline.Pipeline": Pipeline(
        [
            (
                "columns",
                ColumnTransformer([("number", StandardScaler(), ["age"]), ("text", OneHotEncoder(), ["city"])]),
            ),
            ("model", LogisticRegression()),
        ]
    ),
}


def joblib_bytes(value, compress=0, protocol=None):
    stream = io.BytesIO()
    joblib.dump(value, stream, compress=compress, protocol=protocol)
    return stream.getvalue()


STORAGES = {
    "joblib": joblib_bytes,
    "joblib-3": functools.partial(joblib_bytes, compress=3),
    "joblib-xz": functools.partial(joblib_bytes, compress=("xz", 3)),
    "joblib-protocol-3": functools.partial(joblib_bytes, protocol=3),
    "protocol-3": functools.partial(pickle.dumps, protocol=3),
    "protocol-4": functools.partial(pickle.dumps, protocol=4),
    "protocol-5": functools.partial(pickle.dumps, protocol=5),
    "gzip": lambda model: gzip.compress(pickle.dumps(model)),
    "bz2": lambda model: bz2.compress(pickle.dumps(model)),
}
OLD_STORAGES = {
    "joblib-protocol-0": functools.partial(joblib_bytes, protocol=0),
    "joblib-protocol-2": functools.partial(joblib_bytes, protocol=2),
    "protocol-0": functools.partial(pickle.dumps, protocol=0),
    "protocol-1": functools.partial(pickle.dumps, protocol=1),
    "protocol-2": functools.partial(pickle.dumps, protocol=2),
}


class Loading(NumpyUnpickler):
    """joblib's own unpickler, which really loads, and keeps the names."""

    def __init__(self, data):
        super().__init__("", io.BytesIO(data), True)
        self.names = {}

    def find_class(self, module, name):
        self.names[module, name] = None
        return super().find_class(module, name)


@pytest.fixture(scope="module")
def models():
    features = {"sklearn.pipeline.Pipeline": FRAME}
    return {name: model.fit(features.get(name, FRAME[["age"]]), TARGET) for name, model in MODELS.items()}


def raw(data):
    return unwrap(data, max_bytes=1 << 26)


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("name", MODELS)
def test_the_names_are_those_that_loading_looks_up(models, name, storage):
    data = raw(STORAGES[storage](models[name]))
    loading = Loading(data)
    loading.load()
    recording = record(data)
    assert recording.names == tuple(loading.names)
    assert (recording.top, recording.model_key, recording.metadata) == (name, None, None)


@pytest.mark.parametrize("storage", OLD_STORAGES)
@pytest.mark.parametrize("name", MODELS)
def test_old_protocols_give_names_of_python_3(models, name, storage):
    recording = record(raw(OLD_STORAGES[storage](models[name])))
    assert recording.top == name
    assert unresolved(recording) == ()
    assert not {"copy_reg", "__builtin__"} & {module for module, _ in recording.names}


def test_the_version_that_saved_the_model_is_found(models):
    for model in models.values():
        assert record(joblib_bytes(model)).versions == {"scikit-learn": sklearn_version()}


def sklearn_version():
    import sklearn

    return sklearn.__version__


def test_a_version_that_is_none_is_not_kept():
    state = {"_sklearn_version": "1.0\x1b[2J; see evil.example"}
    assert record(pickle.dumps(Stateful(state))).versions == {}


class Stateful:
    def __init__(self, state):
        self.__dict__.update(state)


@pytest.mark.parametrize("dump", [joblib_bytes, pickle.dumps])
def test_metadata_beside_the_model_is_read(models, dump):
    model = models["sklearn.pipeline.Pipeline"]
    saved = {"when": pd.Timestamp("2024-01-01"), "model": model, "accuracy": 0.9, "metadata": {"author": "x"}}
    recording = record(dump(saved))
    assert (recording.top, recording.model_key) == ("dict", "model")
    assert recording.metadata == {"author": "x", "accuracy": 0.9}


def test_a_dictionary_without_a_model_has_no_metadata():
    recording = record(pickle.dumps({"accuracy": 0.9}))
    assert (recording.top, recording.model_key, recording.metadata) == ("dict", None, None)


def test_an_ordered_dictionary_is_a_dictionary_too(models):
    model = models["sklearn.svm._classes.SVC"]
    recording = record(joblib_bytes(collections.OrderedDict(author="x", clf=model)))
    assert (recording.top, recording.model_key) == ("collections.OrderedDict", "clf")
    assert recording.metadata == {"author": "x"}


@pytest.mark.parametrize(
    ("value", "top"),
    [
        (np.arange(3), "numpy.ndarray"),
        ([1, 2], "list"),
        (None, "NoneType"),
        (len, "builtins.len"),
        (collections.Counter("aab"), "collections.Counter"),
    ],
)
def test_the_type_of_what_is_no_model(value, top):
    assert record(pickle.dumps(value)).top == top
    assert record(joblib_bytes(value)).top == top


@pytest.fixture(scope="module")
def notebook_model(tmp_path_factory):
    """A model with a function that only a script knew."""
    folder = tmp_path_factory.mktemp("notebook")
    script = folder / "train.py"
    script.write_text(
        "import joblib\n"
        "from sklearn.preprocessing import FunctionTransformer\n"
        "def get_last_column(x):\n    return x[:, -1:]\n"
        "joblib.dump(FunctionTransformer(get_last_column), 'model.joblib')\n"
    )
    subprocess.run([sys.executable, script.name], cwd=folder, check=True)
    return (folder / "model.joblib").read_bytes()


def test_a_function_of_a_script_is_missing(notebook_model):
    recording = record(notebook_model)
    assert unresolved(recording) == (Missing("__main__", "get_last_column", "main"),)


def test_a_name_of_main_is_missing_even_where_this_process_has_it(notebook_model, monkeypatch):
    monkeypatch.setattr(sys.modules["__main__"], "get_last_column", len, raising=False)
    assert [missing.reason for missing in unresolved(record(notebook_model))] == ["main"]


def recording_of(*names):
    return Recording(names=names, top="dict", versions={}, metadata=None, model_key=None)


def test_a_package_that_is_not_installed_is_missing():
    recording = recording_of(("xgboost_of_tomorrow.core", "Booster"), ("sklearn.svm", "SVC"), ("decimal", "Decimal"))
    assert unresolved(recording) == (Missing("xgboost_of_tomorrow.core", "Booster", "package"),)


@pytest.mark.parametrize("module", ["", ".", "..os", "a b", "a/b", "no-such-package", "os\u200b"])
def test_a_name_that_no_package_has_is_missing(module):
    assert [missing.reason for missing in unresolved(recording_of((module, "x")))] == ["package"]


def test_a_module_without_a_spec_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "half_loaded", type(sys)("half_loaded"))
    assert len(unresolved(recording_of(("half_loaded", "x")))) == 1


def test_looking_for_a_package_does_not_import_it(tmp_path, monkeypatch):
    canary = tmp_path / "canary"
    package = tmp_path / "package_with_canary"
    package.mkdir()
    (package / "__init__.py").write_text(f"open({str(canary)!r}, 'w')")
    (package / "part.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    recording = record(b"cpackage_with_canary.part\nthing\n.")
    assert unresolved(recording) == ()
    assert distributions(recording) == ()
    assert not canary.exists()
    assert "package_with_canary" not in sys.modules


def test_the_distributions_are_those_to_install(models):
    recording = record(joblib_bytes(models["sklearn.ensemble._forest.RandomForestClassifier"]))
    assert distributions(recording) == ("joblib", "numpy", "scikit-learn")


def test_the_standard_library_and_what_is_absent_have_no_distribution():
    assert distributions(recording_of(("decimal", "Decimal"), ("__main__", "f"), ("no_such_package", "x"))) == ()


def test_recording_a_model_loads_no_library(tmp_path, models):
    path = tmp_path / "model.joblib"
    path.write_bytes(joblib_bytes(models["sklearn.pipeline.Pipeline"]))
    code = (
        "import sys; from lading.bundle.recorder import record, unresolved, distributions;"
        f"recording = record(open({str(path)!r}, 'rb').read());"
        "assert not unresolved(recording) and 'scikit-learn' in distributions(recording);"
        "print(sorted({'sklearn', 'joblib', 'pandas', 'scipy'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_a_broken_pickle_says_so_without_its_data():
    with pytest.raises(FormatError, match="the pickle is broken: reading it ended with `ValueError`") as error:
        record(b"I the secret\n.")
    assert "secret" not in f"{error.value} {error.value.hint}"
    assert error.value.__suppress_context__
