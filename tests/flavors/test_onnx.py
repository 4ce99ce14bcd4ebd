"""ONNX graphs: whatever shape their inputs and outputs have, they answer as in a session of their own."""

import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import lading
from lading.errors import FormatError, LadingError, UnsupportedModel
from lading.flavors.onnx import open_session

NO_MAP = {"zipmap": False}


@pytest.fixture(scope="module")
def X(iris: Any) -> Any:
    return iris.data.to_numpy(np.float32)


def graphs(X: Any, y: Any, names: Any) -> dict[str, Any]:
    classifier = make_pipeline(StandardScaler(), LogisticRegression())
    return {
        "map of integers": to_onnx(classifier.fit(X, y), X[:1]),
        "tensor of integers": to_onnx(classifier.fit(X, y), X[:1], options=NO_MAP),
        "map of texts": to_onnx(classifier.fit(X, names), X[:1]),
        "tensor of texts": to_onnx(classifier.fit(X, names), X[:1], options=NO_MAP),
        "forest": to_onnx(RandomForestClassifier(5, random_state=0).fit(X, y), X[:1]),
        "regression": to_onnx(Ridge().fit(X[:, :3], X[:, 3]), X[:1, :3]),
        "two numbers": to_onnx(LinearRegression().fit(X[:, :2], X[:, 2:]), X[:1, :2]),
        "doubles": to_onnx(Ridge().fit(X[:, :3].astype(float), X[:, 3]), X[:1, :3].astype(float)),
        "one column": to_onnx(Ridge().fit(X[:, :1], X[:, 3]), X[:1, :1]),
    }


NAMES = list(graphs(np.eye(4, dtype=np.float32), [0, 1, 0, 1], ["a", "b", "a", "b"]))


@pytest.fixture(scope="module")
def models(X: Any, iris: Any) -> dict[str, Any]:
    return graphs(X, iris.target, iris.target_names[iris.target])


def session_answers(graph: Any, X: Any) -> list[Any]:
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    width = given.shape[1]
    dtype = {"tensor(float)": np.float32, "tensor(double)": np.float64}[given.type]
    answers: list[Any] = session.run(None, {given.name: X[:, :width].astype(dtype)})
    return answers


def matrix(probabilities: Any) -> Any:
    return [list(row.values()) for row in probabilities] if isinstance(probabilities, list) else probabilities.tolist()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("is_packed", [True, False])
def test_it_answers_as_in_a_session_of_its_own(
    name: str, is_packed: bool, models: dict[str, Any], X: Any, tmp_path: Path
) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(models[name].SerializeToString())
    expected = session_answers(models[name], X)
    width = len(lading.load(path).schema.inputs)
    if is_packed:
        path = lading.pack(path, X[:, :width], path=tmp_path / "m.lading").path
    served = lading.load(path)
    assert served.predict(X[:, :width]).tolist() == expected[0].reshape(served.predict(X[:, :width]).shape).tolist()
    if len(expected) > 1:
        assert np.array_equal(served.predict_proba(X[:, :width]), matrix(expected[1]))


