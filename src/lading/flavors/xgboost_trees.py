"""The trees of an XGBoost model, looked through before XGBoost follows them.

It takes each index for what the file says, and ends the process, or goes in circles, where there is no such node.
`RegTree::LoadModel` in https://github.com/dmlc/xgboost/blob/master/src/tree/tree_model.cc
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np

from lading.schema.table import Array

_NO_CHILD = -1
_NO_PARENT = 2**31 - 1
_MAX_CATEGORY = 1 << 24
"""`common/categorical.h`: the first that a float does not hold."""
_NODES = ("left_children", "right_children", "parents", "split_indices", "split_conditions", "split_type")
_CATEGORIES = ("categories_nodes", "categories_segments", "categories_sizes")


class Trees(msgspec.Struct, frozen=True):
    """Trees as they stand in the file.

    Attributes:
        trees: the arrays of each, (nodes,).
        tree_info: the output that each adds to.
        iteration_indptr: where each iteration begins and the last one ends; XGBoost 1 did not save it.
    """

    trees: list[dict[str, Any]]
    tree_info: Any = ()
    iteration_indptr: Any = None


def look_through(trees: Trees, *, width: int, outputs: int) -> None:
    """Nothing where XGBoost can follow the trees.

    Args:
        trees: as they stand in the file.
        width: how many columns they may split at.
        outputs: how many values a row they add up to.

    Raises:
        ValueError: says what is wrong.
    """
    count = len(trees.trees)
    if sorted(whole([tree.get("id") for tree in trees.trees]).tolist()) != list(range(count)):
        raise ValueError("its trees are not numbered")
    info = whole(trees.tree_info)
    if len(info) != count or not _are_within(info, 0, outputs):
        raise ValueError("its trees add to outputs that there are not")
    if trees.iteration_indptr is not None:
        begins = whole(trees.iteration_indptr).tolist()
        if begins[:1] != [0] or begins[-1] != count or any(end < begin for begin, end in pairwise(begins)):
            raise ValueError("its iterations are not those of its trees")
    for tree in trees.trees:
        _look_at_leaves(tree, outputs)
        _look_at_categories(tree)
    if count:
        _look_at_nodes(trees.trees, width)


def splits(trees: Sequence[Mapping[str, Any]], width: int) -> list[float]:
    """The median of the thresholds of each column; NaN where no tree splits at it by a number."""
    medians = [float("nan")] * width
    if not trees:
        return medians
    left, _, _, columns, thresholds, kinds = _all_nodes(trees)
    is_split = (left != _NO_CHILD) & (kinds == 0) & np.isfinite(thresholds)
    columns, thresholds = columns[is_split], thresholds[is_split]
    order = np.lexsort((thresholds, columns))
    found, starts, counts = np.unique(columns[order], return_index=True, return_counts=True)
    middles = thresholds[order][starts + counts // 2].astype(np.float32)
    for column, middle in zip(found.tolist(), middles, strict=True):
        medians[column] = float(str(middle))  # the shortest that is the same float of 32 bits
    return medians


def whole(value: Any) -> Array:
    """An array of whole numbers, (n,).

    Raises:
        ValueError: it is none.
    """
    array = np.asarray(value)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iub"):
        raise ValueError("there is something else where whole numbers have to be")
    return array


def _look_at_nodes(trees: Sequence[Mapping[str, Any]], width: int) -> None:
    """Of all trees at once: a loop over many small arrays would take longer than XGBoost itself."""
    sizes = _sizes(trees)
    left, right, parents, columns, *_ = _all_nodes(trees)
    first = np.repeat(np.cumsum(sizes) - sizes, sizes)
    size = np.repeat(sizes, sizes)
    is_split = left != _NO_CHILD
    for child in (left[is_split], right[is_split]):
        if ((child < 1) | (child >= size[is_split])).any():
            raise ValueError("a tree has a branch to nowhere")
    places = np.flatnonzero(is_split)
    children = np.concatenate([child[places].astype(np.int64) + first[places] for child in (left, right)])
    if len(np.unique(children)) != len(children):
        raise ValueError("two branches of a tree lead to the same node")
    is_alone = np.ones(len(left), bool)
    is_alone[children] = False
    is_root = (parents == _NO_PARENT) | ((parents == -1) & np.repeat(_has_vectors(trees), sizes))
    is_right = parents[children] + first[children] == np.concatenate([places, places])
    if not is_right.all() or not (is_root | ((parents >= 0) & (parents < size)))[is_alone].all():
        raise ValueError("a node of a tree has another parent than the one that leads to it")
    if not _are_within(columns[places], 0, width):
        raise ValueError("a tree splits at a column that there is not")


def _all_nodes(trees: Sequence[Mapping[str, Any]]) -> list[Array]:
    sizes = _sizes(trees)
    found = []
    for name in _NODES:
        arrays = [np.asarray(tree.get(name, _default(name, tree))) for tree in trees]
        kinds = "iubf" if name == "split_conditions" else "iub"
        if any(
            array.shape != (size,) or array.dtype.kind not in kinds for array, size in zip(arrays, sizes, strict=True)
        ):
            raise ValueError(f"the `{name}` of a tree are not a number a node")
        found.append(np.concatenate(arrays))
    return found


def _default(name: str, tree: Mapping[str, Any]) -> Any:
    # XGBoost 1.2 and before split at numbers only.
    return np.zeros(_count(tree), np.uint8) if name == "split_type" else ()


def _sizes(trees: Sequence[Mapping[str, Any]]) -> Array:
    return np.array([_count(tree) for tree in trees])


def _count(tree: Mapping[str, Any]) -> int:
    count = len(whole(tree.get("left_children", ())))
    if not count or _param(tree, "num_nodes") != count:
        raise ValueError("a tree does not have as many nodes as it says")
    return count


def _param(tree: Mapping[str, Any], name: str) -> int:
    param = tree.get("tree_param")
    text = param.get(name) if isinstance(param, dict) else None
    if not isinstance(text, str) or not text.isascii() or not text.isdecimal() or len(text) > 10:
        raise ValueError(f"a tree does not say its `{name}`")
    return int(text)


def _has_vectors(trees: Sequence[Mapping[str, Any]]) -> list[bool]:
    """Which trees have leaves of several values."""
    return [_leaf_size(tree) > 1 for tree in trees]


def _leaf_size(tree: Mapping[str, Any]) -> int:
    return _param(tree, "size_leaf_vector") if "size_leaf_vector" in tree.get("tree_param", ()) else 1


def _look_at_leaves(tree: Mapping[str, Any], outputs: int) -> None:
    """A leaf of several values has its place among them where a branch would be."""
    size = _leaf_size(tree)
    if size <= 1:
        return
    if "leaf_weights" not in tree:  # with which later ones end the process
        raise ValueError("its leaves have several values, which an older XGBoost saved in another way")
    count = _count(tree)
    lengths = {"base_weights": count * size, "loss_changes": count, "sum_hessian": count}
    if size != outputs or any(np.shape(tree.get(name, ())) != (length,) for name, length in lengths.items()):
        raise ValueError("the leaves of a tree do not have as many values as it predicts")
    is_leaf = whole(tree["left_children"]) == _NO_CHILD
    places, values = whole(tree.get("right_children", ())), np.asarray(tree["leaf_weights"])
    if len(places) != count or values.ndim != 1 or not _are_within(places[is_leaf], 0, len(values) // size):
        raise ValueError("a leaf of a tree has no values")


def _look_at_categories(tree: Mapping[str, Any]) -> None:
    categories = whole(tree.get("categories", ()))
    nodes, starts, sizes = (whole(tree.get(name, ())).astype(np.int64) for name in _CATEGORIES)
    if not len(nodes) == len(starts) == len(sizes) or (np.diff(nodes) < 1).any():
        raise ValueError("the categories of a tree are not those of its nodes")
    are_there = _are_within(nodes, 0, _count(tree)) and _are_within(categories, 0, _MAX_CATEGORY)
    # Each on its own first: a sum may be beyond what the numbers hold.
    are_there = are_there and _are_within(starts, 0, len(categories) + 1) and _are_within(sizes, 0, len(categories) + 1)
    if not are_there or (starts + sizes > len(categories)).any():
        raise ValueError("a tree has categories that there are not")


def _are_within(numbers: Array, low: int, end: int) -> bool:
    return bool(((numbers >= low) & (numbers < end)).all())
