"""Small graphs in NumPy: the answers of onnxruntime, or nothing where something is not known."""

import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as arrays
import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from tests.live import environment

import lading
from lading.engine.arithmetic import arithmetic
from lading.engine.conversion import Job, convert
from lading.flavors.onnx import open_session
from lading.flavors.registry import dump_with_any
from lading.schema.fields import Field

IRIS, CANCER, DIABETES = load_iris(), load_breast_cancer(), load_diabetes()
MODELS: dict[str, tuple[Any, Any, Any]] = {
    "three classes": (make_pipeline(StandardScaler(), LogisticRegression()), IRIS.data, IRIS.target),
    "texts": (LogisticRegression(max_iter=1000), IRIS.data, IRIS.target_names[IRIS.target]),
    "two classes": (make_pipeline(StandardScaler(), LogisticRegression()), CANCER.data, CANCER.target),
    "one against all": (make_pipeline(StandardScaler(), SGDClassifier(loss="log_loss")), IRIS.data, IRIS.target),
    "a number": (make_pipeline(StandardScaler(), Ridge()), DIABETES.data, DIABETES.target),
    "two numbers": (LinearRegression(), DIABETES.data, np.stack([DIABETES.target] * 2, axis=1)),
    "gaps": (make_pipeline(SimpleImputer(), MinMaxScaler(), Ridge()), DIABETES.data, DIABETES.target),
}


@cache
def graph(name: str) -> bytes:
    model, data, target = MODELS[name]
    _, _, saved = dump_with_any(model.fit(data, target))
    fields = tuple(Field(f"x{place}") for place in range(data.shape[1]))
    return convert(Job("sklearn", fields, "array"), saved, "float64")


@pytest.mark.parametrize("name", MODELS)
@given(data=st.data())
def test_the_answers_are_those_of_onnxruntime(name: str, data: st.DataObject):
    width = MODELS[name][1].shape[1]
    numbers = st.floats(-1e6, 1e6) | (st.just(np.nan) if name == "gaps" else st.nothing())
    rows = data.draw(arrays.arrays(np.float64, (data.draw(st.integers(1, 5)), width), elements=numbers))
    ours, session = arithmetic(graph(name)), open_session(graph(name))
    assert ours is not None
    names = [output.name for output in session.get_outputs()]
    assert [output.name for output in ours.get_outputs()] == names
    for mine, theirs in zip(ours.run(names, {"x": rows}), session.run(names, {"x": rows}), strict=True):
        assert (mine.shape, mine.dtype) == (theirs.shape, theirs.dtype)
        if mine.dtype.kind == "f":
            assert np.allclose(mine, theirs, rtol=1e-9, atol=1e-9)
        elif len(names) == 1 or not _has_ties(session, names, rows):
            assert mine.tolist() == theirs.tolist()


def _has_ties(session: Any, names: list[str], rows: Any) -> bool:
    """Whether two classes are as likely, but for the last digits, in a row: then either label is right."""
    shares = np.sort(session.run(names[1:2], {"x": rows})[0], axis=1)
    return bool((shares[:, -1] - shares[:, -2] < 1e-9).any())


def test_only_what_is_asked_for_is_computed():
    ours = arithmetic(graph("three classes"))
    assert ours is not None
    steps = {name: len(plan) for name, plan in ours._plans.items()}
    assert steps["label"] < len(ours._graph.nodes)


def made(op: str, *, inputs: tuple[str, ...] = ("x",), domain: str = "", **attributes: Any) -> bytes:
    matrix = helper.make_tensor_value_info("x", TensorProto.DOUBLE, [None, 2])
    out = helper.make_tensor_value_info("y", TensorProto.DOUBLE, None)
    node = helper.make_node(op, list(inputs), ["y"], domain=domain, **attributes)
    constant = numpy_helper.from_array(np.ones(2), "one")
    model = helper.make_model(helper.make_graph([node], "g", [matrix], [out], [constant]))
    written: bytes = model.SerializeToString()
    return written


@pytest.mark.parametrize(
    "data",
    [
        made("Erf"),
        made("Abs", axis=1),
        made("Softmax", axis="last"),
        made("Add", inputs=("x", "nowhere")),
        made("Cast", to=TensorProto.STRING),
        made("Cast"),
    ],
    ids=["operator", "attribute", "kind of attribute", "input", "kind of number", "missing attribute"],
)
def test_what_is_not_known_is_left_to_onnxruntime(data: bytes):
    assert arithmetic(made("Add", inputs=("x", "one"))) is not None
    assert arithmetic(data) is None


def test_an_operator_of_another_domain_is_another_operator():
    assert arithmetic(made("Add", inputs=("x", "one"), domain="com.microsoft")) is None


def test_a_graph_of_float32_is_left_to_onnxruntime():
    model, data, target = MODELS["a number"]
    _, _, saved = dump_with_any(model.fit(data, target))
    fields = tuple(Field(f"x{place}") for place in range(data.shape[1]))
    assert arithmetic(convert(Job("sklearn", fields, "array"), saved, "float32")) is None


def test_a_large_graph_is_left_to_onnxruntime():
    model = onnx.load_from_string(made("Abs"))
    model.graph.initializer.append(numpy_helper.from_array(np.ones(1 << 18), "large"))
    assert arithmetic(model.SerializeToString()) is None


def test_trees_are_left_to_onnxruntime():
    forest = RandomForestClassifier(3).fit(IRIS.data, IRIS.target)
    _, _, saved = dump_with_any(forest)
    fields = tuple(Field(f"x{place}") for place in range(4))
    assert arithmetic(convert(Job("sklearn", fields, "array"), saved, "float64")) is None


def test_a_linear_model_is_served_without_onnxruntime(tmp_path: Path):
    iris = load_iris(as_frame=True)
    model = LogisticRegression(max_iter=1000).fit(iris.data, iris.target)
    bundle = lading.pack(model, iris.data, path=tmp_path / "iris.lading", compile="require").path
    script = f"""
import lading, sys
print(lading.load({str(bundle)!r}).predict([[5.1, 3.5, 1.4, 0.2]]))
print(sorted({{"sklearn", "onnxruntime"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment(), timeout=60)
    assert done.stdout == "[0]\n[]\n"