@pytest.mark.parametrize("name", ["map of texts", "tensor of texts"])
def test_the_classes_are_known(name: str, models: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(models[name].SerializeToString())
    prediction, probabilities = lading.load(path).schema.outputs
    assert prediction.classes == ("setosa", "versicolor", "virginica")
    assert probabilities.columns == prediction.classes


@pytest.mark.parametrize("name", ["map of texts", "tensor of texts"])
def test_without_the_package_onnx_it_answers_the_same(
    name: str, models: dict[str, Any], X: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(models[name].SerializeToString())
    monkeypatch.setitem(sys.modules, "onnx", None)
    served = lading.load(path)
    assert served.schema.outputs[1].columns == ("setosa", "versicolor", "virginica")
    expected = session_answers(models[name], X)
    assert served.predict(X).tolist() == expected[0].tolist()
    assert np.array_equal(served.predict_proba(X), matrix(expected[1]))


def graph_of_columns() -> Any:
    """A graph with one input a column, of every type; adds up the three that are numbers or booleans."""
    types = {"age": "DOUBLE", "visits": "INT64", "is_member": "BOOL", "city": "STRING"}
    values = {name: getattr(onnx.TensorProto, kind) for name, kind in types.items()}
    inputs = [onnx.helper.make_tensor_value_info(name, kind, [None, 1]) for name, kind in values.items()]
    output = onnx.helper.make_tensor_value_info("sum", onnx.TensorProto.DOUBLE, [None, 1])
    nodes = [
        onnx.helper.make_node("Cast", [name], [f"{name}_number"], to=onnx.TensorProto.DOUBLE)
        for name in ("visits", "is_member")
    ]
    nodes.append(onnx.helper.make_node("Sum", ["age", "visits_number", "is_member_number"], ["sum"]))
    return model_of(onnx.helper.make_graph(nodes, "columns", inputs, [output]))


def model_of(graph: Any) -> Any:
    return onnx.helper.make_model(graph, ir_version=8, opset_imports=[onnx.helper.make_opsetid("", 13)])


@pytest.mark.parametrize("has_data", [True, False])
def test_a_graph_by_columns_knows_their_names_and_kinds(has_data: bool, tmp_path: Path) -> None:
    frame = pd.DataFrame({"city": ["Bern", "Köln"], "age": [20.5, 30.5], "is_member": [True, False], "visits": [3, 4]})
    graph = graph_of_columns()
    served = lading.load(lading.pack(graph, frame if has_data else None, path=tmp_path / "m.lading").path)
    kinds = {field.name: field.kind for field in served.schema.inputs}
    assert kinds == {"age": "float", "visits": "int", "is_member": "bool", "city": "text"}
    assert served.predict(frame).tolist() == [24.5, 34.5]


def test_its_metadata_are_the_authors(models: dict[str, Any], tmp_path: Path) -> None:
    graph = models["regression"]
    entry = graph.metadata_props.add()
    entry.key, entry.value = "author", "Jo"
    assert lading.pack(graph, path=tmp_path / "m.lading").manifest.metadata == {"author": "Jo"}


def test_a_graph_with_more_dimensions_is_refused(tmp_path: Path) -> None:
    image = onnx.helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, [None, 28, 28])
    same = onnx.helper.make_tensor_value_info("same", onnx.TensorProto.FLOAT, [None, 28, 28])
    node = onnx.helper.make_node("Identity", ["image"], ["same"])
    graph = model_of(onnx.helper.make_graph([node], "g", [image], [same]))
    with pytest.raises(UnsupportedModel, match="has 3 dimensions, expected rows and columns"):
        lading.pack(graph, path=tmp_path / "m.lading")


def test_flipped_and_cut_files_end_in_nothing_but_our_errors(
    models: dict[str, Any], tmp_path: Path, scale: str, capfd: pytest.CaptureFixture[str]
) -> None:
    rng = random.Random(7)
    data = models["tensor of integers"].SerializeToString()
    for _ in range(2000 if scale == "full" else 100):
        damaged = bytearray(data)
        damaged[rng.randrange(len(data))] = rng.randrange(256)
        (tmp_path / "m.onnx").write_bytes(damaged[: rng.choice([len(data), rng.randrange(1, len(data))])])
        assert said_of(tmp_path / "m.onnx")
    assert capfd.readouterr() == ("", "")


def said_of(path: Path) -> str:
    """What loading says; anything but one of our errors goes through."""
    try:
        return lading.load(path).manifest.class_name
    except LadingError as error:
        return error.message


def test_a_broken_graph_is_told(tmp_path: Path) -> None:
    graph = onnx.helper.make_graph([onnx.helper.make_node("Nothing", ["a"], ["b"])], "g", [], [])
    (tmp_path / "m.onnx").write_bytes(model_of(graph).SerializeToString())
    with pytest.raises(FormatError, match="onnxruntime cannot read the graph"):
        lading.load(tmp_path / "m.onnx")


def test_the_bytes_of_a_graph_are_not_kept(models: dict[str, Any]) -> None:
    data = models["forest"].SerializeToString()
    held = sys.getrefcount(data)
    session = open_session(data)
    assert session.get_inputs()
    assert sys.getrefcount(data) == held


LOADING = """
import os, sys, pathlib
from lading.flavors.onnx import open_session
open_session(pathlib.Path(sys.argv[1]).read_bytes())
print(len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 1, os.listdir(os.environ["TMPDIR"]))
"""


def test_nothing_is_reported_to_anybody_and_no_id_is_kept(tmp_path: Path, models: dict[str, Any]) -> None:
    """Onnxruntime's own telemetry would keep the id of a session among temporary files, and a thread that uploads."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    (tmp_path / "model.onnx").write_bytes(models["doubles"].SerializeToString())
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ORT_")}
    environment = kept | {"TMPDIR": str(folder), "HOME": str(folder)}
    command = [sys.executable, "-c", LOADING, str(tmp_path / "model.onnx")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    threads, files = done.stdout.split(maxsplit=1)
    assert files.strip() == "[]"
    assert int(threads) <= 2
