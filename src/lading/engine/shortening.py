"""Fewer operators in a converted graph: each costs about as much as a small model computes in."""

from __future__ import annotations

from typing import Any


def shorten(graph: Any) -> None:
    """Look labels up in one step: skl2onnx takes them by the way of floats.

    Args:
        graph: an `onnx.GraphProto`, changed in place.
    """
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in [node for node in graph.node if node.op_type == "ArrayFeatureExtractor" and node.input[0] in constants]:
        chain = _chain(graph, node)
        kinds = [each.op_type for each in chain]
        if kinds == ["Reshape"]:
            _look_up(graph, node, constants[node.input[0]])
        elif kinds == ["Cast", "Reshape", "Cast"]:
            _look_up(graph, node, _as_int64(constants[node.input[0]]))
            cast, reshape, last = chain
            reshape.input[0] = node.output[0]
            reshape.output[0] = last.output[0]
            graph.node.remove(cast)
            graph.node.remove(last)


def _chain(graph: Any, node: Any) -> list[Any]:
    """The nodes that take one after the other what this one gives, each alone."""
    chain: list[Any] = []
    while len(takers := [each for each in graph.node if node.output[0] in each.input]) == 1:
        node = takers[0]
        chain.append(node)
    return chain


def _look_up(graph: Any, node: Any, labels: Any) -> None:
    node.op_type, node.domain = "Gather", ""
    labels.name = f"{labels.name}_by_place"
    node.input[0] = labels.name
    graph.initializer.append(labels)


def _as_int64(labels: Any) -> Any:
    from onnx import numpy_helper

    return numpy_helper.from_array(numpy_helper.to_array(labels).astype("int64"), labels.name)
