"""Pickles in every dress: what is loaded, what is refused before anything in it runs, and what is said."""

import gzip
import io
import json
import pickle
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from tests.live import environment

import lading
from lading.errors import EnvironmentMismatch, FormatError, LadingError, UnsupportedModel
from lading.flavors.registry import flavor_named

OLD = Path(__file__).parents[1] / "data" / "iris-sklearn-1.5.2.pkl"
"""A StandardScaler and LogisticRegression of iris, saved by scikit-learn 1.5.2."""


def joblib_bytes(model: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    joblib.dump(model, file, **options)
    return file.getvalue()


DRESSES: dict[str, Callable[[Any], bytes]] = {
    "model.joblib": joblib_bytes,
    "compressed.joblib": lambda model: joblib_bytes(model, compress=3),
    "xz.joblib": lambda model: joblib_bytes(model, compress=("xz", 3)),
    "model.joblib.z": lambda model: joblib_bytes(model, compress=("zlib", 3)),
    "model.pkl.bz2": lambda model: joblib_bytes(model, compress=("bz2", 3)),
    "model.joblib.lzma": lambda model: joblib_bytes(model, compress=("lzma", 3)),
    "model.pkl.gz": lambda model: gzip.compress(pickle.dumps(model)),
    "model.pickle": pickle.dumps,
    "MODEL.PKL": pickle.dumps,
    "finalized_model.sav": pickle.dumps,
    "model": pickle.dumps,
    "model-1.0": pickle.dumps,
    **{f"protocol{number}.pkl": lambda model, n=number: pickle.dumps(model, protocol=n) for number in range(6)},
}


@pytest.mark.parametrize("name", DRESSES)
def test_every_dress_is_loaded_and_packed(name: str, tmp_path: Path, model: Any, iris: Any) -> None:
    (tmp_path / name).write_bytes(DRESSES[name](model))
    bundle = lading.pack(tmp_path / name, iris.data, path=tmp_path / "iris.lading")
    for path in (tmp_path / name, bundle.path):
        assert lading.load(path).predict(iris.data).tolist() == model.predict(iris.data).tolist()
    assert flavor_named("sklearn").name == bundle.manifest.flavor


def test_metadata_beside_the_model_in_a_dictionary(tmp_path: Path, model: Any) -> None:
    with (tmp_path / "model.pkl").open("wb") as file:
        pickle.dump({"model": model, "author": "Jo", "metadata": {"auc": 0.93}}, file)
    assert lading.load(tmp_path / "model.pkl").manifest.metadata == {"author": "Jo", "auc": 0.93}


def test_a_dictionary_with_a_model_is_packed_from_python(tmp_path: Path, model: Any, iris: Any) -> None:
    packed = lading.pack({"model": model, "author": "Jo"}, iris.data, path=tmp_path / "m.lading")
    assert packed.manifest.metadata == {"author": "Jo"}
    assert lading.load(packed.path).predict(iris.data).tolist() == model.predict(iris.data).tolist()


def test_a_metadata_file_beside_the_model(tmp_path: Path, model: Any) -> None:
    joblib.dump({"model": model, "author": "Jo", "year": 2024}, tmp_path / "m.joblib")
    (tmp_path / "metadata.json").write_text(json.dumps({"year": 2025, "license": "CC0"}))
    metadata = {"author": "Jo", "year": 2025, "license": "CC0"}
    assert lading.load(tmp_path / "m.joblib").manifest.metadata == metadata
    packed = lading.pack(tmp_path / "m.joblib", path=tmp_path / "m.lading")
    assert lading.load(packed.path).manifest.metadata == metadata


def broken() -> dict[str, bytes]:
    whole = joblib_bytes(np.arange(100.0))
    model = pickle.dumps(LogisticRegression())
    return {
        "empty": b"",
        "text": b"hello\n",
        "page": b"<html><body>404</body></html>",
        "half": model[: len(model) // 2],
        "half an array": whole[: len(whole) // 2],
        "one byte": b"\x80",
        "half a gzip": gzip.compress(model)[:40],
        "a text in a gzip": gzip.compress(b"hello"),
        "a seventh protocol": b"\x80\x07" + model[2:],
    }


@pytest.mark.parametrize("name", broken())
def test_a_broken_file_is_one_clear_line(name: str, tmp_path: Path) -> None:
    (tmp_path / "model.joblib").write_bytes(broken()[name])
    with pytest.raises(FormatError) as caught:
        lading.load(tmp_path / "model.joblib")
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_flipped_and_cut_files_end_in_nothing_but_our_errors(tmp_path: Path, model: Any, scale: str) -> None:
    rng = random.Random(7)
    for data in (joblib_bytes(model), pickle.dumps(model, protocol=0), gzip.compress(pickle.dumps(model))):
        for _ in range(2000 if scale == "full" else 60):
            (tmp_path / "m.pkl").write_bytes(damaged(data, rng))
            assert "\n" not in said_of(tmp_path / "m.pkl")


def damaged(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 4])):
        changed[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(changed[: rng.choice([len(data), rng.randrange(len(data))])])


def said_of(path: Path) -> str:
    """What loading says; anything but one of our errors goes through."""
    try:
        return lading.load(path).manifest.class_name
    except LadingError as error:
        return error.message


def needing(package: str) -> bytes:
    """A pickle that names something of a package, behind a canary's place."""
    return b"\x80\x04\x8c" + bytes([len(package)]) + package.encode() + b"\x8c\x05Model\x93)\x81."


MISSING = {
    "a known package": ("skorch.net", 'pip install "skorch"'),
    "another name to install": ("imblearn.pipeline", 'pip install "imbalanced-learn"'),
    "a module of one's own": ("my_features.steps", "PYTHONPATH"),
}


@pytest.mark.parametrize("name", MISSING)
def test_a_missing_package_is_said_with_what_mends_it(name: str, tmp_path: Path) -> None:
    module, mend = MISSING[name]
    (tmp_path / "model.pkl").write_bytes(needing(module))
    with pytest.raises(EnvironmentMismatch) as caught:
        lading.load(tmp_path / "model.pkl")
    assert caught.value.hint is not None
    assert mend in caught.value.hint


def test_nobody_is_told_to_install_what_has_the_name_of_their_own_module(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(needing("my_features"))
    with pytest.raises(EnvironmentMismatch) as caught:
        lading.load(tmp_path / "model.pkl")
    assert "pip install" not in f"{caught.value.message} {caught.value.hint}"


class Gone:
    """Something of a module that will not be there."""


def test_nothing_runs_before_a_missing_module_is_said(
    tmp_path: Path, canary: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Gone, "__module__", "my_features")
    monkeypatch.setitem(sys.modules, "my_features", type(sys)("my_features"))
    sys.modules["my_features"].Gone = Gone  # type: ignore[attr-defined]
    data = pickle.dumps({"model": canary, "other": Gone()})
    monkeypatch.delitem(sys.modules, "my_features")
    refused_before_loading(data, canary.path, EnvironmentMismatch, "`my_features`")


def refused_before_loading(data: bytes, canary: Path, kind: type[LadingError], words: str, **options: Any) -> None:
    path = canary.parent / "model.pkl"
    path.write_bytes(data)
    with pytest.raises(kind, match=words):
        lading.load(path, **options)
    assert not canary.exists()


def test_names_of_the_notebook_are_said_before_anything_runs(tmp_path: Path, canary: Any) -> None:
    program = (
        "import pickle, sys\n"
        "from tests.flavors.conftest import Canary\n"
        "from pathlib import Path\n"
        "def get_last_column(x): return x[:, -1:]\n"
        "pickle.dump([Canary(Path(sys.argv[1])), get_last_column], sys.stdout.buffer)\n"
    )
    saved = subprocess.run(
        [sys.executable, "-c", program, str(canary.path)],
        env=environment(),
        capture_output=True,
        timeout=60,
        check=True,
    )
    refused_before_loading(
        saved.stdout, canary.path, UnsupportedModel, "needs `get_last_column` from the notebook or script"
    )


def test_another_version_is_said_before_anything_runs(canary: Any, model: Any) -> None:
    data = pickle.dumps([canary, model], protocol=4)
    version = sklearn.__version__.encode()
    older = data.replace(version, b"1" + b".0" * ((len(version) - 1) // 2) + b"0" * ((len(version) - 1) % 2))
    assert older != data
    refused_before_loading(older, canary.path, EnvironmentMismatch, "scikit-learn 1[.]0.* is needed")


def test_the_canary_would_sing(tmp_path: Path, canary: Any) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(canary))
    with pytest.raises(LadingError):
        lading.load(tmp_path / "model.pkl")
    assert canary.path.exists()


def test_an_older_file_names_the_command_that_mends_it() -> None:
    with pytest.raises(EnvironmentMismatch) as caught:
        lading.load(OLD)
    assert f"this environment has {sklearn.__version__}" in caught.value.message
    assert caught.value.hint is not None
    assert 'pip install "scikit-learn==1.5.2"' in caught.value.hint


def test_an_older_file_is_loaded_without_a_word_when_its_owner_says_so(iris: Any) -> None:
    predictions = lading.load(OLD, ignore_versions=True).predict(iris.data.to_numpy())
    assert (predictions == iris.target).mean() > 0.9


def test_a_module_that_is_missing_only_when_loading_is_said(tmp_path: Path) -> None:
    # The first part of the name is here, so only loading finds out.
    (tmp_path / "model.pkl").write_bytes(needing("sklearn.no_such_module"))
    with pytest.raises(EnvironmentMismatch, match=r"needs the module `sklearn[.]no_such_module`"):
        lading.load(tmp_path / "model.pkl")


def test_a_pickle_that_ends_the_program_is_refused(tmp_path: Path) -> None:
    data = b"\x80\x04\x8c\x08argparse\x8c\x13ArgumentParser.exit\x93NK\x03\x86R."
    (tmp_path / "model.pkl").write_bytes(data)
    with pytest.raises(FormatError, match="cannot be loaded: SystemExit"):
        lading.load(tmp_path / "model.pkl")


def test_what_is_not_a_model_is_not_dumped() -> None:
    flavor = flavor_named("sklearn")
    assert flavor.dump({"weights": 1}) is None
    assert flavor.dump(make_pipeline(FunctionTransformer())) is not None
