"""ONNX files read as bytes: what is elsewhere or of somebody else is found at any depth; nothing breaks the reader."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import (
    AttributeProto,
    FunctionProto,
    GraphProto,
    ModelProto,
    NodeProto,
    SparseTensorProto,
    TensorProto,
    helper,
)
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestClassifier

from lading.errors import FormatError
from lading.flavors import onnx_file
from lading.flavors.onnx import OnnxFlavor
from lading.flavors.onnx_file import MAX_DEPTH, OnnxFile, read_onnx_file


@pytest.fixture(scope="module")
def forest(iris: Any) -> bytes:
    model = RandomForestClassifier(2, random_state=0).fit(iris.data, iris.target)
    data: bytes = to_onnx(model, np.zeros((1, 4), np.float32)).SerializeToString()
    return data


def attribute(**values: Any) -> bytes:
    """A file with one node that has one attribute."""
    return file(NodeProto(attribute=[AttributeProto(**values)]))


def file(*nodes: NodeProto, **parts: Any) -> bytes:
    data: bytes = ModelProto(ir_version=8, graph=GraphProto(node=nodes, **parts)).SerializeToString()
    return data


# --- class labels


@pytest.mark.parametrize("name", ["classlabels_int64s", "classlabels_ints"])
def test_labels_that_are_numbers_are_read(name: str) -> None:
    assert read_onnx_file(attribute(name=name, ints=[3, -1, 2**40, 0])) == OnnxFile((3, -1, 2**40, 0))


def test_labels_that_are_texts_are_read() -> None:
    assert read_onnx_file(attribute(name="classlabels_strings", strings=[b"no", "später".encode()])).class_labels == (
        "no",
        "später",
    )


def test_labels_are_those_of_the_first_node_that_has_some() -> None:
    kinds = [("other", [5]), ("classlabels_int64s", [0, 1]), ("classlabels_int64s", [7])]
    nodes = [NodeProto(attribute=[AttributeProto(name=name, ints=ints)]) for name, ints in kinds]
    assert read_onnx_file(file(*nodes)).class_labels == (0, 1)


def test_numbers_packed_into_one_field_are_read_too() -> None:
    # The name (field 1) and `ints` (field 8), packed, in an attribute (field 5) of a node (1) of a graph (7).
    inner = b"\x0a\x12classlabels_int64s" + b"\x42\x03\x01\x80\x01"
    node = b"\x2a" + bytes([len(inner)]) + inner
    graph = b"\x0a" + bytes([len(node)]) + node
    assert read_onnx_file(b"\x3a" + bytes([len(graph)]) + graph).class_labels == (1, 128)


def test_what_skl2onnx_writes_is_read(forest: bytes) -> None:
    assert read_onnx_file(forest).class_labels == (0, 1, 2)


# --- data elsewhere, at every place where a tensor may stand

TENSOR = TensorProto(name="w", data_location=TensorProto.EXTERNAL)
PATH = TensorProto(name="w", external_data=[onnx.StringStringEntryProto(key="location", value="/etc/passwd")])


def within(graph: GraphProto, depth: int) -> GraphProto:
    """The graph as an attribute of a node of another graph, and so on."""
    for _ in range(depth):
        graph = GraphProto(node=[NodeProto(op_type="If", attribute=[AttributeProto(name="then_branch", g=graph)])])
    return graph


PLACES: dict[str, Callable[[Any], ModelProto]] = {
    "initializer": lambda tensor: ModelProto(graph=GraphProto(initializer=[tensor])),
    "sparse values": lambda tensor: sparse(SparseTensorProto(values=tensor)),
    "sparse indices": lambda tensor: sparse(SparseTensorProto(indices=tensor)),
    "attribute": lambda tensor: one(AttributeProto(t=tensor)),
    "attribute of several": lambda tensor: one(AttributeProto(tensors=[TensorProto(), tensor])),
    "sparse attribute": lambda tensor: one(AttributeProto(sparse_tensor=SparseTensorProto(values=tensor))),
    "sparse attributes": lambda tensor: one(AttributeProto(sparse_tensors=[SparseTensorProto(indices=tensor)])),
    "subgraph": lambda tensor: ModelProto(graph=within(GraphProto(initializer=[tensor]), 3)),
    "subgraphs": lambda tensor: one(AttributeProto(graphs=[GraphProto(), GraphProto(initializer=[tensor])])),
    "function": lambda tensor: ModelProto(functions=[FunctionProto(node=[NodeProto(attribute=[at(tensor)])])]),
    "default of a function": lambda tensor: ModelProto(functions=[FunctionProto(attribute_proto=[at(tensor)])]),
    "training": lambda tensor: ModelProto(
        training_info=[onnx.TrainingInfoProto(algorithm=GraphProto(initializer=[tensor]))]
    ),
}


def at(tensor: TensorProto) -> AttributeProto:
    return AttributeProto(t=tensor)


def one(attribute: AttributeProto) -> ModelProto:
    return ModelProto(graph=GraphProto(node=[NodeProto(attribute=[attribute])]))


def sparse(tensor: SparseTensorProto) -> ModelProto:
    return ModelProto(graph=GraphProto(sparse_initializer=[tensor]))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("tensor", [TENSOR, PATH], ids=["location", "path"])
def test_data_in_another_file_is_refused(place: str, tensor: TensorProto) -> None:
    with pytest.raises(FormatError, match="keeps data in another file"):
        read_onnx_file(PLACES[place](tensor).SerializeToString())


@pytest.mark.parametrize("place", PLACES)
def test_data_in_the_file_itself_are_fine(place: str) -> None:
    tensor = TensorProto(name="w", data_location=TensorProto.DEFAULT, raw_data=b"\x70\x01\x6a\x02", dims=[4])
    assert read_onnx_file(PLACES[place](tensor).SerializeToString()) == OnnxFile()


def test_a_location_that_is_said_twice_counts_each_time() -> None:
    graph = b"\x2a\x04" + b"\x70\x01" + b"\x70\x00"
    with pytest.raises(FormatError, match="keeps data in another file"):
        read_onnx_file(b"\x3a" + bytes([len(graph)]) + graph)


def test_onnxruntime_never_sees_such_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnxruntime.InferenceSession", None)
    with pytest.raises(FormatError, match="keeps data in another file"):
        OnnxFlavor().load(PLACES["subgraph"](PATH).SerializeToString())


# --- operators of others

DOMAINS = {
    "node": ModelProto(graph=GraphProto(node=[NodeProto(domain="evil.ops")])),
    "node of a subgraph": ModelProto(graph=within(GraphProto(node=[NodeProto(domain="evil.ops")]), 2)),
    "node of a function": ModelProto(functions=[FunctionProto(node=[NodeProto(domain="evil.ops")])]),
    "function": ModelProto(functions=[FunctionProto(domain="evil.ops")]),
    "import": ModelProto(opset_import=[helper.make_opsetid("", 19), helper.make_opsetid("evil.ops", 1)]),
    "import of a function": ModelProto(functions=[FunctionProto(opset_import=[helper.make_opsetid("evil.ops", 1)])]),
}


@pytest.mark.parametrize("place", DOMAINS)
def test_operators_of_a_strange_domain_are_refused(place: str) -> None:
    with pytest.raises(FormatError, match=r"operators of the domain `evil\.ops`"):
        read_onnx_file(DOMAINS[place].SerializeToString())


@pytest.mark.parametrize("domain", sorted(onnx_file.DOMAINS))
def test_operators_of_onnxruntime_are_fine(domain: str) -> None:
    model = ModelProto(graph=GraphProto(node=[NodeProto(domain=domain)]), opset_import=[helper.make_opsetid(domain, 1)])
    assert read_onnx_file(model.SerializeToString()) == OnnxFile()


def test_a_domain_is_not_printed_as_it_likes() -> None:
    with pytest.raises(FormatError) as caught:
        read_onnx_file(file(NodeProto(domain="\x1b[2Jevil")))
    assert caught.value.message.isprintable()


# --- bounds


def test_messages_may_not_be_too_deep() -> None:
    assert read_onnx_file(ModelProto(graph=within(GraphProto(), 20)).SerializeToString()) == OnnxFile()
    with pytest.raises(FormatError, match=f"more than {MAX_DEPTH} deep"):
        read_onnx_file(ModelProto(graph=within(GraphProto(), 30)).SerializeToString())


def test_a_file_may_not_be_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_file, "MAX_BYTES", 10)
    with pytest.raises(FormatError, match="larger than 2 GiB"):
        read_onnx_file(bytes(11))


def test_a_million_numbers_are_passed_over_and_what_is_behind_them_is_not() -> None:
    node = NodeProto(
        attribute=[AttributeProto(name="x", floats=[1.5] * 1_000_000, ints=range(1000))], domain="evil.ops"
    )
    with pytest.raises(FormatError, match=r"evil\.ops"):
        read_onnx_file(file(node))


BROKEN = {
    "text": b"hello",
    "no end": b"\x3a\x05\x0a",
    "a number without end": b"\x08" + b"\xff" * 11,
    "a group": b"\x3b\x08\x01\x3c",
    "field 0": b"\x02\x00",
    "beyond the end": b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    "half a float": b"\x1d\x00\x00",
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_protobuf_is_refused(name: str) -> None:
    with pytest.raises(FormatError, match="it is no protobuf message"):
        read_onnx_file(BROKEN[name])


def test_a_flipped_or_cut_file_is_fine_or_refused_and_nothing_else(forest: bytes, scale: str) -> None:
    rng = random.Random(7)
    refused = 0
    for _ in range(5000 if scale == "full" else 300):
        damaged = bytearray(forest)
        damaged[rng.randrange(len(forest))] = rng.randrange(256)
        try:
            read_onnx_file(bytes(damaged[: rng.choice([len(forest), rng.randrange(len(forest))])]))
        except FormatError:
            refused += 1
    assert refused > 50


def test_bytes_by_chance_are_fine_or_refused_and_nothing_else(scale: str) -> None:
    rng = random.Random(11)
    tags = bytes.fromhex("3a0a2a7a7202120c08100a3a6a701d3d40")
    for _ in range(20_000 if scale == "full" else 1_000):
        data = bytes(rng.choice(tags) if rng.random() < 0.7 else rng.randrange(256) for _ in range(rng.randrange(80)))
        assert said_of(data).isprintable()


def said_of(data: bytes) -> str:
    """What reading says; anything but our error goes through."""
    try:
        return repr(read_onnx_file(data).class_labels)
    except FormatError as error:
        return error.message
